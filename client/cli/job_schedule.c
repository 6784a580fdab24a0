#include "cli/job_schedule.h"

#include <stdio.h>
#include <string.h>

#include "cli/error.h"
#include "cli/job_print.h"
#include "cli/list_out.h"
#include "cli/units.h"
#include "cli/values.h"

enum {
    RETRIES_MAX = 99, // and the first attempt
};

// --- options

// The words of all values of an option that repeats, each value a word or words with commas.
static int read_words(const struct cli *cli, const struct options *options, const char *name,
                      struct pool *pool, const char ***ret_words, size_t *ret_count)
{
    size_t place = 0, room = 0, count = 0;
    const char *text;
    while ((text = options_next(options, name, &place)))
        room += strlen(text) + 1;
    const char **words = pool_array(pool, room, sizeof *words);
    if (!words)
        return report_out_of_memory(cli);
    place = 0;
    while ((text = options_next(options, name, &place))) {
        while (*text) {
            size_t length = strcspn(text, ",");
            words[count] = pool_text(pool, text, length);
            if (!words[count++])
                return report_out_of_memory(cli);
            text += length + (text[length] == ',');
        }
    }
    *ret_words = words;
    *ret_count = count;
    return STATUS_OK;
}

static int read_after(const struct cli *cli, const struct options *options, struct pool *pool,
                      struct soma_job_spec *spec)
{
    const char **ids = NULL;
    const char *policy = options_value(options, "after-policy");
    int status = read_words(cli, options, "after", pool, &ids, &spec->after_count);
    if (status != STATUS_OK)
        return status;
    spec->after = ids;
    if (policy && !soma_after_policy_from_name(policy, &spec->after_policy))
        return report_usage(cli, NULL, "option --after-policy: '%s' is none of cancel, fail, run",
                            policy);
    if (policy && spec->after_count == 0)
        return report_usage(cli, NULL, "--after-policy says what happens with --after");
    return STATUS_OK;
}

static int read_retry_reasons(const struct cli *cli, const struct options *options,
                              struct pool *pool, struct soma_job_spec *spec)
{
    const char **names;
    size_t count;
    int status = read_words(cli, options, "retry-on", pool, &names, &count);
    if (status != STATUS_OK)
        return status;
    enum soma_job_reason *reasons = pool_array(pool, count, sizeof *reasons);
    if (!reasons)
        return report_out_of_memory(cli);
    for (size_t i = 0; i < count; i++) {
        if (!soma_job_reason_from_name(names[i], &reasons[i]))
            return report_usage(
                cli,
                "reasons: exited signaled wall_timeout cpu_limit memory_limit disk_limit "
                "output_limit start_failed",
                "option --retry-on: '%s' is no reason", names[i]);
    }
    spec->retry_reasons = reasons;
    spec->retry_reason_count = count;
    return STATUS_OK;
}

// FIRST[,FACTOR[,MAX]]
static int read_backoff(const struct cli *cli, const char *text, struct pool *pool,
                        struct soma_job_spec *spec)
{
    char *parts[3] = {pool_text(pool, text, strlen(text))};
    if (!parts[0])
        return report_out_of_memory(cli);
    for (int i = 1; i < 3 && parts[i - 1]; i++) {
        parts[i] = strchr(parts[i - 1], ',');
        if (parts[i])
            *parts[i]++ = '\0';
    }
    bool is_fine = parse_duration(parts[0], &spec->backoff_ms);
    if (parts[1])
        is_fine &= parse_number(parts[1], &spec->backoff_factor);
    if (parts[2])
        is_fine &= parse_duration(parts[2], &spec->backoff_max_ms);
    if (!is_fine)
        return report_usage(cli, "write 5s, or 5s,2, or 5s,2,10m",
                            "option --backoff: '%s' is not FIRST[,FACTOR[,MAX]]", text);
    return STATUS_OK;
}

static int read_retry(const struct cli *cli, const struct options *options, struct pool *pool,
                      struct soma_job_spec *spec)
{
    int64_t retries = 0;
    const char *backoff = options_value(options, "backoff");
    int status = value_integer(cli, options, "retries", 0, RETRIES_MAX, &retries);
    if (status == STATUS_OK && backoff)
        status = read_backoff(cli, backoff, pool, spec);
    if (status == STATUS_OK)
        status = read_retry_reasons(cli, options, pool, spec);
    if (status == STATUS_OK && retries == 0 && (backoff || spec->retry_reason_count))
        return report_usage(cli, "add --retries", "nothing says how often to try again");
    spec->retry_attempts = retries > 0 ? (uint32_t)retries + 1 : 0;
    return status;
}

int job_schedule_read(const struct cli *cli, const struct options *options, struct pool *pool,
                      struct soma_job_spec *spec)
{
    int status = value_time(cli, options, "at", &spec->not_before_ms);
    if (status == STATUS_OK)
        status = value_duration(cli, options, "delay", &spec->delay_ms);
    if (status == STATUS_OK && options_has(options, "delay") && spec->not_before_ms)
        return report_usage(cli, NULL, "--delay and --at exclude each other");
    if (status == STATUS_OK)
        status = value_duration(cli, options, "start-within", &spec->start_within_ms);
    if (status == STATUS_OK)
        status = read_after(cli, options, pool, spec);
    if (status == STATUS_OK)
        status = read_retry(cli, options, pool, spec);
    spec->dedupe_key = options_value(options, "dedupe");
    return status;
}

// --- for people

const char *job_wait_text(const struct soma_job *job, char text[WAIT_TEXT_SIZE])
{
    char time[UNITS_TEXT_SIZE];
    text[0] = '\0';
    switch (job->wait) {
    case SOMA_JOB_WAIT_NONE:
    case SOMA_JOB_WAIT_PLACE:
        break;
    case SOMA_JOB_WAIT_TIME:
        snprintf(text, WAIT_TEXT_SIZE, "at %s", format_time(time, job->next_attempt_ms));
        break;
    case SOMA_JOB_WAIT_BACKOFF:
        snprintf(text, WAIT_TEXT_SIZE, "attempt %u at %s", job->attempt + 1,
                 format_time(time, job->next_attempt_ms));
        break;
    case SOMA_JOB_WAIT_AFTER:
        snprintf(text, WAIT_TEXT_SIZE, "after other jobs");
        break;
    case SOMA_JOB_WAIT_QUEUE_PAUSED:
        snprintf(text, WAIT_TEXT_SIZE, "queue paused");
        break;
    case SOMA_JOB_WAIT_QUEUE_LIMIT:
        snprintf(text, WAIT_TEXT_SIZE, "queue at its limit");
        break;
    }
    return text;
}

static void print_ids(const char *name, const char *const *ids, size_t count, const char *what)
{
    for (size_t i = 0; i < count; i++)
        print_fact(name, "%s%s", ids[i], what);
}

static void print_retry(const struct soma_job_spec *spec)
{
    char first[UNITS_TEXT_SIZE], most[UNITS_TEXT_SIZE], reasons[400] = "";
    size_t used = 0;
    if (spec->retry_attempts < 2)
        return;
    for (size_t i = 0; i < spec->retry_reason_count && used < sizeof reasons; i++)
        used += (size_t)snprintf(reasons + used, sizeof reasons - used, "%s%s",
                                 i ? ", " : "; only after ",
                                 soma_job_reason_name(spec->retry_reasons[i]));
    print_fact("retries", "%u attempts, %s between them, times %g, up to %s%s",
               spec->retry_attempts, format_duration(first, spec->backoff_ms), spec->backoff_factor,
               format_duration(most, spec->backoff_max_ms), reasons);
}

static void print_attempt(const struct soma_job_attempt *attempt)
{
    char time[UNITS_TEXT_SIZE], took[UNITS_TEXT_SIZE], how[600];
    if (attempt->reason == SOMA_JOB_REASON_NONE)
        snprintf(how, sizeof how, "running");
    else if (attempt->reason == SOMA_JOB_REASON_EXITED)
        snprintf(how, sizeof how, "exit code %d", attempt->exit_code);
    else if (attempt->signal_number)
        snprintf(how, sizeof how, "signal %d", attempt->signal_number);
    else
        snprintf(how, sizeof how, "%s", soma_job_reason_name(attempt->reason));
    bool has_ended = attempt->finished_ms > 0 && attempt->started_ms > 0;
    job_outcome_add(how, sizeof how, attempt->message);
    print_fact("attempt", "%u: %s, started %s%s%s", attempt->attempt, how,
               format_time(time, attempt->started_ms), has_ended ? ", took " : "",
               has_ended ? format_age(took, attempt->finished_ms - attempt->started_ms) : "");
}

void job_schedule_print(const struct soma_job *job)
{
    const struct soma_job_spec *spec = &job->spec;
    char text[WAIT_TEXT_SIZE], time[UNITS_TEXT_SIZE];
    print_fact("waits", "%s", job_wait_text(job, text));
    print_ids("waits for", job->waiting_for, job->waiting_count, "");
    if (job->wait != SOMA_JOB_WAIT_AFTER)
        print_ids("after", spec->after, spec->after_count, "");
    if (spec->after_count)
        print_fact("after policy", "%s", soma_after_policy_name(spec->after_policy));
    print_fact("dedupe key", "%s", spec->dedupe_key ? spec->dedupe_key : "");
    print_fact("start by", "%s",
               spec->start_deadline_ms ? format_time(time, spec->start_deadline_ms) : "");
    print_retry(spec);
    for (size_t i = 0; i < job->attempt_count; i++)
        print_attempt(&job->attempts[i]);
}

// --- JSON

static void texts_at(struct json_out *out, const char *key, const char *const *texts, size_t count)
{
    out_key(out, key);
    out_begin(out, '[');
    for (size_t i = 0; i < count; i++)
        out_text(out, texts[i]);
    out_end(out, ']');
}

static void number_or_null_at(struct json_out *out, const char *key, int64_t number, bool is_there)
{
    out_key(out, key);
    if (is_there)
        out_int(out, number);
    else
        out_null(out);
}

static void attempt_to_json(struct json_out *out, const struct soma_job_attempt *attempt)
{
    bool has_reason = attempt->reason != SOMA_JOB_REASON_NONE;
    out_begin(out, '{');
    out_int_at(out, "attempt", attempt->attempt);
    out_text_at(out, "reason", has_reason ? soma_job_reason_name(attempt->reason) : NULL);
    number_or_null_at(out, "exit_code", attempt->exit_code, has_reason && attempt->exit_code >= 0);
    number_or_null_at(out, "signal", attempt->signal_number, attempt->signal_number != 0);
    out_text_at(out, "message", attempt->message);
    number_or_null_at(out, "started_unix_ms", attempt->started_ms, attempt->started_ms != 0);
    number_or_null_at(out, "finished_unix_ms", attempt->finished_ms, attempt->finished_ms != 0);
    out_end(out, '}');
}

void job_waits_to_json(struct json_out *out, const struct soma_job *job, bool with_history)
{
    bool waits = job->wait != SOMA_JOB_WAIT_NONE;
    out_text_at(out, "wait", waits ? soma_job_wait_name(job->wait) : NULL);
    number_or_null_at(out, "next_attempt_unix_ms", job->next_attempt_ms, job->next_attempt_ms != 0);
    if (!with_history)
        return;
    texts_at(out, "waiting_for", job->waiting_for, job->waiting_count);
    out_key(out, "attempts");
    out_begin(out, '[');
    for (size_t i = 0; i < job->attempt_count; i++)
        attempt_to_json(out, &job->attempts[i]);
    out_end(out, ']');
}

void job_schedule_to_json(struct json_out *out, const struct soma_job_spec *spec)
{
    number_or_null_at(out, "start_deadline_unix_ms", spec->start_deadline_ms,
                      spec->start_deadline_ms != 0);
    out_text_at(out, "dedupe_key", spec->dedupe_key);
    texts_at(out, "after", spec->after, spec->after_count);
    out_text_at(out, "after_policy",
                spec->after_count ? soma_after_policy_name(spec->after_policy) : NULL);
    out_key(out, "retry");
    if (spec->retry_attempts == 0) {
        out_null(out);
        return;
    }
    out_begin(out, '{');
    out_int_at(out, "max_attempts", spec->retry_attempts);
    out_int_at(out, "backoff_ms", spec->backoff_ms);
    out_key(out, "backoff_factor");
    out_double(out, spec->backoff_factor);
    out_int_at(out, "backoff_max_ms", spec->backoff_max_ms);
    out_key(out, "on_reasons");
    out_begin(out, '[');
    for (size_t i = 0; i < spec->retry_reason_count; i++)
        out_text(out, soma_job_reason_name(spec->retry_reasons[i]));
    out_end(out, ']');
    out_end(out, '}');
}
