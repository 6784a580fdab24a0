// How a collection is shown; in collections.c.
#ifndef CLI_COLLECTION_PRINT_H
#define CLI_COLLECTION_PRINT_H

#include "cli/cli.h"

void collection_show(const struct cli *cli, const struct soma_collection *collection);

#endif
