// What SQLite itself can do on this disk with the rows that one durable SubmitJob writes: a job and
// its request id.
//
//     sqlite_commit group|single MODEL.db SCRATCH_DIR SUBMITTERS SECONDS
//
// MODEL is the database of a server that has taken at least one SubmitJob: schema and column values
// are copied from it, only the keys differ, so the rows are the same. Submitters are threads; each
// hands over one row pair, waits until it is committed and hands over the next. group commits
// everything that waits in one transaction, single commits each pair alone. WAL, synchronous=FULL.
#include <pthread.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include <sqlite3.h>

#include "base/id.h"
#include "load.h"

enum {
    SUBMITTERS_MAX = 1024,
    SQL_MAX = 4096,
    BATCH_MAX = 256
};

// One table that a submit writes a row of: what is copied, and which column gets a fresh key.
struct copied_table {
    const char *name;
    const char *key;
    bool key_is_text;
    const char *counter; // a column that counts up; NULL: there is none
    sqlite3_stmt *insert;
};

static struct copied_table tables[] = {
    {"job", "id", true, "revision", NULL},
    {"request", "id", false, NULL, NULL},
};

enum {
    TABLE_COUNT = sizeof tables / sizeof tables[0]
};

struct submitter {
    pthread_cond_t committed;
    bool waiting;
};

static struct submitter submitters[SUBMITTERS_MAX];
static int queue[SUBMITTERS_MAX]; // places in submitters
static int queue_count;
static bool stopping;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t queued = PTHREAD_COND_INITIALIZER;
static sqlite3 *db;
static uint32_t *latencies;
static size_t finished;

static void die(const char *what)
{
    fprintf(stderr, "sqlite_commit: %s: %s\n", what, db ? sqlite3_errmsg(db) : "");
    _exit(1);
}

static void run(const char *sql)
{
    if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
        die(sql);
}

static int run_row(void *unused, int count, char **values, char **names)
{
    (void)unused;
    (void)names;
    if (count == 1 && values[0] && strncmp(values[0], "CREATE TABLE sqlite_", 20) != 0)
        run(values[0]);
    return 0;
}

// Appends to a bounded statement text.
static void add(char *sql, const char *text)
{
    if (strlen(sql) + strlen(text) + 1 > SQL_MAX)
        die("a table with too many columns");
    strcat(sql, text);
}

// INSERT INTO t(a, b, …) SELECT a, b, … with the key replaced by a parameter; the row number column
// is left to SQLite.
static void prepare_copy(struct copied_table *table)
{
    char columns[SQL_MAX] = "", values[SQL_MAX] = "", sql[3 * SQL_MAX];
    sqlite3_stmt *info;
    snprintf(sql, sizeof sql,
             "SELECT name FROM pragma_table_info('%s') WHERE NOT (pk AND type = 'INTEGER')",
             table->name);
    if (sqlite3_prepare_v2(db, sql, -1, &info, NULL) != SQLITE_OK)
        die(sql);
    while (sqlite3_step(info) == SQLITE_ROW) {
        const char *column = (const char *)sqlite3_column_text(info, 0);
        add(columns, columns[0] ? ", " : "");
        add(columns, column);
        add(values, values[0] ? ", " : "");
        bool counts = table->counter && strcmp(column, table->counter) == 0;
        add(values, strcmp(column, table->key) == 0 ? "?1" : counts ? "?2" : column);
    }
    sqlite3_finalize(info);
    snprintf(sql, sizeof sql, "INSERT INTO %s(%s) SELECT %s FROM sample_%s", table->name, columns,
             values, table->name);
    if (sqlite3_prepare_v2(db, sql, -1, &table->insert, NULL) != SQLITE_OK)
        die(sql);
}

static void open_copy(const char *model, const char *scratch)
{
    char path[1024], sql[2048];
    snprintf(path, sizeof path, "%s/commit-%ld.db", scratch, (long)getpid());
    if (sqlite3_open(path, &db) != SQLITE_OK)
        die(path);
    snprintf(sql, sizeof sql,
             "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; ATTACH '%s' AS model", model);
    run(sql);
    // A full-text index makes its own tables.
    if (sqlite3_exec(db,
                     "SELECT sql FROM model.sqlite_master WHERE sql IS NOT NULL AND name NOT GLOB "
                     "'document_text_*' ORDER BY rowid",
                     run_row, NULL, NULL))
        die("schema");
    for (int i = 0; i < TABLE_COUNT; i++) {
        snprintf(sql, sizeof sql, "CREATE TEMP TABLE sample_%s AS SELECT * FROM model.%s LIMIT 1",
                 tables[i].name, tables[i].name);
        run(sql);
    }
    run("DETACH model");
    for (int i = 0; i < TABLE_COUNT; i++)
        prepare_copy(&tables[i]);
}

static void insert_pair(void)
{
    static sqlite3_int64 count;
    count++;
    for (int i = 0; i < TABLE_COUNT; i++) {
        char text[ID_SIZE];
        uint8_t bytes[16];
        id_make(text);
        request_id_make(bytes);
        if (tables[i].key_is_text)
            sqlite3_bind_text(tables[i].insert, 1, text, -1, SQLITE_TRANSIENT);
        else
            sqlite3_bind_blob(tables[i].insert, 1, bytes, sizeof bytes, SQLITE_TRANSIENT);
        if (tables[i].counter)
            sqlite3_bind_int64(tables[i].insert, 2, count);
        if (sqlite3_step(tables[i].insert) != SQLITE_DONE || sqlite3_changes(db) != 1)
            die("insert");
        sqlite3_reset(tables[i].insert);
    }
}

static void *submit(void *argument)
{
    struct submitter *self = argument;
    pthread_mutex_lock(&mutex);
    while (!stopping) {
        int64_t begun = now_ns();
        self->waiting = true;
        queue[queue_count++] = (int)(self - submitters);
        pthread_cond_signal(&queued);
        while (self->waiting)
            pthread_cond_wait(&self->committed, &mutex);
        if (finished < LATENCIES_MAX)
            latencies[finished] = (uint32_t)(now_ns() - begun);
        finished++;
    }
    pthread_mutex_unlock(&mutex);
    return NULL;
}

// Takes up to max of what waits; 0 when all is over.
static int take(int *batch, int max)
{
    pthread_mutex_lock(&mutex);
    while (queue_count == 0 && !stopping)
        pthread_cond_wait(&queued, &mutex);
    int count = queue_count < max ? queue_count : max;
    memcpy(batch, queue, (size_t)count * sizeof *batch);
    queue_count -= count;
    memmove(queue, queue + count, (size_t)queue_count * sizeof *queue);
    pthread_mutex_unlock(&mutex);
    return count;
}

static void release(const int *batch, int count)
{
    pthread_mutex_lock(&mutex);
    for (int i = 0; i < count; i++) {
        submitters[batch[i]].waiting = false;
        pthread_cond_signal(&submitters[batch[i]].committed);
    }
    pthread_mutex_unlock(&mutex);
}

static void *write_batches(void *group)
{
    int batch[BATCH_MAX];
    int count;
    while ((count = take(batch, group ? BATCH_MAX : 1)) > 0) {
        run("BEGIN IMMEDIATE");
        for (int i = 0; i < count; i++)
            insert_pair();
        run("COMMIT");
        release(batch, count);
    }
    return NULL;
}

int main(int argc, char **argv)
{
    int count = argc == 6 ? (int)number_of(argv[4], SUBMITTERS_MAX) : 0;
    double seconds = argc == 6 ? number_of(argv[5], 60) : 0;
    if (count < 1 || seconds <= 0)
        die("usage: sqlite_commit group|single MODEL.db SCRATCH_DIR SUBMITTERS SECONDS");
    latencies = calloc(LATENCIES_MAX, sizeof *latencies);
    open_copy(argv[2], argv[3]);
    static pthread_t threads[SUBMITTERS_MAX];
    pthread_t writer;
    int64_t begun = now_ns();
    pthread_create(&writer, NULL, write_batches, strcmp(argv[1], "group") == 0 ? &queued : NULL);
    for (int i = 0; i < count; i++) {
        pthread_cond_init(&submitters[i].committed, NULL);
        pthread_create(&threads[i], NULL, submit, &submitters[i]);
    }
    usleep((useconds_t)(seconds * 1e6));
    pthread_mutex_lock(&mutex);
    size_t done = finished;
    double passed = (double)(now_ns() - begun) / 1e9;
    stopping = true;
    pthread_cond_signal(&queued);
    pthread_mutex_unlock(&mutex);
    for (int i = 0; i < count; i++)
        pthread_join(threads[i], NULL);
    pthread_mutex_lock(&mutex);
    pthread_cond_signal(&queued);
    pthread_mutex_unlock(&mutex);
    pthread_join(writer, NULL);
    report(latencies, done, passed);
    return 0;
}
