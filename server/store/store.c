#include "store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "store/ballast.h"
#include "store/connection.h"
#include "store/migrate.h"

enum {
    READERS_MAX = 64,
    // A read transaction is short; a pool that is empty for so long is stuck.
    READ_WAIT_S = 10
};

struct store {
    struct store_txn *writing; // owned; lent to the writer thread
    struct ballast ballast;    // the writer thread's
    struct store_txn *readers[READERS_MAX];
    unsigned reader_count;
    pthread_mutex_t lock;
    pthread_cond_t returned;
    struct store_txn *free_readers; // lock
};

// Before SQLite's first use in the process; its statistics of memory cost a global lock for every
// allocation. A failure means that somebody was first, and costs nothing but speed.
static void configure_sqlite(void)
{
    sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
}

// SQLite would make the file readable for all; its log and index take over the file's mode.
static enum soma_code make_file(const char *directory, const char *path, struct soma_error *err)
{
    FD_CLEANUP int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return error_set_errno(err, errno, "cannot open %s", path);
    FD_CLEANUP int directory_fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (directory_fd < 0 || fsync(directory_fd))
        return error_set_errno(err, errno, "cannot sync %s", directory);
    return SOMA_OK;
}

static enum soma_code open_connections(struct store *store, const char *path, unsigned reader_count,
                                       struct soma_error *err)
{
    enum soma_code code = connection_open(path, CONNECTION_WRITER, &store->writing, err);
    if (code == SOMA_OK)
        code = migrate(store->writing, path, migration_table, err);
    for (unsigned i = 0; i < reader_count && code == SOMA_OK; i++) {
        code = connection_open(path, CONNECTION_READER, &store->readers[i], err);
        if (code != SOMA_OK)
            return code;
        store->reader_count++;
        store->readers[i]->store = store;
        store->readers[i]->next_free = store->free_readers;
        store->free_readers = store->readers[i];
    }
    return code;
}

// Who starts a server is told which file it is about.
static void name_file(struct soma_error *err, const char *path)
{
    static const char begin[] = "database: ";
    char text[sizeof err->text];
    if (!err || strncmp(err->text, begin, sizeof begin - 1) != 0)
        return;
    snprintf(text, sizeof text, "database %.200s: %s", path, err->text + sizeof begin - 1);
    memcpy(err->text, text, sizeof text);
}

static struct store *store_new(void)
{
    struct store *store = calloc(1, sizeof *store);
    if (!store)
        return NULL;
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&store->returned, &attributes);
    pthread_condattr_destroy(&attributes);
    pthread_mutex_init(&store->lock, NULL);
    return store;
}

enum soma_code store_open(const char *directory, unsigned reader_count, struct store **ret_store,
                          struct soma_error *err)
{
    static pthread_once_t configured = PTHREAD_ONCE_INIT;
    pthread_once(&configured, configure_sqlite);
    char path[PATH_MAX];
    if (snprintf(path, sizeof path, "%s/soma.db", directory) >= (int)sizeof path)
        return error_set_errno(err, ENAMETOOLONG, "cannot open the database in %s", directory);
    if (reader_count < 1 || reader_count > READERS_MAX)
        return error_set(err, REASON_INTERNAL, NULL, "%u read connections", reader_count);
    enum soma_code code = make_file(directory, path, err);
    if (code != SOMA_OK)
        return code;
    struct store *store = store_new();
    if (!store)
        return error_set_no_memory(err);
    ballast_open(&store->ballast, directory);
    code = open_connections(store, path, reader_count, err);
    if (code != SOMA_OK) {
        name_file(err, path);
        store_close(store);
        return code;
    }
    *ret_store = store;
    return SOMA_OK;
}

void store_close(struct store *store)
{
    if (!store)
        return;
    for (unsigned i = 0; i < store->reader_count; i++)
        connection_close(store->readers[i]);
    // The last one to close moves the whole log into the file and removes it.
    connection_close(store->writing);
    ballast_close(&store->ballast);
    pthread_cond_destroy(&store->returned);
    pthread_mutex_destroy(&store->lock);
    free(store);
}

struct store_txn *store_writing(struct store *store)
{
    return store->writing;
}

struct ballast *store_ballast(struct store *store)
{
    return &store->ballast;
}

static struct store_txn *take_reader(struct store *store)
{
    struct timespec deadline;
    clock_gettime(CLOCK_MONOTONIC, &deadline);
    deadline.tv_sec += READ_WAIT_S;
    int errnum = 0;
    pthread_mutex_lock(&store->lock);
    while (!store->free_readers && errnum != ETIMEDOUT)
        errnum = pthread_cond_timedwait(&store->returned, &store->lock, &deadline);
    struct store_txn *txn = store->free_readers;
    if (txn)
        store->free_readers = txn->next_free;
    pthread_mutex_unlock(&store->lock);
    return txn;
}

static void give_back(struct store_txn *txn)
{
    struct store *store = txn->store;
    pthread_mutex_lock(&store->lock);
    txn->next_free = store->free_readers;
    store->free_readers = txn;
    pthread_cond_signal(&store->returned);
    pthread_mutex_unlock(&store->lock);
}

enum soma_code store_read_begin(struct store *store, struct store_txn **ret_txn,
                                struct soma_error *err)
{
    struct store_txn *txn = take_reader(store);
    if (!txn)
        return error_set(err, REASON_SERVER_BUSY, NULL, "no free connection to the database");
    enum soma_code code = txn_begin(txn, CONNECTION_READER, err);
    // The snapshot is taken by the first read, not by BEGIN.
    if (code == SOMA_OK)
        code = txn_exec(txn, "SELECT 1 FROM sqlite_schema LIMIT 1", err);
    if (code != SOMA_OK) {
        store_read_end(txn);
        return code;
    }
    *ret_txn = txn;
    return SOMA_OK;
}

void store_read_end(struct store_txn *txn)
{
    if (!txn)
        return;
    txn_rollback(txn);
    give_back(txn);
}

const char *store_library(void)
{
    static char text[32];
    snprintf(text, sizeof text, "sqlite %s", sqlite3_libversion());
    return text;
}
