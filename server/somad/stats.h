// The numbers that GetStats gathers from all rooms.
#ifndef SOMAD_STATS_H
#define SOMAD_STATS_H

#include "rpc/parking.h"
#include "services/server_service.h"
#include "store/writer.h"
#include "vectors/collection.h"

// Whom to ask; all borrowed.
struct stats_sources {
    struct store *store;
    struct writer *writer;
    struct parking *parking;
    struct vectors *vectors;
};

// For server_facts: source is a struct stats_sources. What cannot be read now is left out.
size_t stats_gather(void *source, struct server_stat *ret_stats);

#endif
