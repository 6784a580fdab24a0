// What a job can be: its states, the reasons of its ends, what it waits for. Include <soma/soma.h>.
#ifndef SOMA_JOB_STATES_H
#define SOMA_JOB_STATES_H

#include <soma/client.h>

#ifdef __cplusplus
extern "C" {
#endif

enum soma_job_state {
    SOMA_JOB_QUEUED = 1,
    SOMA_JOB_RUNNING = 2,
    SOMA_JOB_SUCCEEDED = 3,
    SOMA_JOB_FAILED = 4,
    SOMA_JOB_CANCELLED = 5,
    SOMA_JOB_TIMED_OUT = 6,
    SOMA_JOB_LOST = 7,
};

// "queued", …; "unknown" for a number that this library does not know.
SOMA_API const char *soma_job_state_name(enum soma_job_state state);
// False where no state has the name.
SOMA_API bool soma_job_state_from_name(const char *name, enum soma_job_state *ret_state);
SOMA_API bool soma_job_state_is_final(enum soma_job_state state);

enum soma_job_reason {
    SOMA_JOB_REASON_NONE = 0,
    SOMA_JOB_REASON_EXITED = 1,
    SOMA_JOB_REASON_SIGNALED = 2,
    SOMA_JOB_REASON_WALL_TIMEOUT = 3,
    SOMA_JOB_REASON_CANCELLED = 4,
    SOMA_JOB_REASON_LOST = 5,
    SOMA_JOB_REASON_START_FAILED = 6,
    // At one of its limits.
    SOMA_JOB_REASON_CPU_LIMIT = 7,
    SOMA_JOB_REASON_MEMORY_LIMIT = 8,
    SOMA_JOB_REASON_DISK_LIMIT = 9,
    SOMA_JOB_REASON_OUTPUT_LIMIT = 10,
    // Never started: its deadline for starting passed first.
    SOMA_JOB_REASON_EXPIRED = 11,
    // Not started: a job that it waited for did not succeed.
    SOMA_JOB_REASON_DEPENDENCY = 12,
};
SOMA_API const char *soma_job_reason_name(enum soma_job_reason reason);
// False where no reason has the name.
SOMA_API bool soma_job_reason_from_name(const char *name, enum soma_job_reason *ret_reason);

// Why a queued job does not run.
enum soma_job_wait {
    SOMA_JOB_WAIT_NONE = 0,
    SOMA_JOB_WAIT_PLACE = 1,
    // Until next_attempt_ms, as not_before_ms said.
    SOMA_JOB_WAIT_TIME = 2,
    // Until next_attempt_ms: the last attempt failed.
    SOMA_JOB_WAIT_BACKOFF = 3,
    // For other jobs.
    SOMA_JOB_WAIT_AFTER = 4,
    SOMA_JOB_WAIT_QUEUE_PAUSED = 5,
    // Its queue runs as many as it may.
    SOMA_JOB_WAIT_QUEUE_LIMIT = 6,
};
// "place", "time", "backoff", "after", "queue_paused", "queue_limit"; "none".
SOMA_API const char *soma_job_wait_name(enum soma_job_wait wait);

// What becomes of a job when one that it waits for does not succeed.
enum soma_after_policy {
    // As CANCEL.
    SOMA_AFTER_DEFAULT = 0,
    SOMA_AFTER_CANCEL = 1,
    SOMA_AFTER_FAIL = 2,
    // It is started all the same, when all of them have ended.
    SOMA_AFTER_RUN = 3,
};
// "cancel", "fail", "run".
SOMA_API const char *soma_after_policy_name(enum soma_after_policy policy);
SOMA_API bool soma_after_policy_from_name(const char *name, enum soma_after_policy *ret_policy);

#ifdef __cplusplus
}
#endif

#endif
