#include "cli/job_table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/error.h"
#include "cli/job_print.h"
#include "cli/job_schedule.h"
#include "cli/units.h"

static const struct table_column columns[] = {
    {"ID", 0, false},    {"STATE", 0, false}, {"QUEUE", 10, false},
    {"NAME", 20, false}, {"AGE", 0, true},    {"PROGRESS OR WAIT", 0, false},
};

void job_table_init(struct table *table)
{
    table_init(table, columns, sizeof columns / sizeof columns[0]);
}

bool job_table_add(struct table *table, const struct soma_job *job)
{
    char age[UNITS_TEXT_SIZE], wait[WAIT_TEXT_SIZE], progress[300];
    snprintf(progress, sizeof progress, "%s", job_wait_text(job, wait));
    format_age(age, wall_ms() - job->created_ms);
    if (job->progress.percent >= 0)
        snprintf(progress, sizeof progress, "%d%% %s", (int)job->progress.percent,
                 job->progress.message ? job->progress.message : "");
    return table_add(table, job->id) &&
           table_add_painted(table, soma_job_state_name(job->state), job_state_paint(job->state)) &&
           table_add(table, job->spec.queue) && table_add(table, job->spec.name) &&
           table_add(table, age) && table_add(table, progress);
}

// --- order; what is equal stands with the newest first

static int newest(const struct soma_job *a, const struct soma_job *b)
{
    return strcmp(b->id, a->id);
}

static int by_newest(const void *a, const void *b)
{
    return newest(*(const struct soma_job *const *)a, *(const struct soma_job *const *)b);
}

static int by_oldest(const void *a, const void *b)
{
    return -by_newest(a, b);
}

static int by_state(const void *a, const void *b)
{
    const struct soma_job *one = *(const struct soma_job *const *)a,
                          *two = *(const struct soma_job *const *)b;
    return one->state != two->state ? (int)one->state - (int)two->state : newest(one, two);
}

static int compare_texts(const char *one, const char *two)
{
    return strcmp(one ? one : "", two ? two : "");
}

static int by_name(const void *a, const void *b)
{
    const struct soma_job *one = *(const struct soma_job *const *)a,
                          *two = *(const struct soma_job *const *)b;
    int order = compare_texts(one->spec.name, two->spec.name);
    return order ? order : newest(one, two);
}

static int by_queue(const void *a, const void *b)
{
    const struct soma_job *one = *(const struct soma_job *const *)a,
                          *two = *(const struct soma_job *const *)b;
    int order = compare_texts(one->spec.queue, two->spec.queue);
    return order ? order : newest(one, two);
}

static int64_t size_of(const struct soma_job *job)
{
    return job->stdout_size.kept_bytes + job->stderr_size.kept_bytes + job->artifact_bytes;
}

static int by_size(const void *a, const void *b)
{
    const struct soma_job *one = *(const struct soma_job *const *)a,
                          *two = *(const struct soma_job *const *)b;
    int64_t difference = size_of(two) - size_of(one);
    return difference > 0 ? 1 : difference < 0 ? -1 : newest(one, two);
}

static const struct {
    const char *name;
    int (*compare)(const void *a, const void *b);
} orders[] = {
    {"newest", by_newest}, {"oldest", by_oldest}, {"state", by_state},
    {"name", by_name},     {"queue", by_queue},   {"size", by_size},
};

int job_order_read(const struct cli *cli, const struct options *options,
                   struct job_order *ret_order)
{
    const char *text = options_value(options, "sort");
    ret_order->compare = NULL;
    if (!text)
        return STATUS_OK;
    for (size_t i = 0; i < sizeof orders / sizeof orders[0]; i++) {
        if (strcmp(orders[i].name, text) == 0) {
            ret_order->compare = orders[i].compare;
            return STATUS_OK;
        }
    }
    return report_usage(cli, "write newest, oldest, state, name, queue or size",
                        "option --sort: '%s' is no order", text);
}

void job_order_apply(const struct job_order *order, const struct soma_job **jobs, size_t count)
{
    qsort(jobs, count, sizeof *jobs, order->compare ? order->compare : by_newest);
}
