// top: queues, running jobs, rates and collections, on a whole screen.
#include "cli/top.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/error.h"
#include "cli/terminal.h"
#include "cli/values.h"

enum {
    ROWS_MAX = 200, // more fit on no screen
    CALL_MS = 2000, // who looks does not wait longer
};

// What it shows, and what has to be given back.
struct top {
    struct cli *cli;
    int64_t interval_ms;
    struct top_view view;
    struct soma_server_info *info;
    struct soma_queue_list *queues;
    struct soma_job_list *jobs;
    struct soma_collection_list *collections;
};

// Where a figure of GetStats goes.
static const struct {
    const char *name;
    size_t offset;
} figures[] = {
    {"jobs_running", offsetof(struct top_figures, running)},
    {"jobs_queued", offsetof(struct top_figures, queued)},
    {"jobs_succeeded", offsetof(struct top_figures, finished)},
    {"jobs_failed", offsetof(struct top_figures, failed)},
    {"jobs_timed_out", offsetof(struct top_figures, failed)},
    {"jobs_lost", offsetof(struct top_figures, failed)},
    {"records", offsetof(struct top_figures, records)},
    {"vectors_memory_bytes", offsetof(struct top_figures, memory_bytes)},
    {"rpc_requests", offsetof(struct top_figures, calls)},
    {"rpc_errors", offsetof(struct top_figures, errors)},
};

static void take_stats(struct top *top, const struct soma_server_stats *stats)
{
    struct top_figures now = {.at_ms = now_ms()};
    for (size_t i = 0; i < stats->stat_count; i++) {
        for (size_t j = 0; j < sizeof figures / sizeof figures[0]; j++) {
            if (strcmp(stats->stats[i].name, figures[j].name) == 0)
                *(int64_t *)((char *)&now + figures[j].offset) += stats->stats[i].value;
        }
    }
    top->view.before = top->view.now;
    top->view.now = now;
}

static enum soma_code ask_figures(struct top *top, const struct soma_call_options *options,
                                  struct soma_error *err)
{
    struct soma_empty_request nothing = SOMA_EMPTY_REQUEST_INIT;
    struct soma_server_stats *stats;
    struct soma_server_info *info;
    enum soma_code code = soma_server_stats(top->cli->client, &nothing, options, &stats, err);
    if (code != SOMA_OK)
        return code;
    take_stats(top, stats);
    soma_free(stats);
    code = soma_server_info(top->cli->client, &nothing, options, &info, err);
    if (code == SOMA_OK) {
        soma_free(top->info);
        top->info = info;
    }
    return code;
}

static enum soma_code ask_jobs(struct top *top, const struct soma_call_options *options,
                               struct soma_error *err)
{
    static const enum soma_job_state running = SOMA_JOB_RUNNING;
    struct soma_queue_list_request queue_request = SOMA_QUEUE_LIST_REQUEST_INIT;
    struct soma_job_list_request request = SOMA_JOB_LIST_REQUEST_INIT;
    struct soma_queue_list *queues;
    struct soma_job_list *jobs;
    queue_request.page_size = request.page_size = ROWS_MAX;
    request.filter.states = &running;
    request.filter.state_count = 1;
    enum soma_code code = soma_queue_list(top->cli->client, &queue_request, options, &queues, err);
    if (code != SOMA_OK)
        return code;
    soma_free(top->queues);
    top->queues = queues;
    code = soma_job_list(top->cli->client, &request, options, &jobs, err);
    if (code == SOMA_OK) {
        soma_free(top->jobs);
        top->jobs = jobs;
    }
    return code;
}

static enum soma_code ask_collections(struct top *top, const struct soma_call_options *options,
                                      struct soma_error *err)
{
    struct soma_collection_list_request request = SOMA_COLLECTION_LIST_REQUEST_INIT;
    struct soma_collection_list *collections;
    request.page_size = ROWS_MAX;
    enum soma_code code =
        soma_collection_list(top->cli->client, &request, options, &collections, err);
    if (code == SOMA_OK) {
        soma_free(top->collections);
        top->collections = collections;
    }
    return code;
}

// Asks for everything; what was known stays where the server does not answer.
static enum soma_code look(struct top *top, struct soma_error *err)
{
    static enum soma_code (*const questions[])(struct top *, const struct soma_call_options *,
                                               struct soma_error *) = {ask_figures, ask_jobs,
                                                                       ask_collections};
    struct soma_call_options options = SOMA_CALL_OPTIONS_INIT;
    enum soma_code code = SOMA_OK;
    options.timeout_ms = top->cli->timeout_ms ? top->cli->timeout_ms : CALL_MS;
    for (size_t i = 0; i < sizeof questions / sizeof questions[0] && code == SOMA_OK; i++)
        code = questions[i](top, &options, err);
    top->view.info = top->info;
    top->view.queues = top->queues;
    top->view.jobs = top->jobs;
    top->view.collections = top->collections;
    snprintf(top->view.trouble, sizeof top->view.trouble, "%s", code == SOMA_OK ? "" : err->text);
    return code;
}

static int watch(struct top *top)
{
    struct soma_error err;
    // What is wrong from the begin is said in a line, not on a screen.
    if (look(top, &err) != SOMA_OK)
        return report_error(top->cli, &err, "cannot show the server");
    if (!screen_open())
        return report_usage(top->cli, "set TERM to what the terminal is",
                            "top: this terminal is not known");
    enum soma_code code = SOMA_OK;
    do {
        screen_draw(&top->view);
        if (!screen_wait(&top->view, top->interval_ms))
            break;
        code = look(top, &err);
    } while (code == SOMA_OK || error_is_passing(&err));
    screen_close();
    return code == SOMA_OK || error_is_passing(&err)
               ? STATUS_OK
               : report_error(top->cli, &err, "cannot show the server");
}

static int run_top(struct cli *cli, const struct options *options)
{
    struct top top = {.cli = cli, .interval_ms = 1000};
    int status = value_duration(cli, options, "interval", &top.interval_ms);
    if (status != STATUS_OK)
        return status;
    if (top.interval_ms < 100 || top.interval_ms > 3600000)
        return report_usage(cli, NULL, "option --interval: between 100ms and 1h");
    if (cli->format != FORMAT_TABLE || !terminal_is_smart(STDOUT_FILENO) || !isatty(STDIN_FILENO))
        return report_usage(cli, "for programs there are 'soma -o jsonl watch' and 'soma stats'",
                            "top needs a terminal");
    status = cli_connect(cli);
    if (status != STATUS_OK)
        return status;
    top.view.server = soma_client_server(cli->client);
    status = watch(&top);
    soma_free(top.info);
    soma_free(top.queues);
    soma_free(top.jobs);
    soma_free(top.collections);
    return status;
}

static const struct option top_options[] = {
    {"interval", 0, "DURATION", "between two looks (1s)", false},
    {0},
};

const struct command top_commands[] = {
    {
        .name = "top",
        .synopsis = "[OPTIONS]",
        .summary = "Show queues, running jobs, rates and collections until q",
        .examples = "soma top\n"
                    "soma --namespace team-a top --interval 5s\n",
        .details = "It takes the whole terminal, follows its size, and gives it back as it was. "
                   "Rates are those since\nthe look before. 'soma watch' is about single jobs: "
                   "also finished ones, by state, queue or label.\n",
        .options = top_options,
        .run = run_top,
    },
    {0},
};
