#include "store/job_ready.h"

#include "store/job_counters.h"
#include "store/sqlite.h"

static const char SQL_WAKE[] =
    "UPDATE job SET hold = 0 WHERE num IN (SELECT num FROM job INDEXED BY job_due "
    "WHERE state = 1 AND hold = 1 AND due_unix_ms <= ?1 ORDER BY due_unix_ms LIMIT ?2)";
static const char SQL_HEAD[] =
    "SELECT num, priority FROM job INDEXED BY job_ready WHERE state = 1 AND hold = 0 "
    "AND queue = ?1 ORDER BY priority DESC, num LIMIT 1";
static const char SQL_OVERDUE[] =
    "SELECT num FROM job INDEXED BY job_start_by WHERE state = 1 AND start_by_unix_ms > 0 "
    "AND start_by_unix_ms <= ?1 ORDER BY start_by_unix_ms LIMIT 1";
static const char SQL_NEXT_DUE[] =
    "SELECT due_unix_ms FROM job INDEXED BY job_due WHERE state = 1 AND hold = 1 "
    "ORDER BY due_unix_ms LIMIT 1";
static const char SQL_NEXT_START_BY[] =
    "SELECT start_by_unix_ms FROM job INDEXED BY job_start_by WHERE state = 1 "
    "AND start_by_unix_ms > 0 ORDER BY start_by_unix_ms LIMIT 1";

enum soma_code job_ready_wake(struct store_txn *txn, struct wall_time now, size_t max,
                              struct soma_error *err)
{
    QUERY_CLEANUP struct query query;
    query_begin(&query, txn, SQL_WAKE);
    query_bind_int(&query, 1, now.ms);
    query_bind_int(&query, 2, (int64_t)max);
    enum soma_code code = query_run(&query, err);
    if (code == SOMA_OK && txn_changes(txn) > 0)
        counters_forget_heads(txn);
    return code;
}

static enum soma_code learn_head(struct store_txn *txn, struct queue_node *node,
                                 struct soma_error *err)
{
    QUERY_CLEANUP struct query query;
    query_begin(&query, txn, SQL_HEAD);
    query_bind_text(&query, 1, node->name);
    bool found = false;
    enum soma_code code = query_next(&query, &found, err);
    if (code != SOMA_OK)
        return code;
    node->head_is_known = true;
    node->head_num = found ? query_int(&query, 0) : 0;
    node->head_priority = found ? (int32_t)query_int(&query, 1) : 0;
    return SOMA_OK;
}

static bool may_start(const struct queue_node *node)
{
    const struct queue_values *now = &node->now;
    bool is_full =
        now->settings.max_running > 0 && now->count_of[JOB_RUNNING] >= now->settings.max_running;
    return now->count_of[JOB_QUEUED] > 0 && !now->settings.paused && !is_full;
}

static bool comes_before(const struct queue_node *node, const struct queue_node *best)
{
    if (!best || node->head_priority != best->head_priority)
        return !best || node->head_priority > best->head_priority;
    return node->head_num < best->head_num;
}

enum soma_code job_ready_first(struct store_txn *txn, int64_t *ret_num, struct soma_error *err)
{
    struct job_counters *counters;
    enum soma_code code = counters_get(txn, &counters, err);
    const struct queue_node *best = NULL;
    for (size_t i = 0; code == SOMA_OK && i < counters->count; i++) {
        struct queue_node *node = counters->nodes[i];
        if (!may_start(node))
            continue;
        if (!node->head_is_known)
            code = learn_head(txn, node, err);
        if (code == SOMA_OK && node->head_num > 0 && comes_before(node, best))
            best = node;
    }
    if (code == SOMA_OK)
        *ret_num = best ? best->head_num : 0;
    return code;
}

// The first column of the first row, 0 where there is none.
static enum soma_code first_number(struct query *query, int64_t *ret_number, struct soma_error *err)
{
    bool found = false;
    enum soma_code code = query_next(query, &found, err);
    if (code == SOMA_OK)
        *ret_number = found ? query_int(query, 0) : 0;
    return code;
}

enum soma_code job_ready_overdue(struct store_txn *txn, struct wall_time now, int64_t *ret_num,
                                 struct soma_error *err)
{
    QUERY_CLEANUP struct query query;
    query_begin(&query, txn, SQL_OVERDUE);
    query_bind_int(&query, 1, now.ms);
    return first_number(&query, ret_num, err);
}

enum soma_code job_ready_next(struct store_txn *txn, struct wall_time *ret_due,
                              struct soma_error *err)
{
    static const char *const sources[] = {SQL_NEXT_DUE, SQL_NEXT_START_BY};
    int64_t next = 0;
    for (size_t i = 0; i < sizeof sources / sizeof sources[0]; i++) {
        QUERY_CLEANUP struct query query;
        query_begin(&query, txn, sources[i]);
        int64_t due = 0;
        enum soma_code code = first_number(&query, &due, err);
        if (code != SOMA_OK)
            return code;
        if (due > 0 && (next == 0 || due < next))
            next = due;
    }
    ret_due->ms = next;
    return SOMA_OK;
}
