#include "store/job_isolation.h"

#include "store/sqlite.h"

static const char SQL_FIND[] = "SELECT id FROM job_isolation WHERE text = ?1";
static const char SQL_ADD[] = "INSERT INTO job_isolation (text) VALUES (?1) RETURNING id";
static const char SQL_READ[] = "SELECT text FROM job_isolation WHERE id = ?1";

static enum soma_code ask(struct store_txn *txn, const char *sql, const char *text, int64_t *ret_id,
                          bool *ret_found, struct soma_error *err)
{
    QUERY_CLEANUP struct query query;
    query_begin(&query, txn, sql);
    query_bind_text(&query, 1, text);
    enum soma_code code = query_next(&query, ret_found, err);
    if (code == SOMA_OK && *ret_found)
        *ret_id = query_int(&query, 0);
    return code;
}

enum soma_code job_isolation_name(struct store_txn *txn, const char *text, int64_t *ret_id,
                                  struct soma_error *err)
{
    if (!text || !text[0])
        return SOMA_OK;
    bool found = false;
    enum soma_code code = ask(txn, SQL_FIND, text, ret_id, &found, err);
    return code == SOMA_OK && !found ? ask(txn, SQL_ADD, text, ret_id, &found, err) : code;
}

enum soma_code job_isolation_read(struct store_txn *txn, int64_t id, struct arena *arena,
                                  const char **ret_text, struct soma_error *err)
{
    if (id == 0)
        return SOMA_OK;
    QUERY_CLEANUP struct query query;
    query_begin(&query, txn, SQL_READ);
    query_bind_int(&query, 1, id);
    bool found = false;
    enum soma_code code = query_next(&query, &found, err);
    if (code != SOMA_OK || !found)
        return code;
    *ret_text = query_copy_text(&query, 0, arena);
    return *ret_text ? SOMA_OK : error_set_no_memory(err);
}
