// The server itself: its limits, figures and life. Include <soma/soma.h>.
#ifndef SOMA_SERVER_H
#define SOMA_SERVER_H

#include <soma/client.h>

#ifdef __cplusplus
extern "C" {
#endif

struct soma_ping_request {
    size_t struct_size;
    // Echoed; at most 65 536 bytes.
    const void *payload;
    size_t payload_length;
};
#define SOMA_PING_REQUEST_INIT SOMA_INIT(struct soma_ping_request)

struct soma_ping {
    const void *payload;
    size_t payload_length;
    int64_t server_time_ms;
};
SOMA_METHOD(server_ping, soma_ping_request, soma_ping);

// For requests that say nothing.
struct soma_empty_request {
    size_t struct_size;
};
#define SOMA_EMPTY_REQUEST_INIT SOMA_INIT(struct soma_empty_request)

struct soma_named_value {
    const char *name;
    int64_t value;
};

struct soma_enforcement {
    // "tree_kill", "user", "output_cap", "wall_time", "filesystem", …
    const char *name;
    bool enforced;
    // By what, or why not.
    const char *detail;
};

struct soma_language {
    const char *name;
    const char *interpreter;
};

struct soma_server_info {
    const char *version;
    uint32_t frame_version;
    // Differs after each start of the server.
    const char *boot_id;
    int64_t started_ms;
    uint32_t pid;
    const struct soma_named_value *limits;
    size_t limit_count;
    // What the server enforces on jobs.
    const struct soma_enforcement *enforcement;
    size_t enforcement_count;
    const struct soma_language *languages;
    size_t language_count;
    const char *const *listeners;
    size_t listener_count;
    // Distance kernels in use.
    const char *kernels;
    const char *const *libraries;
    size_t library_count;
    // What holds for every job: "required", "best_effort" or "off".
    const char *sandbox;
    // Whether jobs that ask for it get the network.
    bool job_network;
};
SOMA_METHOD(server_info, soma_empty_request, soma_server_info);

struct soma_server_stats {
    const struct soma_named_value *stats;
    size_t stat_count;
};
SOMA_METHOD(server_stats, soma_empty_request, soma_server_stats);

struct soma_server_check_request {
    size_t struct_size;
    // next_step of the result before; NULL: the first step.
    const char *step;
};
#define SOMA_SERVER_CHECK_REQUEST_INIT SOMA_INIT(struct soma_server_check_request)

// One thing that is wrong.
struct soma_server_finding {
    // "database", "job 01…", "jobs/01…" (a directory), "collection docs".
    const char *what;
    // For people.
    const char *message;
};

struct soma_server_check {
    // At most 1 000 of them.
    const struct soma_server_finding *findings;
    size_t finding_count;
    // How many there were in this step.
    int64_t found;
    // Where to go on; NULL: this was the last step.
    const char *next_step;
};
// Looks whether what the server keeps is sound, one bounded step a call: its database, the output
// of jobs, collections against their records. Changes nothing. A step reads much: give it time.
SOMA_METHOD(server_check, soma_server_check_request, soma_server_check);

#ifdef __cplusplus
}
#endif

#endif
