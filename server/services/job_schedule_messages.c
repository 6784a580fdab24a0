// When a job is started, and its attempts: from the domain's values to protobuf.
#include "services/job_messages.h"
#include "services/job_values.h"

static bool put_reasons(Pb__RetryPolicy *message, int64_t reasons, struct arena *arena)
{
    if (reasons == job_retry_default_reasons())
        return true;
    message->on_reasons = arena_calloc(arena, JOB_REASON_COUNT, sizeof *message->on_reasons);
    for (int reason = 1; message->on_reasons && reason < JOB_REASON_COUNT; reason++) {
        if (reasons >> reason & 1)
            message->on_reasons[message->n_on_reasons++] = (Pb__JobReason)reason;
    }
    return message->on_reasons != NULL;
}

static bool put_retry(Pb__JobSpec *message, const struct job_retry *retry, struct arena *arena)
{
    if (retry->factor_milli == 0)
        return true;
    Pb__RetryPolicy *policy = arena_alloc(arena, sizeof *policy);
    if (!policy)
        return false;
    pb__retry_policy__init(policy);
    policy->max_attempts = (uint32_t)retry->max_attempts;
    policy->backoff_ms = retry->backoff_ms;
    policy->backoff_factor = (double)retry->factor_milli / 1000;
    policy->backoff_max_ms = retry->backoff_max_ms;
    message->retry = policy;
    return put_reasons(policy, retry->reasons, arena);
}

bool job_message_put_schedule(Pb__JobSpec *message, const struct job_spec *spec,
                              struct arena *arena)
{
    message->start_deadline_unix_ms = spec->start_by.ms;
    message->after = (const char **)(uintptr_t)spec->after;
    message->n_after = spec->after_count;
    message->after_policy = (Pb__DependencyPolicy)spec->after_policy;
    message->dedupe_key = spec->dedupe_key ? spec->dedupe_key : "";
    return put_retry(message, &spec->retry, arena);
}

// --- attempts

static Pb__JobAttempt *attempt_message(const struct job_past *past, struct arena *arena)
{
    Pb__JobAttempt *message = arena_alloc(arena, sizeof *message);
    if (!message)
        return NULL;
    pb__job_attempt__init(message);
    message->attempt = past->attempt;
    message->reason = (Pb__JobReason)past->reason;
    message->exit_code = past->exit_code;
    message->signal = past->signal;
    message->message = past->message ? past->message : "";
    message->started_unix_ms = past->started.ms;
    message->finished_unix_ms = past->finished.ms;
    return message;
}

// The latest attempt stands in the status, unless it was followed by a wait for another one.
static bool has_latest(const struct job_status *status, const struct job_history *history)
{
    const struct job_past *last =
        history->attempt_count > 0 ? &history->attempts[history->attempt_count - 1] : NULL;
    return status->attempt > 0 && status->state != JOB_QUEUED &&
           (!last || last->attempt < status->attempt);
}

bool job_message_put_history(Pb__Job *message, const struct job *job,
                             const struct job_history *history, struct arena *arena)
{
    const struct job_status *status = &job->status;
    Pb__JobStatus *target = message->status;
    target->waiting_for = history->waiting_for;
    target->n_waiting_for = history->waiting_count;
    size_t count = history->attempt_count + has_latest(status, history);
    target->attempts = arena_calloc(arena, count + 1, sizeof *target->attempts);
    if (!target->attempts)
        return false;
    struct job_past latest = {
        .attempt = status->attempt,
        .reason = status->reason,
        .exit_code = status->exit_code,
        .signal = status->signal,
        .message = status->message,
        .started = status->started,
        .finished = status->finished,
    };
    for (size_t i = 0; i < count; i++) {
        bool is_latest = i == history->attempt_count;
        target->attempts[i] = attempt_message(is_latest ? &latest : &history->attempts[i], arena);
        if (!target->attempts[i])
            return false;
    }
    target->n_attempts = count;
    return true;
}
