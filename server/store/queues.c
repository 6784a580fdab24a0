#include "store/queues.h"

#include <string.h>

#include "store/job_counters.h"
#include "store/queue_rows.h"
#include "wire/limits.h"

static const char SQL_LIST[] =
    "SELECT " QUEUE_COLUMNS " FROM job_queue WHERE name > ?1 AND name < ?3 "
    "AND (?4 OR instr(name, '/') = 0) ORDER BY name LIMIT ?2";
static const char SQL_GET[] = "SELECT " QUEUE_COLUMNS " FROM job_queue WHERE name = ?1";

void queue_row_read(const struct query *query, struct queue_values *ret_values)
{
    *ret_values = (struct queue_values){
        .settings =
            {
                .paused = query_int(query, QUEUE_COLUMN_PAUSED) != 0,
                .max_running = query_int(query, QUEUE_COLUMN_MAX_RUNNING),
                .keep_ms = query_int(query, QUEUE_COLUMN_KEEP_MS),
                .keep_jobs = query_int(query, QUEUE_COLUMN_KEEP_JOBS),
                .keep_bytes = query_int(query, QUEUE_COLUMN_KEEP_BYTES),
            },
        .output_bytes = query_int(query, QUEUE_COLUMN_OUTPUT),
    };
    for (int state = 1; state < JOB_STATE_COUNT; state++)
        ret_values->count_of[state] = query_int(query, QUEUE_COLUMN_COUNTS + state - 1);
}

void queue_row_bind(struct query *query, const struct queue_values *values)
{
    const struct queue_settings *settings = &values->settings;
    query_bind_int(query, 1 + QUEUE_COLUMN_PAUSED, settings->paused);
    query_bind_int(query, 1 + QUEUE_COLUMN_MAX_RUNNING, settings->max_running);
    query_bind_int(query, 1 + QUEUE_COLUMN_KEEP_MS, settings->keep_ms);
    query_bind_int(query, 1 + QUEUE_COLUMN_KEEP_JOBS, settings->keep_jobs);
    query_bind_int(query, 1 + QUEUE_COLUMN_KEEP_BYTES, settings->keep_bytes);
    for (int state = 1; state < JOB_STATE_COUNT; state++)
        query_bind_int(query, QUEUE_COLUMN_COUNTS + state, values->count_of[state]);
    query_bind_int(query, 1 + QUEUE_COLUMN_OUTPUT, values->output_bytes);
}

static void take_values(const struct queue_values *values, const char *name,
                        struct queue *ret_queue)
{
    *ret_queue = (struct queue){
        .name = name, .settings = values->settings, .output_bytes = values->output_bytes};
    memcpy(ret_queue->count_of, values->count_of, sizeof ret_queue->count_of);
}

enum soma_code queue_store_list(struct store_txn *txn, const struct name_range *range, size_t max,
                                struct arena *arena, struct queue_list *ret_list,
                                struct soma_error *err)
{
    struct queue_list list = {.rows = arena_calloc(arena, max + 1, sizeof *list.rows)};
    if (!list.rows)
        return error_set_no_memory(err);
    QUERY_CLEANUP struct query query;
    query_begin(&query, txn, SQL_LIST);
    query_bind_text(&query, 1, range->after);
    query_bind_int(&query, 2, (int64_t)max + 1);
    query_bind_text(&query, 3, range->before);
    query_bind_int(&query, 4, range->others_too);
    for (;;) {
        bool row = false;
        enum soma_code code = query_next(&query, &row, err);
        if (code != SOMA_OK)
            return code;
        list.more = row && list.count == max;
        if (!row || list.more)
            break;
        const char *name = query_copy_text(&query, QUEUE_COLUMN_NAME, arena);
        if (!name)
            return error_set_no_memory(err);
        struct queue_values values;
        queue_row_read(&query, &values);
        take_values(&values, name, &list.rows[list.count++]);
    }
    *ret_list = list;
    return SOMA_OK;
}

static enum soma_code peek(struct store_txn *txn, const char *name, struct queue *ret_queue,
                           bool *ret_found, struct soma_error *err)
{
    struct queue_values values = {0};
    enum soma_code code;
    if (txn->counters) {
        struct job_counters *counters;
        code = counters_get(txn, &counters, err);
        const struct queue_node *node = code == SOMA_OK ? counters_find(counters, name) : NULL;
        *ret_found = node != NULL;
        if (node)
            values = node->now;
    } else {
        QUERY_CLEANUP struct query query;
        query_begin(&query, txn, SQL_GET);
        query_bind_text(&query, 1, name);
        *ret_found = false;
        code = query_next(&query, ret_found, err);
        if (code == SOMA_OK && *ret_found)
            queue_row_read(&query, &values);
    }
    if (code == SOMA_OK)
        take_values(&values, name, ret_queue);
    return code;
}

enum soma_code queue_store_peek(struct store_txn *txn, const char *name, struct queue *ret_queue,
                                struct soma_error *err)
{
    bool found;
    return peek(txn, name, ret_queue, &found, err);
}

enum soma_code queue_store_get(struct store_txn *txn, const char *name, struct queue *ret_queue,
                               struct soma_error *err)
{
    bool found;
    struct queue queue;
    enum soma_code code = peek(txn, name, &queue, &found, err);
    if (code == SOMA_OK && !found)
        return error_set(err, REASON_QUEUE_NOT_FOUND, "queue",
                         "queue '%s' has neither jobs nor settings", namespace_plain(name));
    if (code == SOMA_OK)
        *ret_queue = queue;
    return code;
}

enum soma_code queue_store_set(struct store_txn *txn, const char *name,
                               const struct queue_settings *settings, struct soma_error *err)
{
    struct job_counters *counters;
    struct queue_node *node;
    enum soma_code code = counters_get(txn, &counters, err);
    if (code == SOMA_OK)
        code = counters_touch(counters, name, &node, err);
    if (code == SOMA_OK)
        node->now.settings = *settings;
    return code;
}

// As long as a call lasts where its caller names no deadline: who has more patience is let in when
// jobs have gone, all others are told at once.
static enum soma_code come_again(struct soma_error *err, enum soma_code code)
{
    if (err)
        err->retry_after_ms = LIMIT_DEFAULT_TIMEOUT_MS;
    return code;
}

enum soma_code queue_store_check_room(struct store_txn *txn, const char *queue,
                                      const struct job_room *room, struct soma_error *err)
{
    struct job_counters *counters;
    enum soma_code code = counters_get(txn, &counters, err);
    if (code != SOMA_OK)
        return code;
    if (counters->unfinished >= room->unfinished_max)
        return come_again(
            err, error_set(err, REASON_QUEUE_FULL, NULL,
                           "%lld jobs are queued or running, at most %lld (max-unfinished)",
                           (long long)counters->unfinished, (long long)room->unfinished_max));
    int64_t queued = room->queued_max > 0 ? counters_queued_beside(counters, queue) : 0;
    if (room->queued_max == 0 || queued < room->queued_max)
        return SOMA_OK;
    return come_again(
        err, error_set(err, REASON_NAMESPACE_FULL, NULL,
                       "%lld jobs of the namespace are queued, at most %lld (max-namespace-queued)",
                       (long long)queued, (long long)room->queued_max));
}
