// What the server shows over HTTP to those who watch it: /metrics for Prometheus, /healthz (it
// lives), /readyz (it takes calls, and is not about to stop).
//
// Much of /metrics is recorded as it happens (measures/measures.h). The rest is gathered here, by a
// worker, when somebody asks.
#ifndef SOMAD_EXPORTER_H
#define SOMAD_EXPORTER_H

#include <stdatomic.h>

#include "config/config.h"
#include "rpc/dispatch.h"
#include "rpc/http.h"
#include "somad/stats.h"

enum exporter_state {
    EXPORTER_STARTING,
    EXPORTER_READY,
    EXPORTER_STOPPING,
};

struct exporter {
    const struct config *config;         // borrowed, as all of them
    const struct stats_sources *sources; // with store and vectors
    const struct dispatcher *dispatcher;
    const char *data; // directory
    int64_t started_unix_ms;
    atomic_int state;         // of enum exporter_state
    struct http_server *http; // NULL: nobody is shown anything
};

// Begins to serve on config->http, where it is set; not ready yet. CONFIG_INVALID.
enum soma_code exporter_open(struct exporter *exporter, struct workers *workers,
                             struct soma_error *err);

// What /readyz says from now on. Any thread.
void exporter_set_state(struct exporter *exporter, enum exporter_state state);

// After the RPC's listeners, which may share the port, and after workers_stop. Harmless on what is
// not open.
void exporter_close(struct exporter *exporter);

#endif
