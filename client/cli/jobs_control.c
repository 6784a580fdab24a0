// wait, cancel, retry, rm and prune.
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/error.h"
#include "cli/job_print.h"
#include "cli/job_progress.h"
#include "cli/list_out.h"
#include "cli/terminal.h"
#include "cli/units.h"
#include "cli/values.h"

enum {
    POLL_MS = 30 * 1000,
    RETRY_MS = 500,
    // More than the server takes, so that it is the server who says what its limit is.
    NOTE_SIZE = 1024,
};

// One job that is waited for.
struct waiting {
    struct cli *cli;
    const char *job_id;
    // Of now_ms; INT64_MAX: no end.
    int64_t deadline_ms;
    bool was_reached;
    bool is_lost;
};

// One long poll. *ret_job NULL: the server is away and will be asked again.
static int poll_job(struct waiting *waiting, struct soma_job **ret_job)
{
    struct soma_job_wait_request request = SOMA_JOB_WAIT_REQUEST_INIT;
    struct soma_call_options options = SOMA_CALL_OPTIONS_INIT;
    struct soma_error err;
    int64_t left = waiting->deadline_ms - now_ms();
    request.job_id = waiting->job_id;
    request.wait_ms = (uint32_t)(left < 0 ? 0 : left < POLL_MS ? left : POLL_MS);
    options.timeout_ms = POLL_MS;
    options.max_attempts = waiting->was_reached ? 1 : 0;
    if (soma_job_wait(waiting->cli->client, &request, &options, ret_job, &err) == SOMA_OK) {
        if (waiting->is_lost)
            notice(waiting->cli, "the server is back");
        waiting->was_reached = true;
        waiting->is_lost = false;
        return STATUS_OK;
    }
    if (!waiting->was_reached || !error_is_passing(&err))
        return report_error(waiting->cli, &err, "cannot wait for job %s", waiting->job_id);
    if (!waiting->is_lost)
        notice(waiting->cli, "the server does not answer (%s); waiting for it", err.text);
    waiting->is_lost = true;
    *ret_job = NULL;
    poll(NULL, 0, RETRY_MS);
    return STATUS_OK;
}

// Waits until the job is final. *ret_job is NULL unless the status is 0.
static int wait_for(struct waiting *waiting, struct soma_job **ret_job)
{
    *ret_job = NULL;
    for (;;) {
        struct soma_job *job;
        int status = poll_job(waiting, &job);
        if (status != STATUS_OK)
            return status;
        if (job && soma_job_state_is_final(job->state)) {
            *ret_job = job;
            return STATUS_OK;
        }
        soma_free(job);
        if (now_ms() >= waiting->deadline_ms)
            return report_failure(waiting->cli, STATUS_STILL_RUNNING, NULL,
                                  "cannot wait for job %s: not finished within --timeout",
                                  waiting->job_id);
    }
}

static int run_wait(struct cli *cli, const struct options *options)
{
    int64_t timeout_ms = cli->timeout_ms;
    int first_failure = STATUS_OK;
    struct json_out out;
    bool is_json = cli->format != FORMAT_TABLE;
    // For one call the library's own time is right; --timeout is for the jobs.
    cli->timeout_ms = 0;
    int status = cli_connect(cli);
    if (status != STATUS_OK)
        return status;
    int64_t deadline_ms = timeout_ms ? now_ms() + timeout_ms : INT64_MAX;
    if (is_json)
        list_begin(&out, cli);
    for (size_t i = 0; i < options->operand_count; i++) {
        struct waiting waiting = {cli, options->operands[i], deadline_ms, false, false};
        struct soma_job *job;
        status = wait_for(&waiting, &job);
        if (status == STATUS_OK)
            status = soma_job_exit_status(job);
        if (job && is_json) {
            job_to_json(&out, job, false);
            list_item_end(&out, cli);
        } else if (!is_json && options->operand_count > 1) {
            printf("%d\n", status);
        }
        first_failure = first_failure ? first_failure : status;
        soma_free(job);
    }
    if (is_json)
        list_end(&out, cli, first_failure);
    return first_failure;
}

// --- one after the other

// Does one thing to one job; gives the job, or NULL where there is none to show.
typedef int job_action(struct cli *cli, const struct options *options, const char *job_id,
                       struct soma_job **ret_job);

static void print_line(const struct cli *cli, const struct soma_job *job, const char *job_id,
                       const char *done)
{
    if (cli->quiet)
        puts(job_id);
    else if (job && soma_job_state_is_final(job->state) && !job->cancel_requested_ms)
        printf("%s is over, %s; jobs that it submitted are asked to end\n", job_id,
               soma_job_state_name(job->state));
    else if (job)
        printf("%s %s, now %s\n", done, job_id, soma_job_state_name(job->state));
    else
        printf("%s %s\n", done, job_id);
}

// Exit status of the first that failed; the others are done all the same.
static int for_each_job(struct cli *cli, const struct options *options, job_action *action,
                        const char *done)
{
    struct json_out out;
    bool is_json = cli->format != FORMAT_TABLE;
    int first_failure = STATUS_OK, status = cli_connect(cli);
    if (status != STATUS_OK)
        return status;
    if (is_json)
        list_begin(&out, cli);
    for (size_t i = 0; i < options->operand_count; i++) {
        const char *job_id = options->operands[i];
        struct soma_job *job = NULL;
        status = action(cli, options, job_id, &job);
        if (status == STATUS_OK && !is_json)
            print_line(cli, job, job_id, done);
        if (status == STATUS_OK && is_json) {
            if (job)
                job_to_json(&out, job, false);
            else
                out_text(&out, job_id);
            list_item_end(&out, cli);
        }
        soma_free(job);
        first_failure = first_failure ? first_failure : status;
    }
    if (is_json)
        list_end(&out, cli, first_failure);
    return first_failure;
}

static int cancel_one(struct cli *cli, const struct options *options, const char *job_id,
                      struct soma_job **ret_job)
{
    struct soma_job_cancel_request request = SOMA_JOB_CANCEL_REQUEST_INIT;
    struct soma_error err;
    request.job_id = job_id;
    const char *why = options_value(options, "note");
    char asker[ASKER_SIZE], note[NOTE_SIZE];
    snprintf(note, sizeof note, "%s%s%s", why ? why : "", why ? ", " : "", asker_name(asker));
    request.note = note;
    request.force = options_has(options, "force");
    if (soma_job_cancel(cli->client, &request, NULL, ret_job, &err) != SOMA_OK)
        return report_error(cli, &err, "cannot cancel job %s", job_id);
    if (!options_has(options, "wait"))
        return STATUS_OK;
    struct waiting waiting = {cli, job_id, INT64_MAX, true, false};
    soma_free(*ret_job);
    return wait_for(&waiting, ret_job);
}

static int run_cancel(struct cli *cli, const struct options *options)
{
    return for_each_job(cli, options, cancel_one, "asked for the end of");
}

static int retry_one(struct cli *cli, const struct options *options, const char *job_id,
                     struct soma_job **ret_job)
{
    struct soma_job_request request = SOMA_JOB_REQUEST_INIT;
    struct soma_error err;
    (void)options;
    request.job_id = job_id;
    if (soma_job_retry(cli->client, &request, NULL, ret_job, &err) != SOMA_OK)
        return report_error(cli, &err, "cannot retry job %s", job_id);
    return STATUS_OK;
}

static int run_retry(struct cli *cli, const struct options *options)
{
    return for_each_job(cli, options, retry_one, "queued again");
}

static int remove_one(struct cli *cli, const struct options *options, const char *job_id,
                      struct soma_job **ret_job)
{
    struct soma_job_request request = SOMA_JOB_REQUEST_INIT;
    struct soma_job_removed *removed;
    struct soma_error err;
    (void)options;
    (void)ret_job;
    request.job_id = job_id;
    if (soma_job_delete(cli->client, &request, NULL, &removed, &err) != SOMA_OK)
        return report_error(cli, &err, "cannot remove job %s", job_id);
    soma_free(removed);
    return STATUS_OK;
}

static int run_rm(struct cli *cli, const struct options *options)
{
    return for_each_job(cli, options, remove_one, "removed");
}

// --- prune

// more: of a dry run, which counts so many at most.
static void print_pruned(const struct cli *cli, int64_t count, int64_t freed_bytes, bool dry_run,
                         bool more)
{
    struct json_out out;
    char size[UNITS_TEXT_SIZE];
    if (cli->format == FORMAT_TABLE) {
        printf("%s%s %" PRId64 " %s, %s\n", dry_run ? "would remove" : "removed",
               more ? " at least" : "", count, count == 1 ? "job" : "jobs",
               format_size(size, freed_bytes));
        return;
    }
    value_begin(&out, cli);
    out_begin(&out, '{');
    out_int_at(&out, "removed_count", count);
    out_int_at(&out, "freed_bytes", freed_bytes);
    out_bool_at(&out, "dry_run", dry_run);
    out_end(&out, '}');
    value_end(&out);
}

static int prune(struct cli *cli, struct soma_job_prune_request *request)
{
    int64_t count = 0, freed_bytes = 0;
    bool has_more = true, is_least = false;
    int status = STATUS_OK;
    request->max_jobs = 10000;
    while (has_more && status == STATUS_OK) {
        struct soma_job_removed *removed;
        struct soma_error err;
        if (soma_job_prune(cli->client, request, NULL, &removed, &err) != SOMA_OK) {
            status = report_error(cli, &err, "cannot remove jobs");
            break;
        }
        count += removed->removed_count;
        freed_bytes += removed->freed_bytes;
        // A dry run counts the same jobs again and again.
        is_least = removed->more && request->dry_run;
        has_more = removed->more && !request->dry_run && removed->removed_count > 0;
        soma_free(removed);
    }
    if (status == STATUS_OK || count)
        print_pruned(cli, count, freed_bytes, request->dry_run, is_least);
    return status;
}

static int run_prune(struct cli *cli, const struct options *options)
{
    struct soma_job_prune_request request = SOMA_JOB_PRUNE_REQUEST_INIT;
    struct pool pool = {0};
    int status = value_filter(cli, options, &pool, &request.filter);
    if (status == STATUS_OK)
        status = value_duration(cli, options, "older-than", &request.older_than_ms);
    for (size_t i = 0; status == STATUS_OK && i < request.filter.state_count; i++) {
        if (!soma_job_state_is_final(request.filter.states[i]))
            status = report_usage(cli, "'soma cancel' ends others",
                                  "option --state: only jobs that have ended are removed");
    }
    request.dry_run = options_has(options, "dry-run");
    if (status == STATUS_OK)
        status = cli_connect(cli);
    if (status == STATUS_OK)
        status = prune(cli, &request);
    pool_empty(&pool);
    return status;
}

// --- the rows

static const struct option cancel_options[] = {
    {"force", 'f', NULL, "KILL at once, without the grace", false},
    {"note", 0, "TEXT", "why; kept in the job's message with who asks, and where", false},
    {"wait", 'w', NULL, "until the jobs have ended", false},
    {0},
};

static const struct option prune_options[] = {
    {"older-than", 0, "DURATION", "only jobs that finished so long ago", false},
    {"state", 's', "STATE", "only these states, with commas between them", true},
    {"queue", 0, "NAME", "only this queue", false},
    {"label", 'l', "KEY=VALUE", "only jobs with this label", true},
    {"dry-run", 'n', NULL, "only count", false},
    {0},
};

const struct command job_control_commands[] = {
    {
        .name = "wait",
        .synopsis = "ID…",
        .summary = "Wait for jobs and exit as they do",
        .examples = "soma wait $id; echo $?\n"
                    "soma wait --timeout 10m $id\n",
        .details = "Exits with the job's exit code. With several jobs it prints each one's, and "
                   "exits with the first that is\nnot 0. Exits with 8 where --timeout was over "
                   "before the job.\n",
        .operands_min = 1,
        .operands_max = ANY_NUMBER,
        .run = run_wait,
        .speaks_for_job = true,
    },
    {
        .name = "cancel",
        .synopsis = "[OPTIONS] ID…",
        .summary = "End jobs with everything that they started",
        .examples = "soma cancel $id\n"
                    "soma cancel --wait --note 'wrong data' $id\n",
        .options = cancel_options,
        .operands_min = 1,
        .operands_max = ANY_NUMBER,
        .run = run_cancel,
    },
    {
        .name = "retry",
        .synopsis = "ID…",
        .summary = "Queue finished jobs again, each as a new attempt",
        .examples = "soma retry $id\n",
        .operands_min = 1,
        .operands_max = ANY_NUMBER,
        .run = run_retry,
    },
    {
        .name = "rm",
        .synopsis = "ID…",
        .summary = "Remove finished jobs with their output",
        .examples = "soma rm $id\n",
        .operands_min = 1,
        .operands_max = ANY_NUMBER,
        .run = run_rm,
    },
    {
        .name = "prune",
        .synopsis = "[OPTIONS]",
        .summary = "Remove all finished jobs, or some of them",
        .examples = "soma prune --dry-run\n"
                    "soma prune --older-than 24h --state succeeded\n",
        .options = prune_options,
        .run = run_prune,
    },
    {
        .name = "progress",
        .synopsis = "[OPTIONS] PERCENT [MESSAGE]",
        .summary = "Report how far a job is; from inside it, or with --job",
        .examples = "soma progress 40 'epoch 4/10'\n"
                    "soma progress --job $id 75\n",
        .details = "Without --job it writes to $SOMA_PROGRESS, which SOMA sets for every job.\n",
        .options = job_progress_options,
        .operands_min = 1,
        .operands_max = 2,
        .run = run_progress,
    },
    {0},
};
