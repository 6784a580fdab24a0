// queue …
#include <inttypes.h>
#include <stdio.h>

#include "cli/commands.h"
#include "cli/error.h"
#include "cli/list_out.h"
#include "cli/table.h"
#include "cli/units.h"
#include "cli/values.h"

enum {
    PAGE = 500,
};

// --- one queue

static void queue_to_json(struct json_out *out, const struct soma_queue *queue)
{
    out_begin(out, '{');
    out_text_at(out, "name", queue->name);
    out_bool_at(out, "paused", queue->is_paused);
    out_int_at(out, "max_running", queue->max_running);
    out_int_at(out, "keep_ms", queue->keep_ms);
    out_int_at(out, "keep_jobs", queue->keep_jobs);
    out_int_at(out, "keep_bytes", queue->keep_bytes);
    out_int_at(out, "queued_jobs", queue->queued_jobs);
    out_int_at(out, "running_jobs", queue->running_jobs);
    out_int_at(out, "finished_jobs", queue->finished_jobs);
    out_int_at(out, "output_bytes", queue->output_bytes);
    out_end(out, '}');
}

// "7d, 1000 jobs, 1.0 GiB"; "" where nothing bounds what is kept.
static const char *keep_text(const struct soma_queue *queue, char *text, size_t size)
{
    char part[UNITS_TEXT_SIZE];
    size_t used = 0;
    text[0] = '\0';
    if (queue->keep_ms)
        used = (size_t)snprintf(text, size, "%s", format_duration(part, queue->keep_ms));
    if (queue->keep_jobs)
        used += (size_t)snprintf(text + used, size - used, "%s%" PRId64 " jobs", used ? ", " : "",
                                 queue->keep_jobs);
    if (queue->keep_bytes)
        snprintf(text + used, size - used, "%s%s", used ? ", " : "",
                 format_size(part, queue->keep_bytes));
    return text;
}

static void print_queue(const struct soma_queue *queue)
{
    char keep[120], size[UNITS_TEXT_SIZE], limit[32] = "";
    if (queue->max_running)
        snprintf(limit, sizeof limit, "%u at once", queue->max_running);
    print_fact("name", "%s", queue->name);
    print_fact("state", "%s", queue->is_paused ? "paused" : "open");
    print_fact("limit", "%s", limit);
    print_fact("keeps", "%s", keep_text(queue, keep, sizeof keep));
    print_fact("queued", "%" PRId64, queue->queued_jobs);
    print_fact("running", "%" PRId64, queue->running_jobs);
    print_fact("finished", "%" PRId64 ", %s of output", queue->finished_jobs,
               format_size(size, queue->output_bytes));
}

static int show_queue(const struct cli *cli, struct soma_queue *queue)
{
    struct json_out out;
    if (cli->format == FORMAT_TABLE) {
        if (!cli->quiet)
            print_queue(queue);
    } else {
        value_begin(&out, cli);
        queue_to_json(&out, queue);
        value_end(&out);
    }
    soma_free(queue);
    return STATUS_OK;
}

static int run_show(struct cli *cli, const struct options *options)
{
    struct soma_queue_request request = SOMA_QUEUE_REQUEST_INIT;
    struct soma_queue *queue;
    struct soma_error err;
    int status = cli_connect(cli);
    if (status != STATUS_OK)
        return status;
    request.queue = options->operands[0];
    if (soma_queue_get(cli->client, &request, NULL, &queue, &err) != SOMA_OK)
        return report_error(cli, &err, "cannot show queue %s", request.queue);
    return show_queue(cli, queue);
}

// --- ls

static const struct table_column columns[] = {
    {"QUEUE", 30, false}, {"STATE", 0, false},   {"QUEUED", 0, true}, {"RUNNING", 0, true},
    {"LIMIT", 0, true},   {"FINISHED", 0, true}, {"KEEPS", 0, false},
};

static bool add_number(struct table *table, int64_t number)
{
    char text[32];
    snprintf(text, sizeof text, "%" PRId64, number);
    return table_add(table, text);
}

static bool add_queue(struct table *table, const struct soma_queue *queue)
{
    char keep[120];
    enum paint paint = queue->is_paused ? PAINT_BAD : PAINT_NONE;
    return table_add(table, queue->name) &&
           table_add_painted(table, queue->is_paused ? "paused" : "open", paint) &&
           add_number(table, queue->queued_jobs) && add_number(table, queue->running_jobs) &&
           (queue->max_running ? add_number(table, queue->max_running) : table_add(table, "-")) &&
           add_number(table, queue->finished_jobs) &&
           table_add(table, keep_text(queue, keep, sizeof keep));
}

static int print_page(const struct cli *cli, struct table *table, struct json_out *out,
                      const struct soma_queue_list *list)
{
    for (size_t i = 0; i < list->queue_count; i++) {
        if (cli->quiet) {
            puts(list->queues[i].name);
        } else if (cli->format == FORMAT_TABLE) {
            if (!add_queue(table, &list->queues[i]))
                return report_out_of_memory(cli);
        } else {
            queue_to_json(out, &list->queues[i]);
            list_item_end(out, cli);
        }
    }
    if (cli->format == FORMAT_TABLE && !cli->quiet)
        table_print(table, cli);
    return STATUS_OK;
}

static int list_queues(struct cli *cli, struct table *table, struct json_out *out)
{
    struct soma_queue_list_request request = SOMA_QUEUE_LIST_REQUEST_INIT;
    struct soma_queue_list *list = NULL, *next;
    struct soma_error err;
    int status = STATUS_OK;
    request.page_size = PAGE;
    do {
        request.cursor = list ? list->next_cursor : NULL;
        if (soma_queue_list(cli->client, &request, NULL, &next, &err) != SOMA_OK) {
            status = report_error(cli, &err, "cannot list queues");
            break;
        }
        soma_free(list);
        list = next;
        status = print_page(cli, table, out, list);
    } while (status == STATUS_OK && list->next_cursor);
    soma_free(list);
    return status;
}

static int run_ls(struct cli *cli, const struct options *options)
{
    struct table table;
    struct json_out out;
    bool is_json = cli->format != FORMAT_TABLE && !cli->quiet;
    (void)options;
    int status = cli_connect(cli);
    if (status != STATUS_OK)
        return status;
    table_init(&table, columns, sizeof columns / sizeof columns[0]);
    if (is_json)
        list_begin(&out, cli);
    status = list_queues(cli, &table, &out);
    if (is_json)
        list_end(&out, cli, status);
    table_fini(&table);
    return status;
}

// --- set, pause, resume

static int update(const struct cli *cli, struct soma_queue_update_request *request)
{
    struct soma_queue *queue;
    struct soma_error err;
    if (soma_queue_update(cli->client, request, NULL, &queue, &err) != SOMA_OK)
        return report_error(cli, &err, "cannot change queue %s", request->queue);
    return show_queue(cli, queue);
}

static int run_set(struct cli *cli, const struct options *options)
{
    struct soma_queue_update_request request = SOMA_QUEUE_UPDATE_REQUEST_INIT;
    int64_t max_running = 0, keep_ms = 0, keep_jobs = 0, keep_bytes = 0;
    int status = value_integer(cli, options, "max-running", 0, UINT32_MAX, &max_running);
    if (status == STATUS_OK)
        status = value_duration(cli, options, "keep", &keep_ms);
    if (status == STATUS_OK)
        status = value_integer(cli, options, "keep-jobs", 0, INT64_MAX, &keep_jobs);
    if (status == STATUS_OK)
        status = value_size(cli, options, "keep-size", &keep_bytes);
    if (status != STATUS_OK)
        return status;
    uint32_t limit = (uint32_t)max_running;
    request.queue = options->operands[0];
    request.max_running = options_has(options, "max-running") ? &limit : NULL;
    request.keep_ms = options_has(options, "keep") ? &keep_ms : NULL;
    request.keep_jobs = options_has(options, "keep-jobs") ? &keep_jobs : NULL;
    request.keep_bytes = options_has(options, "keep-size") ? &keep_bytes : NULL;
    if (!request.max_running && !request.keep_ms && !request.keep_jobs && !request.keep_bytes)
        return report_usage(cli, "soma help queue set", "nothing says what to set");
    status = cli_connect(cli);
    return status == STATUS_OK ? update(cli, &request) : status;
}

static int set_paused(struct cli *cli, const struct options *options, bool is_paused)
{
    int first_failure = STATUS_OK, status = cli_connect(cli);
    if (status != STATUS_OK)
        return status;
    for (size_t i = 0; i < options->operand_count; i++) {
        struct soma_queue_update_request request = SOMA_QUEUE_UPDATE_REQUEST_INIT;
        request.queue = options->operands[i];
        request.is_paused = &is_paused;
        status = update(cli, &request);
        first_failure = first_failure ? first_failure : status;
    }
    return first_failure;
}

static int run_pause(struct cli *cli, const struct options *options)
{
    return set_paused(cli, options, true);
}

static int run_resume(struct cli *cli, const struct options *options)
{
    return set_paused(cli, options, false);
}

// --- the rows

static const struct option set_options[] = {
    {"max-running", 0, "N", "jobs of the queue that run at once; 0: no limit", false},
    {"keep", 0, "DURATION", "finished jobs go this long after their end; 0: by their own time",
     false},
    {"keep-jobs", 0, "N", "finished jobs past this number go, the oldest first; 0: no limit",
     false},
    {"keep-size", 0, "SIZE", "the same past this much of kept output; 0: no limit", false},
    {0},
};

const struct command queue_commands[] = {
    {
        .name = "queue ls",
        .synopsis = "",
        .summary = "List queues that have jobs or settings",
        .examples = "soma queue ls\n"
                    "soma -o json queue ls | jq '.[] | select(.paused)'\n",
        .run = run_ls,
    },
    {
        .name = "queue show",
        .synopsis = "QUEUE",
        .summary = "Show a queue's settings and jobs",
        .examples = "soma queue show batch\n",
        .operands_min = 1,
        .operands_max = 1,
        .run = run_show,
    },
    {
        .name = "queue set",
        .synopsis = "OPTIONS QUEUE",
        .summary = "Change how many jobs of a queue run at once, and what it keeps",
        .examples = "soma queue set --max-running 2 gpu\n"
                    "soma queue set --keep 12h --keep-jobs 1000 --keep-size 10G batch\n",
        .details = "A queue is there by being used; settings may come before its first job.\n",
        .options = set_options,
        .operands_min = 1,
        .operands_max = 1,
        .run = run_set,
    },
    {
        .name = "queue pause",
        .synopsis = "QUEUE…",
        .summary = "Start no more jobs of queues; what runs goes on",
        .examples = "soma queue pause batch\n",
        .operands_min = 1,
        .operands_max = ANY_NUMBER,
        .run = run_pause,
    },
    {
        .name = "queue resume",
        .synopsis = "QUEUE…",
        .summary = "Start jobs of queues again",
        .examples = "soma queue resume batch\n",
        .operands_min = 1,
        .operands_max = ANY_NUMBER,
        .run = run_resume,
    },
    {0},
};
