// SQLite's side of a transaction, for the files of this folder alone: prepared statements that are
// kept, binding, reading columns, and the one place where SQLite's codes become SOMA's.
//
// The SQL of a statement is a string with static storage; its address is the key under which the
// prepared statement is kept with the connection. A query lives on the stack, from query_begin to
// query_end:
//
//     QUERY_CLEANUP struct query query;
//     query_begin(&query, txn, SQL_JOB_BY_ID);
//     query_bind_text(&query, 1, id);
//     bool row;
//     enum soma_code code = query_next(&query, &row, err);
//
// The first failure, of the preparing or of a binding, is remembered and comes out of query_next or
// query_run, so nothing before them needs a check. A COMMIT fails while a statement is unfinished;
// query_end, which the cleanup runs on every way out, resets it.
#ifndef STORE_SQLITE_H
#define STORE_SQLITE_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "store/store.h"

enum {
    // A power of two; more different statements on one connection are a defect.
    STATEMENT_SLOTS = 256
};

struct job_counters;

struct statement_slot {
    const char *sql; // the key, by address; NULL: free
    sqlite3_stmt *stmt;
};

struct store_txn {
    sqlite3 *db;
    struct store *store;                          // whose pool it goes back to
    struct store_txn *next_free;                  // the pool's, under its lock
    int wal_pages;                                // of the log after the writer's last commit
    int wal_pages_tried;                          // and when it was last checkpointed
    int64_t changes_before;                       // rows changed before the open bare part
    struct job_counters *counters;                // the writer's alone; owned
    struct job_notes *notes;                      // likewise
    struct statement_slot slots[STATEMENT_SLOTS]; // open addressing
};

struct query {
    struct store_txn *txn;
    sqlite3_stmt *stmt; // NULL after a failed query_begin
    int rc;             // the first failure; SQLITE_OK until then
};

#define QUERY_CLEANUP __attribute__((cleanup(query_end)))

void query_begin(struct query *query, struct store_txn *txn, const char *sql);
void query_end(struct query *query);

// Parameters count from 1. Texts and blobs are borrowed until query_end; NULL binds SQL's NULL.
void query_bind_int(struct query *query, int index, int64_t value);
void query_bind_double(struct query *query, int index, double value);
void query_bind_text(struct query *query, int index, const char *text);
void query_bind_blob(struct query *query, int index, const void *bytes, size_t length);

// The next row; *ret_row is false at the end.
enum soma_code query_next(struct query *query, bool *ret_row, struct soma_error *err);

// To the end, whatever rows there are.
enum soma_code query_run(struct query *query, struct soma_error *err);

// Back to before the first row with all bindings gone, for the next use in a loop.
void query_again(struct query *query);

// Columns count from 0; what is peeked at lasts until the next query_next or query_end. A text that
// is NULL reads as "".
bool query_is_null(const struct query *query, int column);
int64_t query_int(const struct query *query, int column);
double query_double(const struct query *query, int column);
const char *query_peek_text(const struct query *query, int column);
const void *query_peek_blob(const struct query *query, int column, size_t *ret_length);

// Copies into the arena, with a NUL behind the end; NULL when that is full.
char *query_copy_text(const struct query *query, int column, struct arena *arena);
void *query_copy_blob(const struct query *query, int column, struct arena *arena,
                      size_t *ret_length);

// Rows that the latest INSERT, UPDATE or DELETE touched; the rowid of the latest INSERT.
int64_t txn_changes(const struct store_txn *txn);
int64_t txn_last_num(const struct store_txn *txn);

// A statement without parameters, kept prepared as all are.
enum soma_code txn_exec(struct store_txn *txn, const char *sql, struct soma_error *err);

// Fills err from a result code of SQLite: SQLITE_FULL is DISK_FULL, SQLITE_CORRUPT DATA_DAMAGED and
// so on. db may be NULL.
enum soma_code sqlite_error(sqlite3 *db, int rc, struct soma_error *err);

#endif
