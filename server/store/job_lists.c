#include <string.h>

#include "base/namespaces.h"
#include "store/job_rows.h"

enum {
    SCAN_MAX = 20000, // rows that one page looks at
    STATES_UNFINISHED = 1 << JOB_QUEUED | 1 << JOB_RUNNING
};

static const char SQL_LIST[] = "SELECT " JOB_COLUMNS " FROM job WHERE num < ?1 ORDER BY num DESC";
static const char SQL_LIST_UNFINISHED[] =
    "SELECT " JOB_COLUMNS " FROM job INDEXED BY job_unfinished WHERE state < 3 AND num < ?1 "
    "ORDER BY num DESC";
static const char SQL_LIST_LABEL[] =
    "SELECT " JOB_COLUMNS " FROM job_label INDEXED BY job_label_by_value CROSS JOIN job "
    "ON job.num = job_label.num WHERE job_label.num < ?1 AND key = ?2 AND value = ?3 "
    "ORDER BY job_label.num DESC";
static const char SQL_LIST_CHILDREN[] =
    "SELECT " JOB_COLUMNS " FROM job INDEXED BY job_by_parent WHERE parent = ?2 AND parent IS NOT "
    "NULL AND num < ?1 ORDER BY num DESC";
static const char SQL_LIST_NAMESPACE[] =
    "SELECT " JOB_COLUMNS " FROM job INDEXED BY job_by_namespace WHERE namespace = ?2 AND "
    "namespace <> '' AND num < ?1 ORDER BY num DESC";
static const char SQL_CHANGED[] =
    "SELECT " JOB_COLUMNS " FROM job WHERE revision > ?1 ORDER BY revision";
static const char SQL_HAS_LABEL[] =
    "SELECT 1 FROM job_label WHERE num = ?1 AND key = ?2 AND value = ?3";
static const char SQL_HISTORY[] = "SELECT revision, history_revision FROM job_total";
static const char SQL_REMOVED_SINCE[] =
    "SELECT revision, id FROM job_removed WHERE revision > ?1 AND revision <= ?2 "
    "AND namespace = ?4 ORDER BY revision LIMIT ?3";
static const char SQL_RUNNING[] =
    "SELECT " JOB_COLUMNS " FROM job INDEXED BY job_unfinished WHERE state < 3 AND state = 2 "
    "AND num > ?1 ORDER BY num";
static const char SQL_ENDED[] =
    "SELECT " JOB_COLUMNS_BARE " FROM job INDEXED BY job_by_end WHERE state > 2 "
    "AND finished_unix_ms <= ?1 ORDER BY finished_unix_ms";
static const char SQL_ENDED_OF_QUEUE[] =
    "SELECT " JOB_COLUMNS_BARE
    " FROM job INDEXED BY job_by_queue_end WHERE state > 2 AND queue = ?2 "
    "AND finished_unix_ms <= ?1 ORDER BY finished_unix_ms";
static const char SQL_EXPIRED[] =
    "SELECT " JOB_COLUMNS_BARE " FROM job INDEXED BY job_by_expiry WHERE state > 2 "
    "AND expires_unix_ms <= ?1 ORDER BY expires_unix_ms";
static const char SQL_FORGET_HISTORY[] =
    "UPDATE job_total SET history_revision = max(history_revision, (SELECT coalesce(max(revision), "
    "0) FROM (SELECT revision FROM job_removed WHERE removed_unix_ms < ?1 ORDER BY revision "
    "LIMIT ?2)))";
static const char SQL_FORGET_REMOVED[] =
    "DELETE FROM job_removed WHERE revision <= (SELECT history_revision FROM job_total)";

static const struct job_filter no_filter;

// --- filter

static enum soma_code has_label(struct store_txn *txn, int64_t num, const struct job_label *label,
                                bool *ret_has, struct soma_error *err)
{
    QUERY_CLEANUP struct query query;
    query_begin(&query, txn, SQL_HAS_LABEL);
    query_bind_int(&query, 1, num);
    query_bind_text(&query, 2, label->key);
    query_bind_text(&query, 3, label->value);
    return query_next(&query, ret_has, err);
}

// Looks at the row that the query stands on before anything of it is copied.
static enum soma_code matches(const struct query *query, const struct job_filter *filter,
                              bool *ret_matches, struct soma_error *err)
{
    *ret_matches = false;
    if (filter->states && !(filter->states >> query_int(query, COLUMN_STATE) & 1))
        return SOMA_OK;
    const char *queue = query_peek_text(query, COLUMN_QUEUE);
    if (filter->queue && strcmp(filter->queue, queue) != 0)
        return SOMA_OK;
    if (filter->space && !namespace_holds(filter->space, queue))
        return SOMA_OK;
    if (filter->parent && (query_is_null(query, COLUMN_PARENT) ||
                           strcmp(filter->parent, query_peek_text(query, COLUMN_PARENT)) != 0))
        return SOMA_OK;
    int64_t num = query_int(query, COLUMN_NUM);
    bool has = true;
    for (size_t i = 0; i < filter->label_count && has; i++) {
        enum soma_code code = has_label(query->txn, num, &filter->labels[i], &has, err);
        if (code != SOMA_OK)
            return code;
    }
    *ret_matches = has;
    return SOMA_OK;
}

// --- collecting rows

struct scan {
    struct query *query;
    const struct job_filter *filter;
    size_t max;        // rows to collect
    size_t scan_max;   // rows to look at
    int cursor_column; // what list->after is made of
    struct arena *arena;
    size_t bytes; // of what was collected
};

static enum soma_code list_begin(const struct scan *scan, struct job_list *list,
                                 struct soma_error *err)
{
    *list = (struct job_list){0};
    list->rows = arena_calloc(scan->arena, scan->max ? scan->max : 1, sizeof(struct job_row *));
    return list->rows ? SOMA_OK : error_set_no_memory(err);
}

static enum soma_code list_add(struct scan *scan, struct job_list *list, struct soma_error *err)
{
    struct job_row *row = arena_alloc(scan->arena, sizeof *row);
    if (!row)
        return error_set_no_memory(err);
    enum soma_code code = job_row_read(scan->query, scan->arena, row, err);
    if (code != SOMA_OK)
        return code;
    scan->bytes += sizeof *row + row->spec.head_length;
    list->rows[list->count++] = row;
    return SOMA_OK;
}

// A row may be 200 KB. Most of the arena is left to what is made of the rows.
static bool is_full(const struct scan *scan, const struct job_list *list)
{
    return list->count == scan->max || (list->count > 0 && scan->bytes > scan->arena->budget / 4);
}

// Steps until max rows or a quarter of the arena's bytes are collected, scan_max rows were looked
// at, or nothing is left. After that list->more says whether a row was left, list->after the cursor
// of the last one looked at.
static enum soma_code collect(struct scan *scan, struct job_list *list, struct soma_error *err)
{
    enum soma_code code = list_begin(scan, list, err);
    bool found = true;
    for (size_t looked_at = 0; code == SOMA_OK; looked_at++) {
        code = query_next(scan->query, &found, err);
        if (code != SOMA_OK || !found)
            break;
        if (looked_at == scan->scan_max || is_full(scan, list)) {
            list->more = true;
            break;
        }
        bool match = false;
        code = matches(scan->query, scan->filter, &match, err);
        if (code == SOMA_OK && match)
            code = list_add(scan, list, err);
        list->after = query_int(scan->query, scan->cursor_column);
    }
    return code;
}

// --- lists

enum soma_code job_store_list(struct store_txn *txn, const struct job_filter *filter,
                              int64_t before, size_t max, struct arena *arena,
                              struct job_list *ret_list, struct soma_error *err)
{
    const char *sql = SQL_LIST;
    if (filter->parent)
        sql = SQL_LIST_CHILDREN;
    else if (filter->label_count > 0)
        sql = SQL_LIST_LABEL;
    else if (filter->states && !(filter->states & ~(uint32_t)STATES_UNFINISHED))
        sql = SQL_LIST_UNFINISHED;
    else if (filter->space && filter->space[0])
        sql = SQL_LIST_NAMESPACE;
    QUERY_CLEANUP struct query query;
    query_begin(&query, txn, sql);
    query_bind_int(&query, 1, before > 0 ? before : INT64_MAX);
    if (filter->parent) {
        query_bind_text(&query, 2, filter->parent);
    } else if (filter->label_count > 0) {
        query_bind_text(&query, 2, filter->labels[0].key);
        query_bind_text(&query, 3, filter->labels[0].value);
    } else if (sql == SQL_LIST_NAMESPACE) {
        query_bind_text(&query, 2, filter->space);
    }
    struct scan scan = {&query, filter, max, SCAN_MAX, COLUMN_NUM, arena, 0};
    return collect(&scan, ret_list, err);
}

static enum soma_code list_plain(struct query *query, size_t max, struct arena *arena,
                                 struct job_list *ret_list, struct soma_error *err)
{
    struct scan scan = {query, &no_filter, max, SIZE_MAX, COLUMN_NUM, arena, 0};
    return collect(&scan, ret_list, err);
}

enum soma_code job_store_running(struct store_txn *txn, int64_t after, size_t max,
                                 struct arena *arena, struct job_list *ret_list,
                                 struct soma_error *err)
{
    QUERY_CLEANUP struct query query;
    query_begin(&query, txn, SQL_RUNNING);
    query_bind_int(&query, 1, after);
    return list_plain(&query, max, arena, ret_list, err);
}

enum soma_code job_store_ended(struct store_txn *txn, const struct job_filter *filter,
                               struct wall_time ended_before, size_t max, struct arena *arena,
                               struct job_list *ret_list, struct soma_error *err)
{
    QUERY_CLEANUP struct query query;
    query_begin(&query, txn, SQL_ENDED);
    query_bind_int(&query, 1, ended_before.ms);
    struct scan scan = {&query, filter, max, SIZE_MAX, COLUMN_FINISHED, arena, 0};
    return collect(&scan, ret_list, err);
}

enum soma_code job_store_ended_of_queue(struct store_txn *txn, const char *queue,
                                        struct wall_time ended_before, size_t max,
                                        struct arena *arena, struct job_list *ret_list,
                                        struct soma_error *err)
{
    QUERY_CLEANUP struct query query;
    query_begin(&query, txn, SQL_ENDED_OF_QUEUE);
    query_bind_int(&query, 1, ended_before.ms);
    query_bind_text(&query, 2, queue);
    return list_plain(&query, max, arena, ret_list, err);
}

enum soma_code job_store_expired(struct store_txn *txn, struct wall_time now, size_t max,
                                 struct arena *arena, struct job_list *ret_list,
                                 struct soma_error *err)
{
    QUERY_CLEANUP struct query query;
    query_begin(&query, txn, SQL_EXPIRED);
    query_bind_int(&query, 1, now.ms);
    return list_plain(&query, max, arena, ret_list, err);
}

// --- changes

static enum soma_code read_history(struct store_txn *txn, int64_t *ret_revision,
                                   int64_t *ret_history, struct soma_error *err)
{
    QUERY_CLEANUP struct query query;
    query_begin(&query, txn, SQL_HISTORY);
    bool found = false;
    enum soma_code code = query_next(&query, &found, err);
    if (code != SOMA_OK)
        return code;
    *ret_revision = found ? query_int(&query, 0) : 0;
    *ret_history = found ? query_int(&query, 1) : 0;
    return SOMA_OK;
}

// Up to changes->revision; where there are more than max, changes->revision becomes that of the
// last one.
static enum soma_code collect_removed(struct store_txn *txn, int64_t since, const char *space,
                                      size_t max, struct arena *arena, struct job_changes *changes,
                                      struct soma_error *err)
{
    changes->removed_ids = arena_calloc(arena, max ? max : 1, sizeof *changes->removed_ids);
    if (!changes->removed_ids)
        return error_set_no_memory(err);
    QUERY_CLEANUP struct query query;
    query_begin(&query, txn, SQL_REMOVED_SINCE);
    query_bind_int(&query, 1, since);
    query_bind_int(&query, 2, changes->revision);
    query_bind_int(&query, 3, (int64_t)max);
    query_bind_text(&query, 4, space ? space : "");
    int64_t last = changes->revision;
    for (;;) {
        bool found = false;
        enum soma_code code = query_next(&query, &found, err);
        if (code != SOMA_OK)
            return code;
        if (!found)
            break;
        const char *id = query_copy_text(&query, 1, arena);
        if (!id)
            return error_set_no_memory(err);
        changes->removed_ids[changes->removed_count++] = id;
        last = query_int(&query, 0);
    }
    if (changes->removed_count == max && last < changes->revision)
        changes->revision = last;
    return SOMA_OK;
}

static enum soma_code collect_changed(struct store_txn *txn, int64_t since,
                                      const struct job_filter *filter, size_t max,
                                      struct arena *arena, struct job_changes *changes,
                                      struct soma_error *err)
{
    QUERY_CLEANUP struct query query;
    query_begin(&query, txn, SQL_CHANGED);
    query_bind_int(&query, 1, since);
    struct scan scan = {&query, filter, max, SCAN_MAX, COLUMN_REVISION, arena, 0};
    enum soma_code code = collect(&scan, &changes->jobs, err);
    if (code == SOMA_OK && changes->jobs.more)
        changes->revision = changes->jobs.after;
    return code;
}

enum soma_code job_store_changes(struct store_txn *txn, int64_t since,
                                 const struct job_filter *filter, size_t max, struct arena *arena,
                                 struct job_changes *ret_changes, struct soma_error *err)
{
    struct job_changes changes = {.is_first = since <= 0};
    int64_t history = 0, after = since < 0 ? -since : since;
    enum soma_code code = read_history(txn, &changes.latest, &history, err);
    if (code != SOMA_OK)
        return code;
    changes.revision = changes.latest;
    // A revision that is yet to come is from before an older copy was restored.
    changes.history_lost = after > changes.latest || (!changes.is_first && since < history);
    if (!changes.history_lost) {
        code = collect_changed(txn, after, filter, max, arena, &changes, err);
        // Who starts from nothing has nothing to remove.
        if (code == SOMA_OK && after > 0)
            code = collect_removed(txn, after, filter->space, max, arena, &changes, err);
    }
    if (code != SOMA_OK)
        return code;
    struct job_list *jobs = &changes.jobs;
    while (jobs->count > 0 && jobs->rows[jobs->count - 1]->job.status.revision > changes.revision)
        jobs->count--;
    *ret_changes = changes;
    return SOMA_OK;
}

int64_t job_changes_next(const struct job_changes *changes)
{
    bool goes_on = changes->is_first && changes->revision < changes->latest;
    return goes_on ? -changes->revision : changes->revision;
}

enum soma_code job_store_revision(struct store_txn *txn, int64_t *ret_revision,
                                  struct soma_error *err)
{
    int64_t history;
    return read_history(txn, ret_revision, &history, err);
}

enum soma_code job_store_forget_removed(struct store_txn *txn, struct wall_time before, size_t max,
                                        struct soma_error *err)
{
    QUERY_CLEANUP struct query query;
    query_begin(&query, txn, SQL_FORGET_HISTORY);
    query_bind_int(&query, 1, before.ms);
    query_bind_int(&query, 2, (int64_t)max);
    enum soma_code code = query_run(&query, err);
    return code == SOMA_OK ? txn_exec(txn, SQL_FORGET_REMOVED, err) : code;
}
