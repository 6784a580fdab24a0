#include "store/requests.h"

#include <string.h>

#include "store/sqlite.h"

static const char SQL_FIND[] = "SELECT fingerprint, reply FROM request WHERE id = ?1";
static const char SQL_INSERT[] =
    "INSERT INTO request (id, made_unix_ms, fingerprint, reply) VALUES (?1, ?2, ?3, ?4)";
// The oldest come first by num. A clock that was set back only lets a few live longer.
static const char SQL_FORGET[] =
    "DELETE FROM request WHERE num IN (SELECT num FROM request ORDER BY num LIMIT ?2) "
    "AND made_unix_ms < ?1";

enum soma_code request_store_find(struct store_txn *txn, const uint8_t *id,
                                  const uint8_t *fingerprint, struct arena *arena,
                                  const void **ret_reply, size_t *ret_length,
                                  struct soma_error *err)
{
    QUERY_CLEANUP struct query query;
    query_begin(&query, txn, SQL_FIND);
    query_bind_blob(&query, 1, id, REQUEST_STORE_ID_BYTES);
    bool found = false;
    enum soma_code code = query_next(&query, &found, err);
    if (code != SOMA_OK)
        return code;
    if (!found) {
        *ret_reply = NULL;
        return SOMA_OK;
    }
    size_t length = 0;
    const void *stored = query_peek_blob(&query, 0, &length);
    if (length != REQUEST_STORE_FINGERPRINT_BYTES || memcmp(stored, fingerprint, length) != 0)
        return error_set(err, REASON_REQUEST_ID_REUSED, NULL,
                         "this request id was used for a different request");
    const void *reply = query_copy_blob(&query, 1, arena, &length);
    if (!reply)
        return error_set_no_memory(err);
    *ret_reply = reply;
    *ret_length = length;
    return SOMA_OK;
}

enum soma_code request_store_insert(struct store_txn *txn, const uint8_t *id,
                                    const uint8_t *fingerprint, const void *reply, size_t length,
                                    struct wall_time now, struct soma_error *err)
{
    QUERY_CLEANUP struct query query;
    query_begin(&query, txn, SQL_INSERT);
    query_bind_blob(&query, 1, id, REQUEST_STORE_ID_BYTES);
    query_bind_int(&query, 2, now.ms);
    query_bind_blob(&query, 3, fingerprint, REQUEST_STORE_FINGERPRINT_BYTES);
    // A reply without fields packs into nothing, which is not SQL's NULL.
    query_bind_blob(&query, 4, reply ? reply : "", length);
    return query_run(&query, err);
}

enum soma_code request_store_forget(struct store_txn *txn, struct wall_time now, size_t max,
                                    size_t *ret_count, struct soma_error *err)
{
    QUERY_CLEANUP struct query query;
    query_begin(&query, txn, SQL_FORGET);
    query_bind_int(&query, 1, now.ms - REQUEST_KEEP_MS);
    query_bind_int(&query, 2, (int64_t)max);
    enum soma_code code = query_run(&query, err);
    if (code == SOMA_OK)
        *ret_count = (size_t)txn_changes(txn);
    return code;
}
