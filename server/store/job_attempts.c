// Attempts that were followed by another one.
#include "store/jobs.h"
#include "store/sqlite.h"

static const char SQL_KEEP[] =
    "INSERT OR IGNORE INTO job_attempt (num, attempt, reason, exit_code, signal, message, "
    "started_unix_ms, finished_unix_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
static const char SQL_LIST[] =
    "SELECT attempt, reason, exit_code, signal, message, started_unix_ms, finished_unix_ms "
    "FROM (SELECT * FROM job_attempt WHERE num = ?1 ORDER BY attempt DESC LIMIT ?2) "
    "ORDER BY attempt";

enum soma_code job_store_keep_attempt(struct store_txn *txn, int64_t num,
                                      const struct job_status *status, struct soma_error *err)
{
    QUERY_CLEANUP struct query query;
    query_begin(&query, txn, SQL_KEEP);
    query_bind_int(&query, 1, num);
    query_bind_int(&query, 2, status->attempt);
    query_bind_int(&query, 3, status->reason);
    query_bind_int(&query, 4, status->exit_code);
    query_bind_int(&query, 5, status->signal);
    query_bind_text(&query, 6, status->message ? status->message : "");
    query_bind_int(&query, 7, status->started.ms);
    query_bind_int(&query, 8, status->finished.ms);
    return query_run(&query, err);
}

enum soma_code job_store_attempts(struct store_txn *txn, int64_t num, size_t max,
                                  struct arena *arena, struct job_past **ret_attempts,
                                  size_t *ret_count, struct soma_error *err)
{
    struct job_past *attempts = arena_calloc(arena, max + 1, sizeof *attempts);
    if (!attempts)
        return error_set_no_memory(err);
    QUERY_CLEANUP struct query query;
    query_begin(&query, txn, SQL_LIST);
    query_bind_int(&query, 1, num);
    query_bind_int(&query, 2, (int64_t)max);
    size_t count = 0;
    for (bool found = true; found;) {
        enum soma_code code = query_next(&query, &found, err);
        if (code != SOMA_OK)
            return code;
        if (!found || count == max)
            break;
        struct job_past *past = &attempts[count++];
        *past = (struct job_past){
            .attempt = (uint32_t)query_int(&query, 0),
            .reason = (enum job_reason)query_int(&query, 1),
            .exit_code = (int32_t)query_int(&query, 2),
            .signal = (int32_t)query_int(&query, 3),
            .message = query_copy_text(&query, 4, arena),
            .started = {query_int(&query, 5)},
            .finished = {query_int(&query, 6)},
        };
        if (!past->message)
            return error_set_no_memory(err);
    }
    *ret_attempts = attempts;
    *ret_count = count;
    return SOMA_OK;
}
