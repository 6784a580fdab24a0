// What supervisors enforce on jobs here, and what they do not, for GetServerInfo.
#ifndef SOMAD_ENFORCEMENT_H
#define SOMAD_ENFORCEMENT_H

#include "services/server_service.h"

// Lines "+name detail" and "-name detail", which are cut up; lives as long as the facts.
void enforcement_tell(char *lines, struct server_facts *facts);

#endif
