// What supervisors enforce on jobs here, and what they do not, for GetServerInfo.
#ifndef SOMAD_ENFORCEMENT_H
#define SOMAD_ENFORCEMENT_H

#include "services/server_service.h"

// job_user as configured; it counts only for a server that runs as root. Once, at start.
void enforcement_tell(const char *job_user, struct server_facts *facts);

#endif
