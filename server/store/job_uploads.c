#include "store/job_uploads.h"

#include "store/sqlite.h"

static const char SQL_FIND[] = "SELECT 1 FROM job_upload WHERE id = ?1";
static const char SQL_INSERT[] = "INSERT INTO job_upload (id, num) VALUES (?1, ?2)";
static const char SQL_FORGET[] = "DELETE FROM job_upload WHERE num = ?1";

enum soma_code job_uploads_find(struct store_txn *txn, const char *id, bool *ret_is_taken,
                                struct soma_error *err)
{
    QUERY_CLEANUP struct query query;
    query_begin(&query, txn, SQL_FIND);
    query_bind_text(&query, 1, id);
    return query_next(&query, ret_is_taken, err);
}

enum soma_code job_uploads_insert(struct store_txn *txn, const char *id, int64_t num,
                                  struct soma_error *err)
{
    QUERY_CLEANUP struct query query;
    query_begin(&query, txn, SQL_INSERT);
    query_bind_text(&query, 1, id);
    query_bind_int(&query, 2, num);
    return query_run(&query, err);
}

enum soma_code job_uploads_forget(struct store_txn *txn, int64_t num, struct soma_error *err)
{
    QUERY_CLEANUP struct query query;
    query_begin(&query, txn, SQL_FORGET);
    query_bind_int(&query, 1, num);
    return query_run(&query, err);
}
