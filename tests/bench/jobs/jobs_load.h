// What the modes of jobs_load share.
#ifndef BENCH_JOBS_LOAD_H
#define BENCH_JOBS_LOAD_H

#include <soma/soma.h>

#include "load.h"

enum {
    IN_FLIGHT = 64,
    END_WAIT_MS = 60000
};

_Noreturn void die(const char *what, const struct soma_error *err);
struct soma_client *open_client(const char *url);
// Submits the command (NULL-terminated); ret_id has 32 bytes.
void submit_command(struct soma_client *client, const char *const *words, int64_t output_bytes,
                    int64_t not_before_ms, char *ret_id);
// The final job, which succeeded; freed by the caller.
struct soma_job *wait_success(struct soma_client *client, const char *id);

// jobs_output.c
void measure_output(const char *url, char **arguments);
void measure_many(const char *url, char **arguments);
// jobs_parked.c
void measure_parked(const char *url, char **arguments);

#endif
