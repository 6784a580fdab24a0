#include "store/sqlite.h"

#include <errno.h>
#include <string.h>

// Primary result codes; what is not here is a defect of ours.
static const struct {
    int rc;
    enum reason reason;
} reasons[] = {
    {SQLITE_FULL, REASON_DISK_FULL},
    {SQLITE_NOMEM, REASON_OUT_OF_MEMORY},
    {SQLITE_CORRUPT, REASON_DATA_DAMAGED},
    {SQLITE_NOTADB, REASON_DATA_DAMAGED},
    {SQLITE_FORMAT, REASON_DATA_DAMAGED},
    {SQLITE_BUSY, REASON_SERVER_BUSY},
    {SQLITE_LOCKED, REASON_SERVER_BUSY},
    {SQLITE_PROTOCOL, REASON_SERVER_BUSY},
    {SQLITE_IOERR, REASON_IO_ERROR},
    {SQLITE_CANTOPEN, REASON_IO_ERROR},
    {SQLITE_PERM, REASON_IO_ERROR},
    {SQLITE_READONLY, REASON_IO_ERROR},
    {SQLITE_NOLFS, REASON_IO_ERROR},
    {SQLITE_TOOBIG, REASON_FIELD_TOO_LONG},
    {SQLITE_INTERRUPT, REASON_DEADLINE_EXCEEDED},
};

static enum reason reason_of(int rc, int errnum)
{
    if (rc == SQLITE_IOERR_NOMEM)
        return REASON_OUT_OF_MEMORY;
    if ((rc & 0xff) == SQLITE_IOERR && (errnum == ENOSPC || errnum == EDQUOT))
        return REASON_DISK_FULL;
    for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++) {
        if (reasons[i].rc == (rc & 0xff))
            return reasons[i].reason;
    }
    return REASON_INTERNAL;
}

enum soma_code sqlite_error(sqlite3 *db, int rc, struct soma_error *err)
{
    // The connection's own text says more, but only while it is about this failure.
    bool is_latest = db && sqlite3_extended_errcode(db) == rc;
    int errnum = db ? sqlite3_system_errno(db) : 0;
    return error_set(err, reason_of(rc, errnum), NULL, "database: %s (%d)",
                     is_latest ? sqlite3_errmsg(db) : sqlite3_errstr(rc), rc);
}

static size_t slot_of(const char *sql)
{
    // Fibonacci hashing: the product's upper bits depend on all bits of the address.
    return (size_t)(((uint64_t)(uintptr_t)sql * 0x9e3779b97f4a7c15u) >> 32);
}

static int statement_get(struct store_txn *txn, const char *sql, sqlite3_stmt **ret_stmt)
{
    for (size_t i = 0; i < STATEMENT_SLOTS; i++) {
        struct statement_slot *slot = &txn->slots[(slot_of(sql) + i) % STATEMENT_SLOTS];
        if (slot->sql == sql) {
            *ret_stmt = slot->stmt;
            return SQLITE_OK;
        }
        if (slot->sql)
            continue;
        int rc = sqlite3_prepare_v3(txn->db, sql, -1, SQLITE_PREPARE_PERSISTENT, &slot->stmt, NULL);
        if (rc != SQLITE_OK)
            return rc;
        slot->sql = sql;
        *ret_stmt = slot->stmt;
        return SQLITE_OK;
    }
    return SQLITE_MISUSE;
}

void query_begin(struct query *query, struct store_txn *txn, const char *sql)
{
    *query = (struct query){.txn = txn};
    sqlite3_stmt *stmt = NULL;
    query->rc = statement_get(txn, sql, &stmt);
    if (query->rc != SQLITE_OK)
        return;
    // The same statement in use further up the stack: two queries would share one cursor.
    if (sqlite3_stmt_busy(stmt)) {
        query->rc = SQLITE_MISUSE;
        return;
    }
    query->stmt = stmt;
}

void query_end(struct query *query)
{
    if (!query->stmt)
        return;
    sqlite3_reset(query->stmt);
    sqlite3_clear_bindings(query->stmt);
    query->stmt = NULL;
}

void query_again(struct query *query)
{
    if (!query->stmt)
        return;
    sqlite3_reset(query->stmt);
    sqlite3_clear_bindings(query->stmt);
}

static void note(struct query *query, int rc)
{
    if (query->rc == SQLITE_OK)
        query->rc = rc;
}

void query_bind_int(struct query *query, int index, int64_t value)
{
    if (query->stmt)
        note(query, sqlite3_bind_int64(query->stmt, index, value));
}

void query_bind_double(struct query *query, int index, double value)
{
    if (query->stmt)
        note(query, sqlite3_bind_double(query->stmt, index, value));
}

void query_bind_text(struct query *query, int index, const char *text)
{
    if (query->stmt)
        note(query, sqlite3_bind_text(query->stmt, index, text, -1, SQLITE_STATIC));
}

void query_bind_blob(struct query *query, int index, const void *bytes, size_t length)
{
    if (query->stmt)
        note(query, sqlite3_bind_blob64(query->stmt, index, bytes, length, SQLITE_STATIC));
}

enum soma_code query_next(struct query *query, bool *ret_row, struct soma_error *err)
{
    if (query->rc != SQLITE_OK)
        return sqlite_error(query->txn->db, query->rc, err);
    int rc = sqlite3_step(query->stmt);
    if (rc != SQLITE_ROW && rc != SQLITE_DONE) {
        query->rc = rc;
        return sqlite_error(query->txn->db, rc, err);
    }
    *ret_row = rc == SQLITE_ROW;
    return SOMA_OK;
}

enum soma_code query_run(struct query *query, struct soma_error *err)
{
    bool row = true;
    enum soma_code code = SOMA_OK;
    while (row && code == SOMA_OK)
        code = query_next(query, &row, err);
    return code;
}

bool query_is_null(const struct query *query, int column)
{
    return sqlite3_column_type(query->stmt, column) == SQLITE_NULL;
}

int64_t query_int(const struct query *query, int column)
{
    return sqlite3_column_int64(query->stmt, column);
}

double query_double(const struct query *query, int column)
{
    return sqlite3_column_double(query->stmt, column);
}

const char *query_peek_text(const struct query *query, int column)
{
    const unsigned char *text = sqlite3_column_text(query->stmt, column);
    return text ? (const char *)text : "";
}

const void *query_peek_blob(const struct query *query, int column, size_t *ret_length)
{
    const void *bytes = sqlite3_column_blob(query->stmt, column);
    *ret_length = (size_t)sqlite3_column_bytes(query->stmt, column);
    return bytes;
}

char *query_copy_text(const struct query *query, int column, struct arena *arena)
{
    return arena_string(arena, query_peek_text(query, column));
}

void *query_copy_blob(const struct query *query, int column, struct arena *arena,
                      size_t *ret_length)
{
    const void *bytes = query_peek_blob(query, column, ret_length);
    return arena_copy(arena, bytes ? bytes : "", *ret_length);
}

int64_t txn_changes(const struct store_txn *txn)
{
    return sqlite3_changes64(txn->db);
}

int64_t txn_last_num(const struct store_txn *txn)
{
    return sqlite3_last_insert_rowid(txn->db);
}

enum soma_code txn_exec(struct store_txn *txn, const char *sql, struct soma_error *err)
{
    QUERY_CLEANUP struct query query;
    query_begin(&query, txn, sql);
    return query_run(&query, err);
}
