#include "jobs/transitions.h"

#include "wire/limits.h"

// 0: refused.
static const unsigned char transitions[JOB_STATE_COUNT][JOB_EVENT_COUNT] = {
    [JOB_QUEUED] =
        {
            [JOB_EVENT_CLAIM] = JOB_RUNNING,
            [JOB_EVENT_FAIL] = JOB_FAILED,
            [JOB_EVENT_CANCEL] = JOB_CANCELLED,
            [JOB_EVENT_EXPIRE] = JOB_TIMED_OUT,
        },
    [JOB_RUNNING] =
        {
            [JOB_EVENT_GIVE_BACK] = JOB_QUEUED,
            [JOB_EVENT_SUCCEED] = JOB_SUCCEEDED,
            [JOB_EVENT_FAIL] = JOB_FAILED,
            [JOB_EVENT_TIME_OUT] = JOB_TIMED_OUT,
            [JOB_EVENT_CANCEL] = JOB_CANCELLED,
            [JOB_EVENT_LOSE] = JOB_LOST,
            [JOB_EVENT_TRY_AGAIN] = JOB_QUEUED,
        },
    [JOB_SUCCEEDED] = {[JOB_EVENT_RETRY] = JOB_QUEUED},
    [JOB_FAILED] = {[JOB_EVENT_RETRY] = JOB_QUEUED},
    [JOB_CANCELLED] = {[JOB_EVENT_RETRY] = JOB_QUEUED},
    [JOB_TIMED_OUT] = {[JOB_EVENT_RETRY] = JOB_QUEUED},
    [JOB_LOST] = {[JOB_EVENT_RETRY] = JOB_QUEUED},
};

bool job_transition(enum job_state state, enum job_event event, enum job_state *ret_state)
{
    unsigned char to = transitions[state][event];
    if (to == 0)
        return false;
    *ret_state = (enum job_state)to;
    return true;
}

static bool may_try_again(const struct job_outcome *outcome, const struct job_spec *spec,
                          const struct job_status *status)
{
    int64_t tries = (int64_t)status->attempt - status->tries_from;
    int64_t max = spec->retry.max_attempts;
    if (status->cancel_requested.ms > 0)
        return false;
    if (outcome->reason == JOB_REASON_LOST)
        return spec->idempotent && tries < (max > 0 ? max : LIMIT_JOB_LOST_ATTEMPTS);
    return (spec->retry.reasons >> outcome->reason & 1) && tries < max;
}

static enum job_event end_event(const struct job_outcome *outcome)
{
    switch (outcome->reason) {
    case JOB_REASON_EXITED:
        return outcome->exit_code == 0 ? JOB_EVENT_SUCCEED : JOB_EVENT_FAIL;
    case JOB_REASON_SIGNALED:
    case JOB_REASON_START_FAILED:
    case JOB_REASON_CPU_LIMIT:
    case JOB_REASON_MEMORY_LIMIT:
    case JOB_REASON_DISK_LIMIT:
    case JOB_REASON_OUTPUT_LIMIT:
    case JOB_REASON_DEPENDENCY:
        return JOB_EVENT_FAIL;
    case JOB_REASON_WALL_TIMEOUT:
    case JOB_REASON_EXPIRED:
        return JOB_EVENT_TIME_OUT;
    case JOB_REASON_CANCELLED:
        return JOB_EVENT_CANCEL;
    case JOB_REASON_NONE:
    case JOB_REASON_LOST:
        break;
    }
    return JOB_EVENT_LOSE;
}

enum job_event job_event_of(const struct job_outcome *outcome, const struct job_spec *spec,
                            const struct job_status *status)
{
    enum job_event event = end_event(outcome);
    bool has_failed = event != JOB_EVENT_SUCCEED && event != JOB_EVENT_CANCEL;
    return has_failed && may_try_again(outcome, spec, status) ? JOB_EVENT_TRY_AGAIN : event;
}
