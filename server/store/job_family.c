#include "store/job_family.h"

#include <stdio.h>

#include "store/sqlite.h"

static const char SQL_CANCEL[] =
    "INSERT INTO job_family (id, note, force, after_num) SELECT ?1, ?2, ?3, 0 WHERE EXISTS "
    "(SELECT 1 FROM job INDEXED BY job_by_parent WHERE parent = ?1 AND parent IS NOT NULL) "
    "ON CONFLICT (id) DO UPDATE SET force = max(force, ?3), after_num = 0";
static const char SQL_FIRST[] = "SELECT id, note, force, after_num FROM job_family LIMIT 1";
static const char SQL_NEXT[] =
    "SELECT num FROM job INDEXED BY job_by_parent WHERE parent = ?1 AND parent IS NOT NULL "
    "AND num > ?2 ORDER BY num LIMIT 1";
static const char SQL_ADVANCE[] = "UPDATE job_family SET after_num = ?2 WHERE id = ?1";
static const char SQL_DONE[] = "DELETE FROM job_family WHERE id = ?1";

enum soma_code job_family_cancel(struct store_txn *txn, const char *id, const char *note,
                                 bool force, struct soma_error *err)
{
    QUERY_CLEANUP struct query query;
    query_begin(&query, txn, SQL_CANCEL);
    query_bind_text(&query, 1, id);
    query_bind_text(&query, 2, note);
    query_bind_int(&query, 3, force);
    return query_run(&query, err);
}

enum soma_code job_family_first(struct store_txn *txn, struct job_family *ret_family,
                                struct soma_error *err)
{
    QUERY_CLEANUP struct query query;
    query_begin(&query, txn, SQL_FIRST);
    bool found = false;
    enum soma_code code = query_next(&query, &found, err);
    *ret_family = (struct job_family){0};
    if (code != SOMA_OK || !found)
        return code;
    snprintf(ret_family->id, sizeof ret_family->id, "%s", query_peek_text(&query, 0));
    snprintf(ret_family->note, sizeof ret_family->note, "%s", query_peek_text(&query, 1));
    ret_family->force = query_int(&query, 2) != 0;
    ret_family->after_num = query_int(&query, 3);
    return SOMA_OK;
}

enum soma_code job_family_next(struct store_txn *txn, const struct job_family *family,
                               int64_t *ret_num, struct soma_error *err)
{
    QUERY_CLEANUP struct query query;
    query_begin(&query, txn, SQL_NEXT);
    query_bind_text(&query, 1, family->id);
    query_bind_int(&query, 2, family->after_num);
    bool found = false;
    enum soma_code code = query_next(&query, &found, err);
    if (code == SOMA_OK)
        *ret_num = found ? query_int(&query, 0) : 0;
    return code;
}

enum soma_code job_family_advance(struct store_txn *txn, const char *id, int64_t num,
                                  struct soma_error *err)
{
    QUERY_CLEANUP struct query query;
    query_begin(&query, txn, num ? SQL_ADVANCE : SQL_DONE);
    query_bind_text(&query, 1, id);
    if (num)
        query_bind_int(&query, 2, num);
    return query_run(&query, err);
}
