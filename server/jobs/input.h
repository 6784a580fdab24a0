// A running job's standard input where it is a stream: the attempt's file `input` and, when nothing
// follows, `input.end`. The runner feeds the program from it (runner/feed.h).
#ifndef JOBS_INPUT_H
#define JOBS_INPUT_H

#include "jobs/attempt.h"

struct input_piece {
    int64_t offset; // in the whole input
    const void *bytes;
    size_t length;
    bool end;
    int64_t fed_bytes; // what the program has taken so far
};

struct input_taken {
    int64_t size_bytes; // of the input now
    bool has_ended;
    bool has_changed;
};

// Appends what of the piece is not there yet and has room: at most LIMIT_JOB_INPUT_WAITING_BYTES
// wait for the program. The end is taken only with all bytes before it. OFFSET_PAST_END,
// INPUT_ENDED, INPUT_TOO_LONG, SERVER_BUSY where another one is writing just then.
// ATTEMPT_NOT_FOUND where the attempt has no directory (yet).
enum soma_code input_write(const struct attempt_root *root, const char *id, uint32_t attempt,
                           const struct input_piece *piece, struct input_taken *ret_taken,
                           struct soma_error *err);

#endif
