// The status file of a runner as an outcome.
//
// Fields: version=1, reason (exited, signaled, wall_timeout, cancelled, start_failed), exit_code,
// signal, message, started_unix_ms, finished_unix_ms, wall_ms, user_ms, system_ms, peak_bytes,
// stdout_kept, stdout_dropped, stderr_kept, stderr_dropped, killed_count, and progress ("PERCENT
// TEXT") where the program reported any. Unknown fields are
// skipped, so that a newer runner is understood.
#ifndef JOBS_OUTCOME_H
#define JOBS_OUTCOME_H

#include "base/error.h"
#include "jobs/job.h"

enum {
    STATUS_BYTES_MAX = 64 << 10,
};

// DATA_DAMAGED where the bytes are torn or say no reason.
enum soma_code outcome_read(const char *bytes, size_t length, struct job_outcome *ret_outcome,
                            struct soma_error *err);

// "PERCENT TEXT", as a program reports it; false where that is no number from 0 to 100. ret_message
// has JOB_NOTE_BYTES + 1 bytes.
bool progress_read(const char *bytes, size_t length, double *ret_percent, char *ret_message);

// What stands around a job, as its runner says it: lines "+name detail" and "-name detail".
void isolation_take(char ret_text[JOB_ISOLATION_BYTES + 1], const char *bytes, size_t length);

// An outcome that the server itself states: LOST or START_FAILED, with its message.
void outcome_state(struct job_outcome *outcome, enum job_reason reason, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

// Copies bytes into a text of size bytes: one line of valid UTF-8, control characters as spaces,
// cut at a character.
void outcome_clean_text(char *ret_text, size_t size, const char *bytes, size_t length);

#endif
