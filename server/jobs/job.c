#include "jobs/job.h"

#include <string.h>

static const char *const state_names[JOB_STATE_COUNT] = {
    [JOB_QUEUED] = "queued", [JOB_RUNNING] = "running",     [JOB_SUCCEEDED] = "succeeded",
    [JOB_FAILED] = "failed", [JOB_CANCELLED] = "cancelled", [JOB_TIMED_OUT] = "timed out",
    [JOB_LOST] = "lost",
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
