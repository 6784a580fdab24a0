// What the RPC counts since the start, one table for GetStats.
#ifndef RPC_COUNTERS_H
#define RPC_COUNTERS_H

#include <stdint.h>

#define COUNTER_TABLE(X)                               \
    X(RPC_REQUESTS, "rpc_requests")                    \
    X(RPC_ERRORS, "rpc_errors")                        \
    X(CONNECTIONS, "rpc_connections")                  \
    X(REFUSED_CONNECTIONS, "rpc_connections_refused")  \
    X(IDLE_CONNECTIONS, "rpc_connections_idle_closed") \
    X(CONTEXTS, "rpc_contexts")                        \
    X(CALLS, "rpc_calls_in_hand")

enum counter {
#define X(NAME, text) COUNTER_##NAME,
    COUNTER_TABLE(X)
#undef X
    COUNTER_COUNT
};

extern const char *const counter_names[COUNTER_COUNT];

void counter_add(enum counter counter, int64_t amount);
int64_t counter_value(enum counter counter);

#endif
