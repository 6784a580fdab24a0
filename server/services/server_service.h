// soma.v1.ServerService: what this server is, and what it counts.
#ifndef SERVICES_SERVER_SERVICE_H
#define SERVICES_SERVER_SERVICE_H

#include <limits.h>
#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "access/tokens.h"
#include "base/error.h"
#include "rpc/workers.h"
#include "store/writer.h"

struct server_language {
    const char *name;
    const char *interpreter;
};

struct server_enforcement {
    const char *name;
    bool enforced;
    const char *detail;
};

// One number of GetStats.
struct server_stat {
    const char *name;
    int64_t value;
};

enum {
    SERVER_STATS_MAX = 64,
    SERVER_LIMITS_MAX = 8
};

// What the other rooms say of themselves; borrowed for as long as the service lives.
struct server_facts {
    // Those that the configuration or the machine sets, beside common/wire/limits.h; one of the
    // same name is in place of it.
    struct server_stat limits[SERVER_LIMITS_MAX];
    size_t limit_count;
    int64_t started_unix_ms;
    const char *const *listeners;
    size_t listener_count;
    const struct server_language *languages;
    size_t language_count;
    const struct server_enforcement *enforcement;
    size_t enforcement_count;
    const char *sandbox; // the policy's name
    bool job_network;
    const char *kernels;
    const char *const *libraries;
    size_t library_count;
    // Fills at most SERVER_STATS_MAX numbers and says how many; on a worker, so it may read the
    // database. NULL: none but those of rpc/counters.h.
    size_t (*stats)(void *source, struct server_stat *ret_stats);
    void *stats_source;
    // What CheckServer looks at.
    struct store *store;
    struct vectors *vectors;
    char jobs_path[PATH_MAX];
    struct workers *workers;
    struct writer *writer;
    struct tokens *tokens;
};

struct server_service;

// The facts may still be filled until the first request comes.
enum soma_code server_service_new(const struct server_facts *facts,
                                  struct server_service **ret_service, struct soma_error *err);
void server_service_free(struct server_service *service);

// For the dispatcher.
ProtobufCService *server_service_base(struct server_service *service);

#endif
