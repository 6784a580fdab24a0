// Reading what a job wrote, while it runs or afterwards.
#ifndef JOBS_OUTPUT_H
#define JOBS_OUTPUT_H

#include "base/arena.h"
#include "jobs/attempt.h"

struct output_piece {
    uint8_t *bytes; // in the arena
    size_t length;
    int64_t size; // of the whole file
};

// The same of an open file.
enum soma_code output_read_piece(int fd, int64_t offset, int64_t max, struct arena *arena,
                                 struct output_piece *ret_piece, struct soma_error *err);

// At most max bytes from the offset on; nothing where it is at or past the end. A file or directory
// that is not there is empty; so is all output of attempt 0.
enum soma_code output_read(const struct attempt_root *root, const char *id, uint32_t attempt,
                           bool is_stderr, int64_t offset, int64_t max, struct arena *arena,
                           struct output_piece *ret_piece, struct soma_error *err);

#endif
