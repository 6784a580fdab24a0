#include "store/connection.h"

#include <stdlib.h>
#include <string.h>

#include "base/crash_point.h"
#include "base/log.h"
#include "store/job_counters.h"
#include "store/job_notes.h"
#include "store/texts_score.h"

// The log's length, in pages. A checkpoint costs two syncs, so it waits for a pause (IDLE), but not
// for ever (BUSY), and is tried again when the log has grown by a STEP. Readers that overlap
// without end would keep the log from starting anew: past LONG the checkpoint waits a little for
// those that still read from it.
enum {
    WAL_PAGES_IDLE = 1000,
    WAL_PAGES_BUSY = 4000,
    WAL_PAGES_LONG = 32000,
    WAL_PAGES_STEP = 1000,
    BUSY_TIMEOUT_MS = 5000,
    CHECKPOINT_TIMEOUT_MS = 200
};

// The page size has to come before the first page, the journal mode before anything is read.
static const char *const pragmas_of_writer[] = {
    "PRAGMA page_size = 4096",     "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",   "PRAGMA journal_size_limit = 67108864",
    "PRAGMA cache_size = -16384",  "PRAGMA temp_store = MEMORY",
    "PRAGMA trusted_schema = OFF", NULL,
};

static const char *const pragmas_of_reader[] = {
    "PRAGMA query_only = ON",
    "PRAGMA cache_size = -4096",
    "PRAGMA temp_store = MEMORY",
    "PRAGMA trusted_schema = OFF",
    NULL,
};

static const char SQL_BEGIN_READ[] = "BEGIN";
static const char SQL_BEGIN_WRITE[] = "BEGIN IMMEDIATE";
static const char SQL_COMMIT[] = "COMMIT";
static const char SQL_ROLLBACK[] = "ROLLBACK";
static const char SQL_PART_BEGIN[] = "SAVEPOINT part";
static const char SQL_PART_KEEP[] = "RELEASE part";
static const char SQL_PART_UNDO[] = "ROLLBACK TO part";

// Undoing must not need memory: these are prepared with the connection.
static const char *const sql_of_control[] = {
    SQL_BEGIN_READ, SQL_BEGIN_WRITE, SQL_COMMIT,    SQL_ROLLBACK,
    SQL_PART_BEGIN, SQL_PART_KEEP,   SQL_PART_UNDO, NULL,
};

static int wal_grew(void *context, sqlite3 *db, const char *schema, int pages)
{
    (void)db;
    (void)schema;
    struct store_txn *txn = context;
    txn->wal_pages = pages;
    return SQLITE_OK;
}

static int set_up(struct store_txn *txn, enum connection_kind kind)
{
    sqlite3_busy_timeout(txn->db, BUSY_TIMEOUT_MS);
    sqlite3_db_config(txn->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    const char *const *pragma = kind == CONNECTION_WRITER ? pragmas_of_writer : pragmas_of_reader;
    for (; *pragma; pragma++) {
        int rc = sqlite3_exec(txn->db, *pragma, NULL, NULL, NULL);
        if (rc != SQLITE_OK)
            return rc;
    }
    int registered = texts_score_register(txn->db);
    if (registered != SQLITE_OK)
        return registered;
    for (const char *const *sql = sql_of_control; *sql; sql++) {
        QUERY_CLEANUP struct query query;
        query_begin(&query, txn, *sql);
        if (query.rc != SQLITE_OK)
            return query.rc;
    }
    // Replaces SQLite's automatic checkpoint: txn_checkpoint decides.
    sqlite3_wal_hook(txn->db, wal_grew, txn);
    return SQLITE_OK;
}

static int note_wal(void *ret_is_wal, int count, char **values, char **names)
{
    (void)names;
    *(bool *)ret_is_wal = count > 0 && values[0] && strcmp(values[0], "wal") == 0;
    return 0;
}

// SQLite keeps another journal, without an error, where the file system cannot share memory; then
// readers would wait for the writer.
static bool is_wal(struct store_txn *txn)
{
    bool wal = false;
    sqlite3_exec(txn->db, "PRAGMA journal_mode", note_wal, &wal, NULL);
    return wal;
}

enum soma_code connection_open(const char *path, enum connection_kind kind,
                               struct store_txn **ret_txn, struct soma_error *err)
{
    struct store_txn *txn = calloc(1, sizeof *txn);
    if (!txn)
        return error_set_no_memory(err);
    // No mutex: a connection is used by one thread at a time.
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
    int rc = sqlite3_open_v2(path, &txn->db, flags, NULL);
    if (rc == SQLITE_OK)
        rc = set_up(txn, kind);
    if (rc == SQLITE_OK && kind == CONNECTION_WRITER) {
        txn->counters = counters_new();
        txn->notes = calloc(1, sizeof *txn->notes);
        rc = txn->counters && txn->notes ? SQLITE_OK : SQLITE_NOMEM;
    }
    if (rc != SQLITE_OK) {
        enum soma_code code = sqlite_error(txn->db, rc, err);
        connection_close(txn);
        return code;
    }
    if (!is_wal(txn)) {
        connection_close(txn);
        return error_set(err, REASON_IO_ERROR, NULL,
                         "%s cannot have a write-ahead log on this file system", path);
    }
    *ret_txn = txn;
    return SOMA_OK;
}

void connection_close(struct store_txn *txn)
{
    if (!txn)
        return;
    for (size_t i = 0; i < STATEMENT_SLOTS; i++)
        sqlite3_finalize(txn->slots[i].stmt);
    sqlite3_close(txn->db);
    counters_free(txn->counters);
    job_notes_free(txn->notes);
    free(txn);
}

enum soma_code txn_begin(struct store_txn *txn, enum connection_kind kind, struct soma_error *err)
{
    // Left open where memory was short even for rolling back.
    txn_rollback(txn);
    return txn_exec(txn, kind == CONNECTION_WRITER ? SQL_BEGIN_WRITE : SQL_BEGIN_READ, err);
}

enum soma_code txn_commit(struct store_txn *txn, struct soma_error *err)
{
    enum soma_code code = counters_write(txn, err);
    if (code == SOMA_OK)
        code = txn_exec(txn, SQL_COMMIT, err);
    if (code == SOMA_OK)
        counters_committed(txn->counters);
    else
        txn_rollback(txn);
    if (code == SOMA_OK)
        job_notes_committed(txn->notes);
    return code;
}

void txn_rollback(struct store_txn *txn)
{
    // Fails only where nothing is open any more.
    if (txn_is_open(txn))
        txn_exec(txn, SQL_ROLLBACK, NULL);
    counters_rolled_back(txn->counters);
    job_notes_rolled_back(txn->notes);
}

bool txn_is_open(const struct store_txn *txn)
{
    return !sqlite3_get_autocommit(txn->db);
}

enum soma_code txn_part_begin(struct store_txn *txn, struct soma_error *err)
{
    counters_part_begin(txn->counters);
    job_notes_part_begin(txn->notes);
    return txn_exec(txn, SQL_PART_BEGIN, err);
}

enum soma_code txn_part_keep(struct store_txn *txn, struct soma_error *err)
{
    counters_part_keep(txn->counters);
    return txn_exec(txn, SQL_PART_KEEP, err);
}

enum soma_code txn_part_undo(struct store_txn *txn, struct soma_error *err)
{
    enum soma_code code = txn_exec(txn, SQL_PART_UNDO, err);
    if (code != SOMA_OK)
        return code;
    counters_part_undo(txn->counters);
    job_notes_part_undo(txn->notes);
    return txn_part_keep(txn, err);
}

void txn_bare_begin(struct store_txn *txn)
{
    counters_part_begin(txn->counters);
    job_notes_part_begin(txn->notes);
    txn->changes_before = sqlite3_total_changes64(txn->db);
}

void txn_bare_keep(struct store_txn *txn)
{
    counters_part_keep(txn->counters);
}

bool txn_bare_undo(struct store_txn *txn)
{
    counters_part_undo(txn->counters);
    job_notes_part_undo(txn->notes);
    return txn_is_open(txn) && sqlite3_total_changes64(txn->db) == txn->changes_before;
}

static bool checkpoint_is_due(const struct store_txn *txn, bool is_idle)
{
    if (txn->wal_pages < (is_idle ? WAL_PAGES_IDLE : WAL_PAGES_BUSY))
        return false;
    return txn->wal_pages < txn->wal_pages_tried ||
           txn->wal_pages - txn->wal_pages_tried >= WAL_PAGES_STEP;
}

void txn_checkpoint(struct store_txn *txn, bool is_idle)
{
    if (!checkpoint_is_due(txn, is_idle))
        return;
    bool is_long = txn->wal_pages >= WAL_PAGES_LONG;
    int mode = is_long ? SQLITE_CHECKPOINT_RESTART : SQLITE_CHECKPOINT_PASSIVE;
    sqlite3_busy_timeout(txn->db, CHECKPOINT_TIMEOUT_MS);
    int rc = sqlite3_wal_checkpoint_v2(txn->db, NULL, mode, NULL, NULL);
    sqlite3_busy_timeout(txn->db, BUSY_TIMEOUT_MS);
    crash_point(CRASH_CHECKPOINT_DONE);
    if (rc != SQLITE_OK && rc != SQLITE_BUSY)
        log_warning("STORE-CHECKPOINT", "cannot checkpoint: %s", sqlite3_errstr(rc));
    txn->wal_pages_tried = txn->wal_pages;
}

void txn_set_request(struct store_txn *txn, const uint8_t *id)
{
    if (txn->notes)
        txn->notes->request = id;
}
