// The end of an attempt: the file `status` of its directory (base/fields.h).
//
// Fields: version (1), reason, exit_code, signal, message, started_unix_ms, finished_unix_ms,
// wall_ms, user_ms, system_ms, peak_bytes, disk_bytes, stdout_kept, stdout_dropped, stderr_kept,
// stderr_dropped, artifact_count, artifact_bytes, artifact_left_out, asked_count, killed_count,
// progress ("PERCENT TEXT", the last report) where there was one, and isolation (lines) where the
// program ran.
#ifndef RUNNER_STATUS_H
#define RUNNER_STATUS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

enum end_reason {
    END_EXITED,       // "exited"
    END_SIGNALED,     // "signaled": by a signal that the runner did not send, or with the runner
    END_WALL_TIMEOUT, // "wall_timeout"
    END_CANCELLED,    // "cancelled"
    END_START_FAILED, // "start_failed": exit_code is 127 (not found), 126 (not executable) or 125
    END_CPU_LIMIT,    // "cpu_limit"
    END_MEMORY_LIMIT, // "memory_limit": the runner's, or the kernel's in a cgroup
    END_DISK_LIMIT,   // "disk_limit"
    END_OUTPUT_LIMIT  // "output_limit"
};

enum {
    STATUS_MESSAGE_SIZE = 512,
    STATUS_EXIT_START_FAILED = 125
};

struct status {
    enum end_reason reason;
    int exit_code; // of the main process, where it exited
    int signal;    // that ended the main process, otherwise 0
    char message[STATUS_MESSAGE_SIZE];
    int64_t started_unix_ms; // 0: the program was never let go
    int64_t finished_unix_ms;
    int64_t wall_ms;
    int64_t user_ms, system_ms; // of the tree's processes that were waited for
    int64_t peak_bytes;         // of the largest process, or of the tree where it was looked at
    int64_t disk_bytes;         // of the work directory, at the end
    int64_t stdout_kept, stdout_dropped;
    int64_t stderr_kept, stderr_dropped;
    int64_t artifact_count, artifact_bytes, artifact_left_out;
    int64_t asked_count;   // processes that got TERM
    int64_t killed_count;  // processes that got KILL
    const char *progress;  // NULL: nothing reported
    const char *isolation; // lines (isolation.h); "": the program never ran
};

// Atomic. reserved_fd: room that was kept for it (file_reserve), or -1. Synced where is_synced, and
// also where there is no such room.
enum soma_code status_write(int directory_fd, int reserved_fd, const struct status *status,
                            bool is_synced, struct soma_error *err);

#endif
