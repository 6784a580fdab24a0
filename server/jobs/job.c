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

static bool has_label(const struct job_spec *spec, const struct job_label *wanted)
{
    for (size_t i = 0; i < spec->label_count; i++) {
        if (strcmp(spec->labels[i].key, wanted->key) == 0)
            return strcmp(spec->labels[i].value, wanted->value) == 0;
    }
    return false;
}

bool job_filter_matches(const struct job_filter *filter, const struct job *job)
{
    if (filter->states != 0 && (filter->states >> job->status.state & 1) == 0)
        return false;
    if (filter->queue != NULL && strcmp(filter->queue, job->spec.queue) != 0)
        return false;
    for (size_t i = 0; i < filter->label_count; i++) {
        if (!has_label(&job->spec, &filter->labels[i]))
            return false;
    }
    return true;
}
