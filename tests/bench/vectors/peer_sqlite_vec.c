// sqlite-vec, the loadable extension: looks at every row, in SQL.
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "peer.h"

struct peer {
    const struct peer_settings *settings;
    sqlite3 *db;
    sqlite3_stmt *remove, *insert, *search[3]; // all rows, of 1 %, of 10 %
    char path[256];
};

const char *const peer_name = "sqlite_vec";

static void check(struct peer *peer, int code, const char *what)
{
    if (code == SQLITE_OK || code == SQLITE_DONE || code == SQLITE_ROW)
        return;
    fprintf(stderr, "sqlite_vec: %s: %s\n", what, sqlite3_errmsg(peer->db));
    exit(1);
}

static void run(struct peer *peer, const char *sql)
{
    check(peer, sqlite3_exec(peer->db, sql, NULL, NULL, NULL), sql);
}

static sqlite3_stmt *prepare(struct peer *peer, const char *sql)
{
    sqlite3_stmt *statement;
    check(peer, sqlite3_prepare_v2(peer->db, sql, -1, &statement, NULL), sql);
    return statement;
}

struct peer *peer_new(const struct peer_settings *settings)
{
    char sql[256], *why;
    struct peer *peer = calloc(1, sizeof *peer);
    const char *scratch = getenv("SOMA_BENCH_SCRATCH");
    peer->settings = settings;
    snprintf(peer->path, sizeof peer->path, "%s/sqlite-vec.%d", scratch ? scratch : "/tmp",
             (int)getpid());
    check(peer, sqlite3_open(peer->path, &peer->db), "open");
    sqlite3_enable_load_extension(peer->db, 1);
    if (sqlite3_load_extension(peer->db, VEC0, NULL, &why) != SQLITE_OK) {
        fprintf(stderr, "sqlite_vec: %s\n", why);
        exit(1);
    }
    run(peer, "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL");
    snprintf(sql, sizeof sql,
             "CREATE VIRTUAL TABLE IF NOT EXISTS v USING vec0 (label integer, tens integer, "
             "embedding float[%zu] distance_metric=%s)",
             settings->dim, settings->is_cosine ? "cosine" : "l2");
    run(peer, sql);
    peer->remove = prepare(peer, "DELETE FROM v WHERE rowid = ?1");
    peer->insert =
        prepare(peer, "INSERT INTO v (rowid, label, tens, embedding) VALUES (?1, ?2, ?3, ?4)");
    peer->search[0] = prepare(peer, "SELECT rowid FROM v WHERE embedding MATCH ?1 AND k = 10");
    peer->search[1] =
        prepare(peer, "SELECT rowid FROM v WHERE embedding MATCH ?1 AND k = 10 AND label = 3");
    peer->search[2] =
        prepare(peer, "SELECT rowid FROM v WHERE embedding MATCH ?1 AND k = 10 AND tens = 3");
    return peer;
}

void peer_free(struct peer *peer)
{
    sqlite3_finalize(peer->remove);
    sqlite3_finalize(peer->insert);
    for (int i = 0; i < 3; i++)
        sqlite3_finalize(peer->search[i]);
    sqlite3_close(peer->db);
    free(peer);
}

static int row_bytes(const struct peer *peer)
{
    return (int)(peer->settings->dim * sizeof(float));
}

static void add_row(struct peer *peer, const float *row, size_t label)
{
    sqlite3_bind_int64(peer->insert, 1, (sqlite3_int64)label + 1);
    sqlite3_bind_int64(peer->insert, 2, (sqlite3_int64)label % 100);
    sqlite3_bind_int64(peer->insert, 3, (sqlite3_int64)label % 10);
    sqlite3_bind_blob(peer->insert, 4, row, row_bytes(peer), SQLITE_STATIC);
    sqlite3_bind_int64(peer->remove, 1, (sqlite3_int64)label + 1);
    check(peer, sqlite3_step(peer->remove), "delete");
    sqlite3_reset(peer->remove);
    check(peer, sqlite3_step(peer->insert), "insert");
    sqlite3_reset(peer->insert);
}

void peer_add(struct peer *peer, const float *rows, size_t count, size_t first_label)
{
    enum {
        ROWS_A_TRANSACTION = 1000
    };
    for (size_t i = 0; i < count; i++) {
        if (i % ROWS_A_TRANSACTION == 0)
            run(peer, i ? "COMMIT; BEGIN" : "BEGIN");
        add_row(peer, rows + i * peer->settings->dim, first_label + i);
    }
    run(peer, "COMMIT");
}

bool peer_search(struct peer *peer, const float *queries, size_t count, size_t ef,
                 const struct peer_filter *filter, int32_t *ret_labels)
{
    (void)ef;
    sqlite3_stmt *statement = peer->search[!filter ? 0 : filter->modulus == 100 ? 1 : 2];
    for (size_t i = 0; i < count; i++) {
        sqlite3_bind_blob(statement, 1, queries + i * peer->settings->dim, row_bytes(peer),
                          SQLITE_STATIC);
        int code;
        for (size_t n = 0; (code = sqlite3_step(statement)) == SQLITE_ROW && n < K; n++)
            ret_labels[i * K + n] = (int32_t)sqlite3_column_int64(statement, 0) - 1;
        check(peer, code, "search");
        sqlite3_reset(statement);
    }
    return true;
}

bool peer_save(struct peer *peer, const char *path)
{
    (void)peer, (void)path;
    return true; // it is a file from the beginning
}

bool peer_load(struct peer *peer, const char *path)
{
    (void)peer, (void)path;
    return true;
}

size_t peer_code_bytes(const struct peer *peer)
{
    (void)peer;
    return 0;
}

pid_t peer_server(const struct peer *peer)
{
    (void)peer;
    return 0;
}
