// The directory of one attempt (docs/ARCHITECTURE.md has the table of its files), as the runner
// holds it: with the lock taken, which lives as long as the runner does.
#ifndef RUNNER_ATTEMPT_DIR_H
#define RUNNER_ATTEMPT_DIR_H

#include <limits.h>
#include <stdint.h>

#include "base/error.h"
#include "runner/order.h"

struct attempt_dir {
    char path[PATH_MAX]; // absolute
    int fd;
    int lock_fd;
    int work_fd;     // the job's working directory
    int stdout_fd;   // the files; capture.h writes them
    int stderr_fd;   //
    int log_fd;      // log_index.h writes it
    int progress_fd; // FIFO, both ends, non-blocking: it never ends
    int status_fd;   // room for the status (file_reserve); -1: none
    int control_fd;  // listening SOCK_SEQPACKET socket, non-blocking
};

enum attempt_claim {
    ATTEMPT_CLAIMED,
    ATTEMPT_TAKEN, // not this runner's any more: another one has or had the lock, or the server
                   // took the order back
    ATTEMPT_BROKEN // the directory cannot be used
};

// Takes the lock. err says why not. On anything but ATTEMPT_CLAIMED there is nothing to close.
enum attempt_claim attempt_dir_claim(const char *path, struct attempt_dir *ret_dir,
                                     struct soma_error *err);

// Makes the files, the FIFO, the socket and the work directory with the order's file in it, the
// job's own for the user that the order names.
enum soma_code attempt_dir_make_files(struct attempt_dir *dir, const struct order *order,
                                      struct soma_error *err);

// Writes the record (boot_id, pid, start_ticks, started_unix_ms) into the lock and syncs it with
// the directory and the two above it, which the server made. Afterwards this attempt counts as run.
enum soma_code attempt_dir_write_record(struct attempt_dir *dir, int64_t started_unix_ms,
                                        struct soma_error *err);

// Removes the socket and the FIFO, which nobody needs after the end.
void attempt_dir_remove_sockets(struct attempt_dir *dir);

void attempt_dir_close(struct attempt_dir *dir);

#endif
