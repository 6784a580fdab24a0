// Output of both streams in the order in which it came, with times: what the runner's file `log`
// (runner/log_format.h) says of the output files. Readable while they grow.
#ifndef JOBS_OUTPUT_LOG_H
#define JOBS_OUTPUT_LOG_H

#include "base/arena.h"
#include "jobs/attempt.h"

enum {
    LOG_PIECES_MAX = 4096,
};

// Where a reader stands. Zeroed: at the beginning, and begin_ms not known yet.
struct log_position {
    int64_t record;     // the record that is read
    int64_t taken;      // bytes of it that were read
    int64_t offsets[2]; // of the next byte in standard output and error
    int64_t time_ms;    // of the record before; 0: not known yet
};

struct log_question {
    struct log_position position;
    bool is_first;      // position is nothing yet: the next two say where to begin
    int64_t tail_lines; // that many last lines; 0: all; below 0: only what comes
    int64_t since_ms;   // what came then or later; 0: all
    bool wanted[2];     // standard output, error
    int64_t max_bytes;
    bool is_over; // the attempt writes no more
};

struct log_piece {
    bool is_stderr;
    int64_t offset;  // in its stream
    int64_t time_ms; // 0: not known
    uint8_t *bytes;  // in the arena
    size_t length;
};

struct log_look {
    struct log_piece pieces[LOG_PIECES_MAX];
    size_t count;
    struct log_position next;
    bool at_end; // nothing will ever follow
};

// OFFSET_PAST_END where the position is past what there is. An attempt that has no files has an
// empty log. Takes up to 9 MiB of the arena and max_bytes.
enum soma_code output_log_read(const struct attempt_root *root, const char *id, uint32_t attempt,
                               const struct log_question *question, struct arena *arena,
                               struct log_look *ret_look, struct soma_error *err);

#endif
