// The directory of one attempt (docs/ARCHITECTURE.md has the table of its files), as the runner
// holds it: with the lock taken, which lives as long as the runner does.
#ifndef RUNNER_ATTEMPT_DIR_H
#define RUNNER_ATTEMPT_DIR_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "runner/order.h"

struct attempt_dir {
    char path[PATH_MAX]; // absolute
    int fd;
    int lock_fd;
    int work_fd;     // the job's working directory
    int progress_fd; // FIFO, both ends, non-blocking: it never ends
    int status_fd;   // room for the status (file_reserve); -1: none
    bool is_new;     // no runner was here before
    int control_fd;  // listening SOCK_SEQPACKET socket, non-blocking; -1: not there (yet)
};

enum attempt_claim {
    ATTEMPT_CLAIMED,
    ATTEMPT_TAKEN, // not this runner's any more: another one has or had the lock, or the server
                   // took the order back
    ATTEMPT_BROKEN // the directory cannot be used
};

// Takes the lock. is_resolved: the path is absolute and holds no link. err says why not. On
// anything but ATTEMPT_CLAIMED there is nothing to close.
enum attempt_claim attempt_dir_claim(const char *path, bool is_resolved,
                                     struct attempt_dir *ret_dir, struct soma_error *err);

// Makes the room for the status, the FIFO, and the work directory with the order's files in it, the
// job's own for the user that the order names. Output files and `control` are made when there is
// something to say, or nobody who listens: most attempts never need them.
enum soma_code attempt_dir_make_files(struct attempt_dir *dir, const struct order *order,
                                      struct soma_error *err);

// Makes `control`, where it is not there yet, for the server that comes back. False: it could not
// be made, for now.
bool attempt_dir_open_control(struct attempt_dir *dir);

// Writes the record (pid, started_unix_ms) into the lock. Afterwards this
// attempt counts as run. Not synced: once the machine went down, the claim alone counts
// (docs/adr/0007).
enum soma_code attempt_dir_write_record(struct attempt_dir *dir, int64_t started_unix_ms,
                                        struct soma_error *err);

// Syncs the levels that the server made for this attempt: its own directory, the job's, the one of
// all jobs. 0, or an errno.
int attempt_dir_sync(const struct attempt_dir *dir);

// Removes the socket, which nobody needs after the end.
void attempt_dir_remove_control(struct attempt_dir *dir);

void attempt_dir_close(struct attempt_dir *dir);

#endif
