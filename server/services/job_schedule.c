// When a job is started, and started again: from protobuf to the domain's values.
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "services/job_values.h"
#include "services/validate.h"
#include "wire/limits.h"

enum {
    THOUSAND = 1000,
    FACTOR_DEFAULT = 2,
    FACTOR_MAX = 10,
};

// Ends that no policy can ask another attempt for.
static const int64_t never_retried =
    INT64_C(1) << JOB_REASON_CANCELLED | INT64_C(1) << JOB_REASON_LOST |
    INT64_C(1) << JOB_REASON_EXPIRED | INT64_C(1) << JOB_REASON_DEPENDENCY;

int64_t job_retry_default_reasons(void)
{
    return INT32_MAX & ~never_retried;
}

// --- times

// A time, or what is the same told from now on; 0 where neither is given.
static enum soma_code take_time(int64_t unix_ms, const char *unix_field, int64_t from_now_ms,
                                const char *from_now_field, struct wall_time *ret_time,
                                struct soma_error *err)
{
    enum soma_code code = check_range(unix_ms, 0, INT64_MAX, unix_field, err);
    if (code == SOMA_OK)
        code = check_range(from_now_ms, 0, LIMIT_JOB_DELAY_MS, from_now_field, err);
    if (code == SOMA_OK && unix_ms > 0 && from_now_ms > 0)
        return error_set(err, REASON_FIELD_INVALID, from_now_field, "%s and %s exclude each other",
                         unix_field, from_now_field);
    if (code == SOMA_OK)
        ret_time->ms = from_now_ms > 0 ? clock_wall_now().ms + from_now_ms : unix_ms;
    return code;
}

// --- attempts

static enum soma_code take_reasons(const Pb__RetryPolicy *policy, struct job_retry *retry,
                                   struct soma_error *err)
{
    retry->reasons = policy->n_on_reasons > 0 ? 0 : job_retry_default_reasons();
    for (size_t i = 0; i < policy->n_on_reasons; i++) {
        int64_t bit = INT64_C(1) << policy->on_reasons[i];
        if (policy->on_reasons[i] == PB__JOB_REASON__JOB_REASON_UNSPECIFIED || bit & never_retried)
            return error_set(err, REASON_FIELD_INVALID, "spec.retry.on_reasons",
                             "spec.retry.on_reasons[%zu] is no end that is followed by another "
                             "attempt%s",
                             i,
                             policy->on_reasons[i] == PB__JOB_REASON__JOB_REASON_LOST
                                 ? "; spec.idempotent says so of LOST"
                                 : "");
        retry->reasons |= bit;
    }
    return SOMA_OK;
}

static enum soma_code take_factor(double factor, struct job_retry *retry, struct soma_error *err)
{
    double given = factor == 0 ? FACTOR_DEFAULT : factor;
    // Also NaN is not between.
    if (!(given >= 1 && given <= FACTOR_MAX))
        return error_set(err, REASON_FIELD_OUT_OF_RANGE, "spec.retry.backoff_factor",
                         "spec.retry.backoff_factor is %g, allowed are 1 to %d", factor,
                         FACTOR_MAX);
    retry->factor_milli = lround(given * THOUSAND);
    return SOMA_OK;
}

static enum soma_code take_retry(const Pb__RetryPolicy *policy, struct job_retry *retry,
                                 struct soma_error *err)
{
    if (!policy)
        return SOMA_OK;
    enum soma_code code = check_range(policy->max_attempts, 0, LIMIT_JOB_RETRY_ATTEMPTS,
                                      "spec.retry.max_attempts", err);
    retry->max_attempts = policy->max_attempts;
    if (code == SOMA_OK)
        code =
            check_or_default(policy->backoff_ms, LIMIT_JOB_BACKOFF_MS, LIMIT_JOB_DEFAULT_BACKOFF_MS,
                             "spec.retry.backoff_ms", &retry->backoff_ms, err);
    int64_t max_default = retry->backoff_ms > LIMIT_JOB_DEFAULT_BACKOFF_MAX_MS
                              ? retry->backoff_ms
                              : LIMIT_JOB_DEFAULT_BACKOFF_MAX_MS;
    if (code == SOMA_OK)
        code = check_or_default(policy->backoff_max_ms, LIMIT_JOB_BACKOFF_MS, max_default,
                                "spec.retry.backoff_max_ms", &retry->backoff_max_ms, err);
    if (code == SOMA_OK && retry->backoff_max_ms < retry->backoff_ms)
        return error_set(err, REASON_FIELD_OUT_OF_RANGE, "spec.retry.backoff_max_ms",
                         "spec.retry.backoff_max_ms is below backoff_ms");
    if (code == SOMA_OK)
        code = take_factor(policy->backoff_factor, retry, err);
    return code == SOMA_OK ? take_reasons(policy, retry, err) : code;
}

// --- other jobs

static enum soma_code take_after(const Pb__JobSpec *message, struct job_spec *spec,
                                 struct soma_error *err)
{
    enum soma_code code = check_length(message->n_after, LIMIT_JOB_AFTER, "spec.after", err);
    for (size_t i = 0; i < message->n_after && code == SOMA_OK; i++) {
        char field[SOMA_FIELD_SIZE];
        snprintf(field, sizeof field, "spec.after[%zu]", i);
        code = check_given(message->after[i], field, err);
        if (code == SOMA_OK)
            code = check_length(strlen(message->after[i]), ID_LENGTH, field, err);
        for (size_t j = 0; j < i && code == SOMA_OK; j++) {
            if (strcmp(message->after[j], message->after[i]) == 0)
                return error_set(err, REASON_DUPLICATE_KEY, field, "job %s is there twice",
                                 message->after[i]);
        }
    }
    spec->after = (const char *const *)message->after;
    spec->after_count = message->n_after;
    if (spec->after_count > 0)
        spec->after_policy =
            message->after_policy ? (int32_t)message->after_policy : JOB_AFTER_CANCEL;
    return code;
}

enum soma_code job_schedule_from(const Pb__JobSpec *message, struct job_spec *ret_spec,
                                 struct soma_error *err)
{
    struct job_spec *spec = ret_spec;
    enum soma_code code = take_time(message->not_before_unix_ms, "spec.not_before_unix_ms",
                                    message->delay_ms, "spec.delay_ms", &spec->not_before, err);
    if (code == SOMA_OK)
        code = take_time(message->start_deadline_unix_ms, "spec.start_deadline_unix_ms",
                         message->start_within_ms, "spec.start_within_ms", &spec->start_by, err);
    if (code == SOMA_OK)
        code = take_retry(message->retry, &spec->retry, err);
    if (code == SOMA_OK)
        code = take_after(message, spec, err);
    if (code == SOMA_OK)
        code = check_length(strlen(message->dedupe_key), LIMIT_JOB_DEDUPE_KEY_BYTES,
                            "spec.dedupe_key", err);
    spec->dedupe_key = message->dedupe_key[0] ? message->dedupe_key : NULL;
    return code;
}
