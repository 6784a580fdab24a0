#include "store/job_after.h"

#include <stdio.h>

#include "store/sqlite.h"

static const char SQL_ADD[] = "INSERT OR IGNORE INTO job_after (after_num, num) VALUES (?1, ?2)";
static const char SQL_AWAIT[] = "UPDATE job SET is_awaited = 1 WHERE num = ?1 AND is_awaited = 0";
static const char SQL_REMOVE[] = "DELETE FROM job_after WHERE after_num = ?1 AND num = ?2";
static const char SQL_REMOVE_ALL[] = "DELETE FROM job_after WHERE num = ?1";
static const char SQL_ANY[] = "SELECT 1 FROM job_after WHERE num = ?1 LIMIT 1";
static const char SQL_WAITERS[] =
    "SELECT num FROM job_after WHERE after_num = ?1 ORDER BY num LIMIT ?2";
// What has ended and is still to be settled stands there too: it is the truth for a moment.
static const char SQL_IDS[] =
    "SELECT job.id FROM job_after CROSS JOIN job ON job.num = job_after.after_num "
    "WHERE job_after.num = ?1 ORDER BY job.num LIMIT ?2";
static const char SQL_SETTLE_ADD[] =
    "INSERT OR REPLACE INTO job_settle (num, id, succeeded) VALUES (?1, ?2, ?3)";
static const char SQL_SETTLE_FIRST[] =
    "SELECT num, id, succeeded FROM job_settle ORDER BY num LIMIT 1";
static const char SQL_SETTLE_HAS[] = "SELECT 1 FROM job_settle WHERE num = ?1";
static const char SQL_SETTLE_REMOVE[] = "DELETE FROM job_settle WHERE num = ?1";

static enum soma_code run(struct store_txn *txn, const char *sql, int64_t first, int64_t second,
                          struct soma_error *err)
{
    QUERY_CLEANUP struct query query;
    query_begin(&query, txn, sql);
    query_bind_int(&query, 1, first);
    if (second)
        query_bind_int(&query, 2, second);
    return query_run(&query, err);
}

enum soma_code job_after_add(struct store_txn *txn, int64_t after_num, int64_t num,
                             struct soma_error *err)
{
    enum soma_code code = run(txn, SQL_ADD, after_num, num, err);
    return code == SOMA_OK ? run(txn, SQL_AWAIT, after_num, 0, err) : code;
}

enum soma_code job_after_remove(struct store_txn *txn, int64_t after_num, int64_t num,
                                struct soma_error *err)
{
    return run(txn, SQL_REMOVE, after_num, num, err);
}

enum soma_code job_after_remove_all(struct store_txn *txn, int64_t num, struct soma_error *err)
{
    return run(txn, SQL_REMOVE_ALL, num, 0, err);
}

static enum soma_code is_any(struct store_txn *txn, const char *sql, int64_t num, bool *ret_any,
                             struct soma_error *err)
{
    QUERY_CLEANUP struct query query;
    query_begin(&query, txn, sql);
    query_bind_int(&query, 1, num);
    return query_next(&query, ret_any, err);
}

enum soma_code job_after_any(struct store_txn *txn, int64_t num, bool *ret_any,
                             struct soma_error *err)
{
    return is_any(txn, SQL_ANY, num, ret_any, err);
}

enum soma_code job_after_waiters(struct store_txn *txn, int64_t after_num, size_t max,
                                 int64_t *ret_nums, size_t *ret_count, struct soma_error *err)
{
    QUERY_CLEANUP struct query query;
    query_begin(&query, txn, SQL_WAITERS);
    query_bind_int(&query, 1, after_num);
    query_bind_int(&query, 2, (int64_t)max);
    size_t count = 0;
    for (bool found = true; found;) {
        enum soma_code code = query_next(&query, &found, err);
        if (code != SOMA_OK)
            return code;
        if (found && count < max)
            ret_nums[count++] = query_int(&query, 0);
    }
    *ret_count = count;
    return SOMA_OK;
}

enum soma_code job_after_ids(struct store_txn *txn, int64_t num, size_t max, struct arena *arena,
                             const char ***ret_ids, size_t *ret_count, struct soma_error *err)
{
    const char **ids = arena_calloc(arena, max + 1, sizeof *ids);
    if (!ids)
        return error_set_no_memory(err);
    QUERY_CLEANUP struct query query;
    query_begin(&query, txn, SQL_IDS);
    query_bind_int(&query, 1, num);
    query_bind_int(&query, 2, (int64_t)max);
    size_t count = 0;
    for (bool found = true; found;) {
        enum soma_code code = query_next(&query, &found, err);
        if (code != SOMA_OK)
            return code;
        if (!found || count == max)
            break;
        ids[count] = query_copy_text(&query, 0, arena);
        if (!ids[count++])
            return error_set_no_memory(err);
    }
    *ret_ids = ids;
    *ret_count = count;
    return SOMA_OK;
}

enum soma_code job_settle_add(struct store_txn *txn, int64_t num, const char *id, bool succeeded,
                              struct soma_error *err)
{
    QUERY_CLEANUP struct query query;
    query_begin(&query, txn, SQL_SETTLE_ADD);
    query_bind_int(&query, 1, num);
    query_bind_text(&query, 2, id);
    query_bind_int(&query, 3, succeeded);
    return query_run(&query, err);
}

enum soma_code job_settle_first(struct store_txn *txn, struct job_settled *ret_settled,
                                struct soma_error *err)
{
    QUERY_CLEANUP struct query query;
    query_begin(&query, txn, SQL_SETTLE_FIRST);
    bool found = false;
    enum soma_code code = query_next(&query, &found, err);
    if (code != SOMA_OK)
        return code;
    *ret_settled = (struct job_settled){0};
    if (!found)
        return SOMA_OK;
    ret_settled->num = query_int(&query, 0);
    snprintf(ret_settled->id, sizeof ret_settled->id, "%s", query_peek_text(&query, 1));
    ret_settled->succeeded = query_int(&query, 2) != 0;
    return SOMA_OK;
}

enum soma_code job_settle_has(struct store_txn *txn, int64_t num, bool *ret_has,
                              struct soma_error *err)
{
    return is_any(txn, SQL_SETTLE_HAS, num, ret_has, err);
}

enum soma_code job_settle_remove(struct store_txn *txn, int64_t num, struct soma_error *err)
{
    return run(txn, SQL_SETTLE_REMOVE, num, 0, err);
}
