// The directory of an attempt, jobs/<id>/<attempt>/: made before a runner is asked for, looked at
// whenever it must be known what became of it. docs/ARCHITECTURE.md lists its files.
//
// The runner's lock decides, never a pid and never a time. The file `order` is the permission to
// run: whoever finds that the program never ran takes it away while holding the lock, so that a
// runner that comes late finds nothing to do.
#ifndef JOBS_ATTEMPT_H
#define JOBS_ATTEMPT_H

#include <limits.h>

#include "base/error.h"
#include "jobs/job.h"
#include "jobs/order.h"

// Where the attempts of all jobs lie. Made once, then only read.
struct attempt_root {
    char path[PATH_MAX]; // absolute, "…/jobs"
    int fd;              // of that directory; owned
};

// Makes the directory where it is missing, 0711: jobs of another user pass through it to their own.
enum soma_code attempt_root_open(struct attempt_root *root, const char *data_directory,
                                 struct soma_error *err);
void attempt_root_close(struct attempt_root *root);

// The absolute path of an attempt's directory; ret_path has PATH_MAX bytes.
void attempt_path(const struct attempt_root *root, const char *id, uint32_t attempt,
                  char *ret_path);

// A descriptor of the directory, which the caller closes; negative with errno set.
int attempt_open(const struct attempt_root *root, const char *id, uint32_t attempt);

// Makes the directory and writes the order into it; not synced, for without the runner's record the
// attempt counts as never begun. A directory that is there already is used again.
enum soma_code attempt_prepare(const struct attempt_root *root,
                               const struct order_settings *settings, const struct job *job,
                               struct soma_error *err);

enum attempt_fate {
    ATTEMPT_NEVER_RAN, // no record: the program was not let go, and will not be
    ATTEMPT_RUNS,      // the lock is held
    ATTEMPT_ENDED,     // the lock is free and there is a status
    ATTEMPT_GONE,      // the lock is free, there is a record and no status
};

// What became of the attempt; ret_outcome is filled for ATTEMPT_ENDED, and for ATTEMPT_GONE as
// LOST with a message and the output sizes found. An error is one of reading, and says nothing.
enum soma_code attempt_examine(const struct attempt_root *root, const char *id, uint32_t attempt,
                               enum attempt_fate *ret_fate, struct job_outcome *ret_outcome,
                               struct soma_error *err);

// The status as it is, without a look at the lock: for attempts that are over. Anything but
// SOMA_OK: there is none to read.
enum soma_code attempt_read_status(const struct attempt_root *root, const char *id,
                                   uint32_t attempt, struct job_outcome *ret_outcome);

// Connects to the runner's control socket; non-blocking, the caller closes it. Negative with errno
// set: not there (yet, or any more).
int attempt_connect(const struct attempt_root *root, const char *id, uint32_t attempt);

// Bytes of the regular files of all attempts of a job; at least so many where it has very many, of
// which a part is looked at. entries_left: how many the caller has time for, here and for others.
int64_t attempt_measure(const struct attempt_root *root, const char *id, int64_t *entries_left);

#endif
