// What the server asks of one attempt: the file `order` of its directory (base/fields.h).
//
// Fields: version (1), job_id, attempt, argv (once for each word), env (once for each NAME=VALUE;
// together the complete environment), file_name and file_bytes (a file to put into the work
// directory), stdin, wall_time_ms, output_bytes (of each stream), kill_grace_ms, uid and gid (both
// or none). Unknown fields are skipped. Required: version, argv, wall_time_ms, output_bytes.
#ifndef RUNNER_ORDER_H
#define RUNNER_ORDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"

enum {
    ORDER_BYTES_MAX = 16777216, // source, stdin and a full environment fit, at their limits
    ORDER_WORDS_MAX = 2048      // argv and env, each
};

struct order {
    char *bytes; // owned: the file; the texts below point into it and end in NUL
    char **argv; // owned array, ends with NULL
    char **env;  // owned array, ends with NULL and has room for one more
    size_t argc;
    size_t envc;
    const char *job_id;    // "" where not given
    const char *file_name; // NULL: no file
    const char *file_bytes;
    size_t file_length;
    const char *stdin_bytes;
    size_t stdin_length; // 0: end of file at once
    int64_t attempt;
    int64_t wall_time_ms;
    int64_t output_bytes;
    int64_t kill_grace_ms;
    int64_t uid; // -1: the runner's own user
    int64_t gid;
};

// DATA_DAMAGED where the file is missing, torn, or says what cannot be. On failure there is nothing
// to free.
enum soma_code order_read(int directory_fd, struct order *ret_order, struct soma_error *err);
void order_fini(struct order *order);

#endif
