#include "lib/job_schedule.h"

static Pb__RetryPolicy *pack_retry(const struct soma_job_spec *spec, struct packing *packing)
{
    bool is_given = spec->retry_attempts || spec->backoff_ms || spec->backoff_factor != 0 ||
                    spec->backoff_max_ms || spec->retry_reason_count;
    Pb__RetryPolicy *policy =
        is_given ? pack_message(packing, &pb__retry_policy__descriptor) : NULL;
    if (!policy)
        return NULL;
    policy->max_attempts = spec->retry_attempts;
    policy->backoff_ms = spec->backoff_ms;
    policy->backoff_factor = spec->backoff_factor;
    policy->backoff_max_ms = spec->backoff_max_ms;
    if (pack_has(packing, "spec.retry_reasons", spec->retry_reasons, spec->retry_reason_count))
        policy->on_reasons =
            pack_array(packing, spec->retry_reason_count, sizeof *policy->on_reasons);
    policy->n_on_reasons = policy->on_reasons ? spec->retry_reason_count : 0;
    for (size_t i = 0; i < policy->n_on_reasons; i++)
        policy->on_reasons[i] = (Pb__JobReason)spec->retry_reasons[i];
    return policy;
}

void pack_schedule(const struct soma_job_spec *spec, Pb__JobSpec *message, struct packing *packing)
{
    message->not_before_unix_ms = spec->not_before_ms;
    message->delay_ms = spec->delay_ms;
    message->start_deadline_unix_ms = spec->start_deadline_ms;
    message->start_within_ms = spec->start_within_ms;
    message->retry = pack_retry(spec, packing);
    message->after = pack_texts(packing, "spec.after", spec->after, spec->after_count);
    message->n_after = message->after ? spec->after_count : 0;
    message->after_policy = (Pb__DependencyPolicy)spec->after_policy;
    message->dedupe_key = pack_text_or_none(spec->dedupe_key);
}

// --- results

static void read_retry(struct reading *reading, const Pb__RetryPolicy *policy,
                       struct soma_job_spec *spec)
{
    if (!policy)
        return;
    spec->retry_attempts = policy->max_attempts;
    spec->backoff_ms = policy->backoff_ms;
    spec->backoff_factor = policy->backoff_factor;
    spec->backoff_max_ms = policy->backoff_max_ms;
    enum soma_job_reason *reasons = read_array(reading, policy->n_on_reasons, sizeof *reasons);
    for (size_t i = 0; reasons && i < policy->n_on_reasons; i++)
        reasons[i] = (enum soma_job_reason)policy->on_reasons[i];
    spec->retry_reasons = reasons;
    spec->retry_reason_count = reasons ? policy->n_on_reasons : 0;
}

void read_schedule(struct reading *reading, const Pb__JobSpec *message, struct soma_job_spec *spec)
{
    spec->not_before_ms = message->not_before_unix_ms;
    spec->start_deadline_ms = message->start_deadline_unix_ms;
    spec->after = (const char *const *)message->after;
    spec->after_count = message->n_after;
    spec->after_policy = (enum soma_after_policy)message->after_policy;
    spec->dedupe_key = read_text_or_null(message->dedupe_key);
    read_retry(reading, message->retry, spec);
}

int read_exit_code(enum soma_job_reason reason, int32_t exit_code)
{
    bool has_code = reason == SOMA_JOB_REASON_EXITED || reason == SOMA_JOB_REASON_START_FAILED;
    return has_code ? exit_code : -1;
}

int read_signal(enum soma_job_reason reason, int32_t signal_number)
{
    return reason == SOMA_JOB_REASON_SIGNALED ? signal_number : 0;
}

void read_waits(struct reading *reading, const Pb__JobStatus *status, struct soma_job *job)
{
    job->wait = (enum soma_job_wait)status->wait;
    job->next_attempt_ms = status->next_attempt_unix_ms;
    job->waiting_for = (const char *const *)status->waiting_for;
    job->waiting_count = status->n_waiting_for;
    struct soma_job_attempt *attempts = read_array(reading, status->n_attempts, sizeof *attempts);
    for (size_t i = 0; attempts && i < status->n_attempts; i++) {
        const Pb__JobAttempt *message = status->attempts[i];
        enum soma_job_reason reason = (enum soma_job_reason)message->reason;
        attempts[i] = (struct soma_job_attempt){
            .attempt = message->attempt,
            .reason = reason,
            .exit_code = read_exit_code(reason, message->exit_code),
            .signal_number = read_signal(reason, message->signal),
            .message = message->message,
            .started_ms = message->started_unix_ms,
            .finished_ms = message->finished_unix_ms,
        };
    }
    job->attempts = attempts;
    job->attempt_count = attempts ? status->n_attempts : 0;
}
