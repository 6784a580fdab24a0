// What the parts of the log's reader share: output_log.c goes forward, output_log_begin.c finds
// where to begin.
#ifndef JOBS_OUTPUT_LOG_PRIVATE_H
#define JOBS_OUTPUT_LOG_PRIVATE_H

#include "jobs/output_log.h"
#include "runner/log_format.h"

// An attempt's files, as they were when they were opened.
struct log_files {
    int fds[2]; // -1: there is none
    int64_t sizes[2];
    int64_t base_ms;     // the first record's time counts from here
    int64_t first;       // the number of the first record in records
    int64_t count;       // of all records, also those before first
    const char *records; // from first on, in the arena
    bool covers_all;     // what the records do not cover may still get one
};

// The record with that number, from first on.
struct log_record log_files_record(const struct log_files *files, int64_t number);

// All of length bytes from the offset on. 0, or an errno.
int log_files_read(const struct log_files *files, int stream, int64_t offset, void *ret_bytes,
                   size_t length);

// Past a record, whole.
void log_position_pass(struct log_position *position, const struct log_files *files,
                       const struct log_record *record);

// Where a first question begins; files has all records.
enum soma_code output_log_begin(const struct log_files *files, const struct log_question *question,
                                struct log_position *ret_position, struct soma_error *err);

#endif
