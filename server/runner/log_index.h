// Writes the file `log` (log_format.h): in which order, and when, output came.
#ifndef RUNNER_LOG_INDEX_H
#define RUNNER_LOG_INDEX_H

#include "base/clock.h"
#include "runner/log_format.h"

struct log_index {
    int directory_fd; // borrowed: where the file is made with its first record; -1: no (more)
                      // records
    int fd;           // owned; -1: not made yet
    int64_t base_unix_ms;
    int64_t count;
    struct log_record last;
    struct mono_time last_time; // of its first byte
};

// Time counts from now.
void log_index_begin(struct log_index *index, int directory_fd);

// length bytes of a stream are in its file. Output of one stream that comes within a few
// milliseconds makes one record.
void log_index_note(struct log_index *index, bool is_stderr, int64_t length);

void log_index_end(struct log_index *index);

#endif
