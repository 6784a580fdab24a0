#include "jobs/job.h"

#include <string.h>

static const char *const state_names[JOB_STATE_COUNT] = {
    [JOB_QUEUED] = "queued", [JOB_RUNNING] = "running",     [JOB_SUCCEEDED] = "succeeded",
    [JOB_FAILED] = "failed", [JOB_CANCELLED] = "cancelled", [JOB_TIMED_OUT] = "timed_out",
    [JOB_LOST] = "lost",
};

static const char *const reason_names[] = {
    [JOB_REASON_NONE] = "none",
    [JOB_REASON_EXITED] = "exited",
    [JOB_REASON_SIGNALED] = "signaled",
    [JOB_REASON_WALL_TIMEOUT] = "wall_timeout",
    [JOB_REASON_CANCELLED] = "cancelled",
    [JOB_REASON_LOST] = "lost",
    [JOB_REASON_START_FAILED] = "start_failed",
    [JOB_REASON_CPU_LIMIT] = "cpu_limit",
    [JOB_REASON_MEMORY_LIMIT] = "memory_limit",
    [JOB_REASON_DISK_LIMIT] = "disk_limit",
    [JOB_REASON_OUTPUT_LIMIT] = "output_limit",
    [JOB_REASON_EXPIRED] = "expired",
    [JOB_REASON_DEPENDENCY] = "dependency",
};

bool job_state_is_final(enum job_state state)
{
    return (JOB_STATES_FINAL >> state & 1) != 0;
}

bool job_state_from_number(int64_t number, enum job_state *ret_state)
{
    if (number < JOB_QUEUED || number > JOB_LOST)
        return false;
    *ret_state = (enum job_state)number;
    return true;
}

const char *job_state_name(enum job_state state)
{
    return state_names[state];
}

const char *job_reason_name(enum job_reason reason)
{
    return reason_names[reason];
}
