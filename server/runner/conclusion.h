// What is said of an attempt when it is over: the status, and its message for people.
#ifndef RUNNER_CONCLUSION_H
#define RUNNER_CONCLUSION_H

#include "runner/status.h"
#include "runner/supervise.h"

enum {
    CONCLUSION_RETRY_MS = 1000,
    CONCLUSION_RETRIES = 600
};

// What became of it. progress is room for status->progress.
void conclusion_make(struct supervision *supervision, char progress[PROGRESS_FORMAT_SIZE],
                     struct status *ret_status);

// Writes the status, synced where no server follows the attempt. A full disk heals: the truth waits
// for up to ten minutes, and the lock is held so long.
enum soma_code conclusion_write(const struct supervision *supervision, const struct status *status,
                                struct soma_error *err);

#endif
