// Writes the file `log` (log_format.h): in which order, and when, output came.
#ifndef RUNNER_LOG_INDEX_H
#define RUNNER_LOG_INDEX_H

#include "base/clock.h"
#include "runner/log_format.h"

struct log_index {
    int fd; // owned by the attempt's directory; -1: nothing is written (any more)
    int64_t count;
    struct log_record last;
    struct mono_time last_time; // of its first byte
};

// Writes the header; time counts from now.
void log_index_begin(struct log_index *index, int fd);

// length bytes of a stream are in its file. Output of one stream that comes within a few
// milliseconds makes one record.
void log_index_note(struct log_index *index, bool is_stderr, int64_t length);

#endif
