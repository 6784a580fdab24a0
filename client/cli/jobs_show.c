// ps, show and logs.
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/error.h"
#include "cli/job_logs.h"
#include "cli/job_print.h"
#include "cli/job_schedule.h"
#include "cli/job_table.h"
#include "cli/list_out.h"
#include "cli/terminal.h"
#include "cli/units.h"
#include "cli/values.h"

enum {
    PS_DEFAULT = 20,
    PS_PAGE = 500,
};

// --- ps

// One listing under way.
struct listing {
    struct table table;
    struct json_out out;
    // Jobs still to print; below 0: all.
    int64_t left;
    // Of what comes in one answer, which is all unless there is a great deal.
    struct job_order order;
};

static int print_jobs(const struct cli *cli, struct listing *listing,
                      const struct soma_job_list *list)
{
    const struct soma_job *jobs[PS_PAGE];
    size_t count = list->job_count < PS_PAGE ? list->job_count : PS_PAGE;
    for (size_t i = 0; i < count; i++)
        jobs[i] = &list->jobs[i];
    job_order_apply(&listing->order, jobs, count);
    for (size_t i = 0; i < count && listing->left != 0; i++, listing->left--) {
        const struct soma_job *job = jobs[i];
        if (cli->quiet) {
            puts(job->id);
        } else if (cli->format == FORMAT_TABLE) {
            if (!job_table_add(&listing->table, job))
                return report_out_of_memory(cli);
        } else {
            job_to_json(&listing->out, job, false);
            list_item_end(&listing->out, cli);
        }
    }
    return STATUS_OK;
}

static int list_jobs(struct cli *cli, const struct soma_job_filter *filter, struct listing *listing)
{
    struct soma_job_list_request request = SOMA_JOB_LIST_REQUEST_INIT;
    struct soma_job_list *list = NULL, *next = NULL;
    struct soma_error err;
    int status = STATUS_OK;
    request.filter = *filter;
    do {
        bool is_short = listing->left >= 0 && listing->left < PS_PAGE;
        request.page_size = is_short ? (uint32_t)listing->left : PS_PAGE;
        request.cursor = list ? list->next_cursor : NULL;
        if (soma_job_list(cli->client, &request, NULL, &next, &err) != SOMA_OK) {
            status = report_error(cli, &err, "cannot list jobs");
            break;
        }
        soma_free(list);
        list = next;
        status = print_jobs(cli, listing, list);
        if (cli->format == FORMAT_TABLE && !cli->quiet)
            table_print(&listing->table, cli);
    } while (status == STATUS_OK && list->next_cursor && listing->left != 0);
    if (status == STATUS_OK && list && list->next_cursor && cli->format == FORMAT_TABLE)
        notice(cli, "there are older jobs; --all shows them");
    soma_free(list);
    return status;
}

static int run_ps(struct cli *cli, const struct options *options)
{
    struct soma_job_filter filter;
    struct listing listing = {.left = PS_DEFAULT};
    struct pool pool = {0};
    int status = value_filter(cli, options, &pool, &filter);
    if (status == STATUS_OK)
        status = value_integer(cli, options, "limit", 1, INT64_C(1) << 40, &listing.left);
    if (status == STATUS_OK)
        status = job_order_read(cli, options, &listing.order);
    if (status == STATUS_OK && options_has(options, "all") && options_has(options, "limit"))
        status = report_usage(cli, NULL, "--all and --limit exclude each other");
    if (options_has(options, "all"))
        listing.left = -1;
    if (status == STATUS_OK)
        status = cli_connect(cli);
    if (status == STATUS_OK) {
        bool is_json = cli->format != FORMAT_TABLE && !cli->quiet;
        job_table_init(&listing.table);
        if (is_json)
            list_begin(&listing.out, cli);
        status = list_jobs(cli, &filter, &listing);
        if (is_json)
            list_end(&listing.out, cli, status);
        table_fini(&listing.table);
    }
    pool_empty(&pool);
    return status;
}

// --- show

static void print_program(const struct soma_job_spec *spec)
{
    char line[2000];
    size_t length = 0;
    line[0] = '\0';
    for (size_t i = 0; i < spec->argument_count && length < sizeof line; i++)
        length += (size_t)snprintf(line + length, sizeof line - length, "%s%s", i ? " " : "",
                                   spec->arguments[i]);
    if (spec->language)
        print_fact("program", "%s, %zu bytes of source", spec->language, spec->source_length);
    print_fact(spec->language ? "arguments" : "command", "%s", line);
    for (size_t i = 0; i < spec->environment_count; i++)
        print_fact("environment", "%s=%s", spec->environment[i].key, spec->environment[i].value);
    for (size_t i = 0; i < spec->label_count; i++)
        print_fact("label", "%s=%s", spec->labels[i].key, spec->labels[i].value);
}

// The specification says -1 where there is to be none.
static int64_t or_zero(int64_t value)
{
    return value > 0 ? value : 0;
}

// What has no limit unless it is given one.
static void print_given_limits(const struct soma_job_spec *spec)
{
    char text[UNITS_TEXT_SIZE];
    if (spec->cpu_time_ms > 0)
        print_fact("limit", "CPU time %s", format_duration(text, spec->cpu_time_ms));
    if (spec->memory_bytes > 0)
        print_fact("limit", "memory %s", format_size(text, spec->memory_bytes));
    if (spec->processes > 0)
        print_fact("limit", "%" PRId64 " process%s at once", spec->processes,
                   spec->processes == 1 ? "" : "es");
    if (spec->disk_bytes > 0)
        print_fact("limit", "work directory %s", format_size(text, spec->disk_bytes));
    if (spec->file_bytes > 0)
        print_fact("limit", "each file %s", format_size(text, spec->file_bytes));
}

static void print_limits(const struct soma_job_spec *spec)
{
    char wall[UNITS_TEXT_SIZE], output[UNITS_TEXT_SIZE], grace[UNITS_TEXT_SIZE],
        keep[UNITS_TEXT_SIZE];
    print_fact("limits", "time %s, output %s a stream, %s between TERM and KILL",
               format_duration(wall, spec->wall_time_ms),
               format_size(output, or_zero(spec->output_bytes)),
               format_duration(grace, or_zero(spec->kill_grace_ms)));
    print_given_limits(spec);
    print_fact("kept", "%s after its end%s", format_duration(keep, or_zero(spec->keep_ms)),
               spec->idempotent ? "; idempotent" : "");
}

static void print_time(const char *name, int64_t unix_ms)
{
    char text[UNITS_TEXT_SIZE];
    print_fact(name, "%s", unix_ms ? format_time(text, unix_ms) : "");
}

static void print_size(const char *name, const struct soma_output_size *size)
{
    char kept[UNITS_TEXT_SIZE], dropped[64] = "";
    if (size->dropped_bytes)
        snprintf(dropped, sizeof dropped, ", %" PRId64 " bytes over the limit dropped",
                 size->dropped_bytes);
    print_fact(name, "%s%s", format_size(kept, size->kept_bytes), dropped);
}

static void print_use(const struct soma_job *job)
{
    char memory[UNITS_TEXT_SIZE];
    if (job->finished_ms && job->started_ms)
        print_fact("used", "%.2fs wall, %.2fs user, %.2fs system, %s of memory",
                   (double)job->wall_used_ms / 1000, (double)job->user_used_ms / 1000,
                   (double)job->system_used_ms / 1000, format_size(memory, job->peak_memory_bytes));
}

static void print_live(const struct soma_job *job)
{
    char memory[UNITS_TEXT_SIZE];
    if (job->state == SOMA_JOB_RUNNING && job->processes)
        print_fact("uses", "%" PRId64 " process%s, %s of memory, %.2fs of CPU so far",
                   job->processes, job->processes == 1 ? "" : "es",
                   format_size(memory, job->memory_bytes),
                   (double)(job->user_used_ms + job->system_used_ms) / 1000);
}

static void print_isolation(const struct soma_job *job)
{
    for (size_t i = 0; i < job->isolation_count; i++) {
        const struct soma_enforcement *row = &job->isolation[i];
        print_fact(row->enforced ? "enforced" : "NOT enforced", "%s: %s", row->name, row->detail);
    }
}

static void print_artifacts(const struct soma_job *job)
{
    char kept[UNITS_TEXT_SIZE], left_out[64] = "";
    if (job->artifacts_left_out)
        snprintf(left_out, sizeof left_out, ", %" PRId64 " left out", job->artifacts_left_out);
    if (job->artifact_count || job->artifacts_left_out ||
        (job->spec.artifact_count && soma_job_state_is_final(job->state)))
        print_fact("artifacts", "%u, %s%s", job->artifact_count,
                   format_size(kept, job->artifact_bytes), left_out);
}

static void print_job(const struct soma_job *job)
{
    char outcome[600];
    const struct soma_job_spec *spec = &job->spec;
    const char *said = job->progress.message;
    job_outcome(job, outcome, sizeof outcome);
    print_fact("id", "%s", job->id);
    if (job->parent_id[0])
        print_fact("parent", "%s%s", job->parent_id, spec->detached ? ", detached" : "");
    print_fact("name", "%s", spec->name ? spec->name : "");
    print_fact("state", "%s", outcome);
    if (job->progress.percent >= 0)
        print_fact("progress", "%d%%%s%s", (int)job->progress.percent, said ? " " : "",
                   said ? said : "");
    print_fact("queue", "%s, priority %d", spec->queue ? spec->queue : "default",
               (int)spec->priority);
    print_time("created", job->created_ms);
    print_time("not before", spec->not_before_ms);
    print_time("started", job->started_ms);
    print_time("cancelled", job->cancel_requested_ms);
    print_time("finished", job->finished_ms);
    job_schedule_print(job);
    print_program(spec);
    print_limits(spec);
    print_size("stdout", &job->stdout_size);
    print_size("stderr", &job->stderr_size);
    print_artifacts(job);
    print_use(job);
    print_live(job);
    print_isolation(job);
}

static int run_show(struct cli *cli, const struct options *options)
{
    struct json_out out;
    int first_failure = STATUS_OK;
    int status = cli_connect(cli);
    bool is_list = options->operand_count > 1 || cli->format == FORMAT_JSONL;
    if (status != STATUS_OK)
        return status;
    if (is_list)
        list_begin(&out, cli);
    else
        value_begin(&out, cli);
    for (size_t i = 0; i < options->operand_count; i++) {
        struct soma_job_request request = SOMA_JOB_REQUEST_INIT;
        struct soma_job *job;
        struct soma_error err;
        request.job_id = options->operands[i];
        if (soma_job_get(cli->client, &request, NULL, &job, &err) != SOMA_OK) {
            status = report_error(cli, &err, "cannot show job %s", request.job_id);
            first_failure = first_failure ? first_failure : status;
            continue;
        }
        if (cli->format == FORMAT_TABLE) {
            if (i)
                putchar('\n');
            print_job(job);
        } else {
            job_to_json(&out, job, true);
            if (is_list)
                list_item_end(&out, cli);
            else
                value_end(&out);
        }
        soma_free(job);
    }
    if (is_list && cli->format == FORMAT_JSON)
        list_end(&out, cli, first_failure);
    return first_failure;
}

// --- the rows

static const struct option ps_options[] = {
    {"all", 'a', NULL, "every job; otherwise the newest 20", false},
    {"limit", 'n', "N", "the newest N", false},
    {"state", 's', "STATE", "only these states, with commas between them", true},
    {"queue", 0, "NAME", "only this queue", false},
    {"label", 'l', "KEY=VALUE", "only jobs with this label", true},
    {"parent", 0, "JOB", "only jobs that this job submitted", false},
    JOB_SORT_OPTION,
    {0},
};

const struct command job_show_commands[] = {
    {
        .name = "ps",
        .synopsis = "[OPTIONS]",
        .summary = "List jobs, the newest first",
        .examples = "soma ps\n"
                    "soma ps --all --state running,queued\n"
                    "soma ps -q -l team=a | xargs soma cancel\n"
                    "soma ps --sort size -n 500\n",
        .details =
            "--sort orders what is listed: the newest 20, or those that -n names; of more than 500 "
            "jobs, each 500.\n",
        .options = ps_options,
        .run = run_ps,
    },
    {
        .name = "show",
        .synopsis = "ID…",
        .summary = "Show everything about jobs",
        .examples = "soma show $id\n"
                    "soma -o json show $id | jq .state\n",
        .operands_min = 1,
        .operands_max = ANY_NUMBER,
        .run = run_show,
    },
    {
        .name = "logs",
        .synopsis = "[OPTIONS] ID",
        .summary = "Print a job's output, its stdout on stdout and its stderr on stderr",
        .examples = "soma logs $id\n"
                    "soma logs -f --tail 20 $id\n"
                    "soma logs --since 10m --timestamps $id\n"
                    "soma logs --stdout --offset 4096 $id\n",
        .details = "Both streams come in the order in which the job wrote them, as far as its "
                   "pipes tell: what "
                   "is written within\na few milliseconds may change places.\n",
        .options = job_logs_options,
        .operands_min = 1,
        .operands_max = 1,
        .run = run_logs,
    },
    {0},
};
