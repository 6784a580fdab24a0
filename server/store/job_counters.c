#include "store/job_counters.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/queue_rows.h"
#include "wire/limit_reached.h"
#include "wire/limits.h"

static const char SQL_REVISION[] = "SELECT revision FROM job_total";
static const char SQL_SET_REVISION[] = "UPDATE job_total SET revision = ?1";
static const char SQL_QUEUES[] = "SELECT " QUEUE_COLUMNS " FROM job_queue ORDER BY name";
static const char SQL_PUT_QUEUE[] =
    "INSERT OR REPLACE INTO job_queue (" QUEUE_COLUMNS ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, "
    "?9, ?10, ?11, ?12, ?13, ?14)";
static const char SQL_DELETE_QUEUE[] = "DELETE FROM job_queue WHERE name = ?1";

struct job_counters *counters_new(void)
{
    return calloc(1, sizeof(struct job_counters));
}

static void unload(struct job_counters *counters)
{
    for (size_t i = 0; i < counters->count; i++)
        free(counters->nodes[i]);
    free(counters->nodes);
    struct space_count *next;
    for (struct space_count *space = counters->spaces; space; space = next) {
        next = space->next;
        free(space);
    }
    *counters = (struct job_counters){0};
}

void counters_free(struct job_counters *counters)
{
    if (!counters)
        return;
    unload(counters);
    free(counters);
}

// --- the nodes, by name

// Where the name stands, or would stand.
static size_t place_of(const struct job_counters *counters, const char *name, bool *ret_found)
{
    size_t low = 0, high = counters->count;
    *ret_found = false;
    while (low < high && !*ret_found) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(counters->nodes[middle]->name, name);
        *ret_found = order == 0;
        if (order == 0)
            low = middle;
        else if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct queue_node *counters_find(const struct job_counters *counters, const char *name)
{
    bool found;
    size_t place = place_of(counters, name, &found);
    return found ? counters->nodes[place] : NULL;
}

static struct space_count *find_space(const struct job_counters *counters, const char *queue)
{
    struct space_count *space = counters->spaces;
    while (space && !namespace_holds(space->name, queue))
        space = space->next;
    return space;
}

// One that is there, or a new one. They stay until all is read again: there is one for each
// namespace that had a queue.
static struct space_count *take_space(struct job_counters *counters, const char *queue)
{
    struct space_count *space = find_space(counters, queue);
    if (space)
        return space;
    space = calloc(1, sizeof *space);
    if (!space)
        return NULL;
    namespace_of(queue, space->name);
    space->next = counters->spaces;
    counters->spaces = space;
    return space;
}

int64_t counters_queued_beside(const struct job_counters *counters, const char *queue)
{
    const struct space_count *space = find_space(counters, queue);
    return space ? space->queued : 0;
}

static struct queue_node *add_node(struct job_counters *counters, size_t place, const char *name)
{
    if (counters->count == counters->room) {
        size_t room = counters->room ? counters->room * 2 : 16;
        struct queue_node **nodes = realloc(counters->nodes, room * sizeof(struct queue_node *));
        if (!nodes)
            return NULL;
        counters->nodes = nodes;
        counters->room = room;
    }
    struct space_count *space = take_space(counters, name);
    struct queue_node *node = space ? calloc(1, sizeof *node) : NULL;
    if (!node)
        return NULL;
    node->space = space;
    snprintf(node->name, sizeof node->name, "%s", name);
    memmove(&counters->nodes[place + 1], &counters->nodes[place],
            (counters->count - place) * sizeof(struct queue_node *));
    counters->nodes[place] = node;
    counters->count++;
    return node;
}

static void remove_node(struct job_counters *counters, struct queue_node *node)
{
    bool found;
    size_t place = place_of(counters, node->name, &found);
    memmove(&counters->nodes[place], &counters->nodes[place + 1],
            (counters->count - place - 1) * sizeof(struct queue_node *));
    counters->count--;
    free(node);
}

static bool is_empty(const struct queue_node *node)
{
    const struct queue_settings *settings = &node->now.settings;
    bool has_settings = settings->paused || settings->max_running || settings->keep_ms ||
                        settings->keep_jobs || settings->keep_bytes;
    bool has_jobs = false;
    for (int state = 1; state < JOB_STATE_COUNT; state++)
        has_jobs |= node->now.count_of[state] != 0;
    return !has_settings && !has_jobs;
}

// --- read

static enum soma_code load_queues(struct store_txn *txn, struct job_counters *counters,
                                  struct soma_error *err)
{
    QUERY_CLEANUP struct query query;
    query_begin(&query, txn, SQL_QUEUES);
    for (;;) {
        bool row = false;
        enum soma_code code = query_next(&query, &row, err);
        if (code != SOMA_OK || !row)
            return code;
        struct queue_node *node =
            add_node(counters, counters->count, query_peek_text(&query, QUEUE_COLUMN_NAME));
        if (!node)
            return error_set_no_memory(err);
        queue_row_read(&query, &node->now);
        counters->unfinished += node->now.count_of[JOB_QUEUED] + node->now.count_of[JOB_RUNNING];
        node->space->queued += node->now.count_of[JOB_QUEUED];
    }
}

static enum soma_code load_revision(struct store_txn *txn, struct job_counters *counters,
                                    struct soma_error *err)
{
    QUERY_CLEANUP struct query query;
    query_begin(&query, txn, SQL_REVISION);
    bool row = false;
    enum soma_code code = query_next(&query, &row, err);
    if (code != SOMA_OK)
        return code;
    if (!row)
        return error_set(err, REASON_DATA_DAMAGED, NULL, "the table job_total is empty");
    counters->revision = query_int(&query, 0);
    return SOMA_OK;
}

enum soma_code counters_get(struct store_txn *txn, struct job_counters **ret_counters,
                            struct soma_error *err)
{
    struct job_counters *counters = txn->counters;
    if (!counters)
        return error_set(err, REASON_INTERNAL, NULL, "a change outside of the writer");
    if (!counters->is_loaded) {
        enum soma_code code = load_revision(txn, counters, err);
        if (code == SOMA_OK)
            code = load_queues(txn, counters, err);
        if (code != SOMA_OK) {
            unload(counters);
            return code;
        }
        counters->is_loaded = true;
        counters_part_begin(counters);
    }
    *ret_counters = counters;
    return SOMA_OK;
}

// --- change

enum soma_code counters_touch(struct job_counters *counters, const char *name,
                              struct queue_node **ret_node, struct soma_error *err)
{
    bool found;
    size_t place = place_of(counters, name, &found);
    if (!found && counters->count >= LIMIT_QUEUES)
        return limit_reached(err, REASON_QUEUE_LIMIT, NULL, "queues", LIMIT_QUEUES);
    struct queue_node *node = found ? counters->nodes[place] : add_node(counters, place, name);
    if (!node)
        return error_set_no_memory(err);
    counters->is_changed = true;
    if (!node->is_touched) {
        node->is_touched = true;
        node->before_part = node->now;
        node->next_touched = counters->touched;
        counters->touched = node;
    }
    if (!node->is_dirty) {
        node->is_dirty = true;
        node->next_dirty = counters->dirty;
        counters->dirty = node;
    }
    *ret_node = node;
    return SOMA_OK;
}

static bool is_unfinished(unsigned state)
{
    return state == JOB_QUEUED || state == JOB_RUNNING;
}

enum soma_code counters_move(struct store_txn *txn, const char *queue, unsigned from, unsigned to,
                             int64_t bytes, int64_t *ret_revision, struct soma_error *err)
{
    struct job_counters *counters = NULL;
    struct queue_node *node = NULL;
    enum soma_code code = counters_get(txn, &counters, err);
    if (code == SOMA_OK && counters)
        code = counters_touch(counters, queue, &node, err);
    if (code != SOMA_OK || !counters || !node)
        return code;
    if (from)
        node->now.count_of[from]--;
    if (to)
        node->now.count_of[to]++;
    node->now.output_bytes += bytes;
    counters->unfinished += is_unfinished(to) - is_unfinished(from);
    node->space->queued += (to == JOB_QUEUED) - (from == JOB_QUEUED);
    *ret_revision = ++counters->revision;
    return SOMA_OK;
}

// --- heads

void counters_ready(struct store_txn *txn, const char *queue, int32_t priority, int64_t num)
{
    struct queue_node *node = counters_find(txn->counters, queue);
    if (!node || !node->head_is_known)
        return;
    bool is_first = node->head_num == 0 || priority > node->head_priority ||
                    (priority == node->head_priority && num < node->head_num);
    if (is_first) {
        node->head_num = num;
        node->head_priority = priority;
    }
}

void counters_not_ready(struct store_txn *txn, const char *queue, int64_t num)
{
    struct queue_node *node = counters_find(txn->counters, queue);
    if (node && node->head_num == num)
        node->head_is_known = false;
}

void counters_forget_heads(struct store_txn *txn)
{
    struct job_counters *counters = txn->counters;
    if (!counters)
        return;
    counters->is_changed = true;
    counters->part_forgot_heads = true;
    for (size_t i = 0; i < counters->count; i++)
        counters->nodes[i]->head_is_known = false;
}

// --- transactions

void counters_part_begin(struct job_counters *counters)
{
    if (!counters)
        return;
    counters->revision_before_part = counters->revision;
    counters->unfinished_before_part = counters->unfinished;
    counters->part_forgot_heads = false;
}

void counters_part_keep(struct job_counters *counters)
{
    if (!counters)
        return;
    for (struct queue_node *node = counters->touched; node; node = node->next_touched)
        node->is_touched = false;
    counters->touched = NULL;
}

void counters_part_undo(struct job_counters *counters)
{
    if (!counters)
        return;
    for (struct queue_node *node = counters->touched; node; node = node->next_touched) {
        node->space->queued +=
            node->before_part.count_of[JOB_QUEUED] - node->now.count_of[JOB_QUEUED];
        node->now = node->before_part;
        node->head_is_known = false;
    }
    for (size_t i = 0; counters->part_forgot_heads && i < counters->count; i++)
        counters->nodes[i]->head_is_known = false;
    counters->revision = counters->revision_before_part;
    counters->unfinished = counters->unfinished_before_part;
    counters_part_keep(counters);
}

static enum soma_code delete_queue(struct store_txn *txn, const char *name, struct soma_error *err)
{
    QUERY_CLEANUP struct query query;
    query_begin(&query, txn, SQL_DELETE_QUEUE);
    query_bind_text(&query, 1, name);
    return query_run(&query, err);
}

static enum soma_code put_queue(struct store_txn *txn, const struct queue_node *node,
                                struct soma_error *err)
{
    if (is_empty(node))
        return delete_queue(txn, node->name, err);
    QUERY_CLEANUP struct query query;
    query_begin(&query, txn, SQL_PUT_QUEUE);
    query_bind_text(&query, 1 + QUEUE_COLUMN_NAME, node->name);
    queue_row_bind(&query, &node->now);
    return query_run(&query, err);
}

enum soma_code counters_write(struct store_txn *txn, struct soma_error *err)
{
    struct job_counters *counters = txn->counters;
    if (!counters || !counters->dirty)
        return SOMA_OK;
    enum soma_code code = SOMA_OK;
    for (struct queue_node *node = counters->dirty; node && code == SOMA_OK;
         node = node->next_dirty)
        code = put_queue(txn, node, err);
    if (code != SOMA_OK)
        return code;
    QUERY_CLEANUP struct query query;
    query_begin(&query, txn, SQL_SET_REVISION);
    query_bind_int(&query, 1, counters->revision);
    return query_run(&query, err);
}

void counters_committed(struct job_counters *counters)
{
    if (!counters)
        return;
    counters_part_keep(counters);
    counters->is_changed = false;
    struct queue_node *next;
    for (struct queue_node *node = counters->dirty; node; node = next) {
        next = node->next_dirty;
        node->is_dirty = false;
        if (is_empty(node))
            remove_node(counters, node);
    }
    counters->dirty = NULL;
}

void counters_rolled_back(struct job_counters *counters)
{
    if (counters && counters->is_changed)
        unload(counters);
}
