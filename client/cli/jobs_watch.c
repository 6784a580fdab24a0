// watch: the table of jobs, kept up to date.
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/error.h"
#include "cli/job_print.h"
#include "cli/job_table.h"
#include "cli/list_out.h"
#include "cli/terminal.h"
#include "cli/values.h"

enum {
    JOBS_MAX = 1000, // the newest ones; what is older is forgotten
    POLL_MS = 1000,  // also between two drawings, as ages grow
    RETRY_MS = 500,
    ROWS_MAX = 500,
    FRAME_ROWS = 3, // the line above, the titles, the cursor's line
};

// A job as last seen, in the answer that brought it, which may bring others.
struct answer {
    struct answer *next;
    void *result;
    size_t users;
};

struct seen {
    const struct soma_job *job;
    struct answer *answer;
};

struct watching {
    struct cli *cli;
    struct soma_job_filter filter; // without its states
    unsigned states;               // bits 1 << state; 0: all
    struct job_order order;
    int64_t revision;
    struct seen seen[JOBS_MAX];
    size_t count;
    struct answer *answers; // owned
    bool is_lost;
    bool draws; // a table on a terminal; otherwise one line for each change
};

// Gives back the answers whose jobs are all of the past.
static void sweep(struct watching *watching)
{
    struct answer **at = &watching->answers;
    while (*at) {
        struct answer *answer = *at;
        if (answer->users > 0) {
            at = &answer->next;
            continue;
        }
        *at = answer->next;
        soma_free(answer->result);
        free(answer);
    }
}

static void forget(struct watching *watching, size_t i)
{
    watching->seen[i].answer->users--;
    watching->seen[i] = watching->seen[--watching->count];
}

static void forget_all(struct watching *watching)
{
    watching->count = 0;
    for (struct answer *answer = watching->answers; answer; answer = answer->next)
        answer->users = 0;
    sweep(watching);
}

static size_t find(const struct watching *watching, const char *id)
{
    size_t i = 0;
    while (i < watching->count && strcmp(watching->seen[i].job->id, id) != 0)
        i++;
    return i;
}

static size_t find_oldest(const struct watching *watching)
{
    size_t oldest = 0;
    for (size_t i = 1; i < watching->count; i++) {
        if (strcmp(watching->seen[i].job->id, watching->seen[oldest].job->id) < 0)
            oldest = i;
    }
    return oldest;
}

static void take_job(struct watching *watching, const struct soma_job *job, struct answer *answer)
{
    size_t i = find(watching, job->id);
    answer->users++;
    if (i < watching->count)
        forget(watching, i);
    if (watching->count == JOBS_MAX)
        forget(watching, find_oldest(watching));
    watching->seen[watching->count++] = (struct seen){job, answer};
}

static bool is_shown(const struct watching *watching, const struct soma_job *job)
{
    return watching->states == 0 || (watching->states >> job->state & 1) != 0;
}

static void print_change(const struct watching *watching, const struct soma_job *job)
{
    struct json_out out;
    struct table table;
    if (!is_shown(watching, job))
        return;
    if (watching->cli->format != FORMAT_TABLE) {
        value_begin(&out, watching->cli);
        job_to_json(&out, job, false);
        value_end(&out);
    } else {
        job_table_init(&table);
        table.titles_printed = true;
        if (job_table_add(&table, job))
            table_print(&table, watching->cli);
        table_fini(&table);
    }
    output_flush();
}

// The result's jobs, which live as long as one of them is the latest of its kind.
static int take_jobs(struct watching *watching, void *result, const struct soma_job *jobs,
                     size_t count, bool is_change)
{
    struct answer *answer = calloc(1, sizeof *answer);
    if (!answer) {
        soma_free(result);
        return report_out_of_memory(watching->cli);
    }
    *answer = (struct answer){.next = watching->answers, .result = result};
    watching->answers = answer;
    for (size_t i = 0; i < count; i++) {
        if (is_change && !watching->draws)
            print_change(watching, &jobs[i]);
        take_job(watching, &jobs[i], answer);
    }
    sweep(watching);
    return STATUS_OK;
}

// --- drawing

static size_t screen_rows(void)
{
    struct winsize size;
    bool is_known = ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row > FRAME_ROWS;
    size_t rows = is_known ? (size_t)size.ws_row - FRAME_ROWS : 20;
    return rows < ROWS_MAX ? rows : ROWS_MAX;
}

static size_t choose(const struct watching *watching, const struct soma_job *jobs[JOBS_MAX])
{
    size_t count = 0;
    for (size_t i = 0; i < watching->count; i++) {
        if (is_shown(watching, watching->seen[i].job))
            jobs[count++] = watching->seen[i].job;
    }
    job_order_apply(&watching->order, jobs, count);
    return count;
}

static void draw(const struct watching *watching)
{
    const struct soma_job *jobs[JOBS_MAX];
    struct table table;
    size_t count = choose(watching, jobs), rows = screen_rows();
    size_t running = 0, queued = 0;
    for (size_t i = 0; i < watching->count; i++) {
        running += watching->seen[i].job->state == SOMA_JOB_RUNNING;
        queued += watching->seen[i].job->state == SOMA_JOB_QUEUED;
    }
    job_table_init(&table);
    for (size_t i = 0; i < count && i < rows; i++)
        job_table_add(&table, jobs[i]);
    printf("\033[H\033[J%zu running, %zu queued, %zu shown%s\n", running, queued,
           count < rows ? count : rows, watching->is_lost ? "; the server does not answer" : "");
    table_print(&table, watching->cli);
    output_flush();
    table_fini(&table);
}

// --- asking

static int begin(struct watching *watching)
{
    struct soma_job_list_request request = SOMA_JOB_LIST_REQUEST_INIT;
    struct soma_job_list *list;
    struct soma_error err;
    request.filter = watching->filter;
    request.page_size = JOBS_MAX;
    if (soma_job_list(watching->cli->client, &request, NULL, &list, &err) != SOMA_OK)
        return report_error(watching->cli, &err, "cannot list jobs");
    watching->revision = list->revision;
    return take_jobs(watching, list, list->jobs, list->job_count, false);
}

static int take_changes(struct watching *watching, struct soma_job_changes *changes)
{
    watching->is_lost = false;
    if (changes->history_lost) {
        soma_free(changes);
        forget_all(watching);
        return begin(watching);
    }
    for (size_t i = 0; i < changes->removed_count; i++) {
        size_t at = find(watching, changes->removed_ids[i]);
        if (at < watching->count)
            forget(watching, at);
    }
    watching->revision = changes->revision;
    return take_jobs(watching, changes, changes->jobs, changes->job_count, true);
}

static int ask(struct watching *watching)
{
    struct soma_job_watch_request request = SOMA_JOB_WATCH_REQUEST_INIT;
    struct soma_job_changes *changes;
    struct soma_error err;
    request.since_revision = watching->revision;
    request.filter = watching->filter;
    request.page_size = ROWS_MAX;
    request.wait_ms = POLL_MS;
    if (soma_job_watch(watching->cli->client, &request, NULL, &changes, &err) == SOMA_OK)
        return take_changes(watching, changes);
    if (!error_is_passing(&err))
        return report_error(watching->cli, &err, "cannot watch jobs");
    if (!watching->is_lost && !watching->draws)
        notice(watching->cli, "the server does not answer (%s); trying again", err.text);
    watching->is_lost = true;
    poll(NULL, 0, RETRY_MS);
    return STATUS_OK;
}

static int run_watch(struct cli *cli, const struct options *options)
{
    static struct watching watching;
    struct pool pool = {0};
    watching = (struct watching){.cli = cli};
    int status = value_filter(cli, options, &pool, &watching.filter);
    if (status == STATUS_OK)
        status = job_order_read(cli, options, &watching.order);
    // States change: the server is asked for all, so that none is missed that leaves one.
    for (size_t i = 0; status == STATUS_OK && i < watching.filter.state_count; i++)
        watching.states |= 1u << watching.filter.states[i];
    watching.filter.state_count = 0;
    watching.draws = cli->format == FORMAT_TABLE && terminal_is_smart(STDOUT_FILENO);
    if (status == STATUS_OK)
        status = cli_connect(cli);
    if (status == STATUS_OK)
        status = begin(&watching);
    while (status == STATUS_OK && !ferror(stdout)) {
        if (watching.draws)
            draw(&watching);
        status = ask(&watching);
    }
    forget_all(&watching);
    pool_empty(&pool);
    return status;
}

static const struct option watch_options[] = {
    {"state", 's', "STATE", "only these states, with commas between them", true},
    {"queue", 0, "NAME", "only this queue", false},
    {"label", 'l', "KEY=VALUE", "only jobs with this label", true},
    {"parent", 0, "JOB", "only jobs that this job submitted", false},
    JOB_SORT_OPTION,
    {0},
};

const struct command job_watch_commands[] = {
    {
        .name = "watch",
        .synopsis = "[OPTIONS]",
        .summary = "Watch jobs until Ctrl-C",
        .examples = "soma watch --state queued,running\n"
                    "soma -o jsonl watch -l team=a\n",
        .details =
            "On a terminal it is a table of the newest jobs that stays up to date, otherwise one "
            "line for each change from now on.\n",
        .options = watch_options,
        .run = run_watch,
    },
    {0},
};
