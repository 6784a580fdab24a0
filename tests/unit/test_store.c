// server/store: opening, migrations, failing disks, sudden death.
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/log.h"
#include "store/connection.h"
#include "store/migrate.h"
#include "store/requests.h"
#include "store_scratch.h"

enum {
    DEADLINE_MS = 30000
};

static struct scratch scratch;

static int set_up(void **state)
{
    (void)state;
    log_set_level(LOG_LEVEL_ERROR);
    scratch_open(&scratch);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    scratch_close(&scratch);
    return 0;
}

static void path_of(const char *name, char ret_path[PATH_MAX])
{
    snprintf(ret_path, PATH_MAX, "%s/%s", scratch.directory, name);
}

static void exec_on(const char *name, const char *sql)
{
    char path[PATH_MAX];
    path_of(name, path);
    sqlite3 *db;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

static int64_t number_on(const char *name, const char *sql)
{
    char path[PATH_MAX];
    path_of(name, path);
    sqlite3 *db;
    sqlite3_stmt *stmt;
    assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &stmt, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
    int64_t value = sqlite3_column_int64(stmt, 0);
    sqlite3_finalize(stmt);
    sqlite3_close(db);
    return value;
}

static void a_new_database_is_current_synced_and_private(void **state)
{
    (void)state;
    char path[PATH_MAX];
    path_of("soma.db", path);
    struct stat info;
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
    assert_int_equal(number_on("soma.db", "PRAGMA user_version"), STORE_SCHEMA_VERSION);
    struct store_txn *txn = store_writing(scratch.store);
    struct query query;
    bool row = false;
    query_begin(&query, txn, "PRAGMA synchronous");
    assert_int_equal(query_next(&query, &row, NULL), SOMA_OK);
    assert_int_equal(query_int(&query, 0), 2); // FULL
    query_end(&query);
    query_begin(&query, txn, "PRAGMA journal_mode");
    assert_int_equal(query_next(&query, &row, NULL), SOMA_OK);
    assert_string_equal(query_peek_text(&query, 0), "wal");
    query_end(&query);
}

// Opens another store on a file that was prepared as soma.db in a directory of its own.
static enum soma_code open_prepared(const char *sql, struct soma_error *err)
{
    char directory[PATH_MAX];
    path_of("other", directory);
    assert_int_equal(mkdir(directory, 0700), 0);
    exec_on("other/soma.db", sql);
    struct store *store = NULL;
    enum soma_code code = store_open(directory, 1, &store, err);
    store_close(store);
    return code;
}

static void a_newer_schema_is_refused_and_both_versions_are_named(void **state)
{
    (void)state;
    struct soma_error err = {0};
    assert_int_equal(open_prepared("CREATE TABLE t (x); PRAGMA application_id = 0x534f4d41; "
                                   "PRAGMA user_version = 4711",
                                   &err),
                     SOMA_FAILED_PRECONDITION);
    assert_string_equal(err.reason, "SCHEMA_TOO_NEW");
    char known[32];
    snprintf(known, sizeof known, "up to %d", STORE_SCHEMA_VERSION);
    assert_non_null(strstr(err.text, "4711"));
    assert_non_null(strstr(err.text, known));
}

static void a_database_of_another_program_is_refused(void **state)
{
    (void)state;
    struct soma_error err = {0};
    assert_int_equal(open_prepared("CREATE TABLE t (x); PRAGMA user_version = 1", &err),
                     SOMA_DATA_LOSS);
    assert_string_equal(err.reason, "DATA_DAMAGED");
}

static void a_file_that_is_no_database_is_refused(void **state)
{
    (void)state;
    char directory[PATH_MAX];
    path_of("junk", directory);
    assert_int_equal(mkdir(directory, 0700), 0);
    int fd = open(directory, O_RDONLY | O_DIRECTORY);
    char junk[8192];
    memset(junk, 'j', sizeof junk);
    assert_int_equal(file_write_atomic(fd, "soma.db", junk, sizeof junk, 0600, NULL), SOMA_OK);
    close(fd);
    struct store *store = NULL;
    struct soma_error err = {0};
    assert_int_equal(store_open(directory, 1, &store, &err), SOMA_DATA_LOSS);
    assert_string_equal(err.reason, "DATA_DAMAGED");
}

static const struct migration to_one[] = {
    {1, "first", "CREATE TABLE t (x); INSERT INTO t VALUES (1)"}, {0, 0, 0}};
static const struct migration to_two[] = {
    {1, "first", "CREATE TABLE t (x); INSERT INTO t VALUES (1)"},
    {2, "second", "ALTER TABLE t ADD COLUMN y; UPDATE t SET y = 2"},
    {0, 0, 0}};
static const struct migration to_broken_two[] = {
    {1, "first", "CREATE TABLE t (x); INSERT INTO t VALUES (1)"},
    {2, "second", "UPDATE t SET x = 3; INSERT INTO no_such_table VALUES (1)"},
    {0, 0, 0}};

static enum soma_code migrate_to(const struct migration *table)
{
    char path[PATH_MAX];
    path_of("m.db", path);
    close(open(path, O_RDWR | O_CREAT, 0600));
    struct store_txn *txn;
    assert_int_equal(connection_open(path, CONNECTION_WRITER, &txn, NULL), SOMA_OK);
    enum soma_code code = migrate(txn, path, table, NULL);
    connection_close(txn);
    return code;
}

static void a_migration_keeps_a_copy_of_the_old_file(void **state)
{
    (void)state;
    assert_int_equal(migrate_to(to_one), SOMA_OK);
    assert_int_equal(migrate_to(to_two), SOMA_OK);
    assert_int_equal(number_on("m.db", "PRAGMA user_version"), 2);
    assert_int_equal(number_on("m.db", "SELECT y FROM t"), 2);
    assert_int_equal(number_on("m.db.v1.bak", "PRAGMA user_version"), 1);
    assert_int_equal(number_on("m.db.v1.bak", "SELECT x FROM t"), 1);
    char path[PATH_MAX];
    path_of("m.db.v1.bak", path);
    struct stat info;
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
}

static void a_failing_migration_changes_nothing(void **state)
{
    (void)state;
    assert_int_equal(migrate_to(to_one), SOMA_OK);
    assert_int_not_equal(migrate_to(to_broken_two), SOMA_OK);
    assert_int_equal(number_on("m.db", "PRAGMA user_version"), 1);
    assert_int_equal(number_on("m.db", "SELECT x FROM t"), 1);
}

static void migrate_to_version(int version)
{
    struct migration until_then[32] = {{0}};
    size_t count = 0;
    for (const struct migration *at = migration_table; at->sql && at->version <= version; at++)
        until_then[count++] = *at;
    assert_in_range(count, 1, 31);
    assert_int_equal(migrate_to(until_then), SOMA_OK);
}

static void documents_of_version_1_are_found_by_their_words(void **state)
{
    (void)state;
    migrate_to_version(1);
    exec_on("m.db", "INSERT INTO document VALUES (7, 'Hello there'), (9, 'hello world')");
    assert_int_equal(migrate_to(migration_table), SOMA_OK);
    assert_int_equal(
        number_on("m.db", "SELECT sum(rowid) FROM document_text WHERE document_text MATCH 'hello'"),
        16);
}

#define INSERT_JOB                                                                    \
    "INSERT INTO job (revision, state, priority, not_before_unix_ms, keep_ms, hold, " \
    "created_unix_ms, spec, dedupe_key, num, id, queue) VALUES (1, 1, 0, 0, 0, 0, 0, '', 'key', "

static void what_version_3_has_is_in_the_default_namespace(void **state)
{
    (void)state;
    migrate_to_version(3);
    exec_on("m.db", INSERT_JOB "1, 'j', 'q'); INSERT INTO token VALUES ('t', '', 8, 1, 0, 0)");
    assert_int_equal(migrate_to(migration_table), SOMA_OK);
    assert_int_equal(
        number_on("m.db", "SELECT j.namespace || t.namespace = '' FROM job j, token t"), 1);
    exec_on("m.db", "UPDATE job SET revision = 0, namespace = 'a'; " INSERT_JOB "2, 'k', 'q')");
    assert_int_equal(number_on("m.db", "SELECT count(*) FROM job WHERE dedupe_key = 'key'"), 2);
}

// --- a disk that fails: the log's methods, with two replaced

static sqlite3_vfs faulty;
static const sqlite3_io_methods *real_methods;
static sqlite3_io_methods faulty_methods;
static volatile int sync_result = SQLITE_OK;
static volatile int write_result = SQLITE_OK;

static int faulty_sync(sqlite3_file *file, int flags)
{
    return sync_result != SQLITE_OK ? sync_result : real_methods->xSync(file, flags);
}

static int faulty_write(sqlite3_file *file, const void *bytes, int length, sqlite3_int64 offset)
{
    return write_result != SQLITE_OK ? write_result
                                     : real_methods->xWrite(file, bytes, length, offset);
}

static int faulty_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags,
                       int *ret_flags)
{
    sqlite3_vfs *real = vfs->pAppData;
    int rc = real->xOpen(real, name, file, flags, ret_flags);
    if (rc == SQLITE_OK && flags & SQLITE_OPEN_WAL) {
        real_methods = file->pMethods;
        faulty_methods = *real_methods;
        faulty_methods.xSync = faulty_sync;
        faulty_methods.xWrite = faulty_write;
        file->pMethods = &faulty_methods;
    }
    return rc;
}

static int set_up_faulty(void **state)
{
    sqlite3_vfs *real = sqlite3_vfs_find(NULL);
    faulty = *real;
    faulty.zName = "faulty";
    faulty.pAppData = real;
    faulty.xOpen = faulty_open;
    sqlite3_vfs_register(&faulty, 1);
    return set_up(state);
}

static int tear_down_faulty(void **state)
{
    int rc = tear_down(state);
    sqlite3_vfs_unregister(&faulty);
    sqlite3_vfs_register(faulty.pAppData, 1);
    return rc;
}

static enum soma_code insert_request(void *context, struct store_txn *txn, struct soma_error *err)
{
    uint8_t id[REQUEST_STORE_ID_BYTES] = {0};
    uint8_t fingerprint[REQUEST_STORE_FINGERPRINT_BYTES] = {0};
    int64_t number = *(const int64_t *)context;
    memcpy(id, &number, sizeof number);
    return request_store_insert(txn, id, fingerprint, "reply", 5, (struct wall_time){number}, err);
}

static int64_t request_count(void)
{
    struct store_txn *txn;
    assert_int_equal(store_read_begin(scratch.store, &txn, NULL), SOMA_OK);
    struct query query;
    bool row = false;
    query_begin(&query, txn, "SELECT count(*) FROM request");
    assert_int_equal(query_next(&query, &row, NULL), SOMA_OK);
    int64_t count = query_int(&query, 0);
    query_end(&query);
    store_read_end(txn);
    return count;
}

static void a_failing_disk_changes_nothing_and_heals(void **state)
{
    (void)state;
    static const struct {
        volatile int *where;
        int rc;
        const char *reason;
    } faults[] = {
        {&sync_result, SQLITE_IOERR_FSYNC, "IO_ERROR"},
        {&write_result, SQLITE_IOERR_WRITE, "IO_ERROR"},
        {&write_result, SQLITE_FULL, "DISK_FULL"},
    };
    int64_t number = 1;
    assert_int_equal(scratch_write(&scratch, insert_request, &number, NULL), SOMA_OK);
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        struct soma_error err = {0};
        number++;
        *faults[i].where = faults[i].rc;
        assert_int_not_equal(scratch_write(&scratch, insert_request, &number, &err), SOMA_OK);
        *faults[i].where = SQLITE_OK;
        assert_string_equal(err.reason, faults[i].reason);
        assert_int_equal(request_count(), (int64_t)i + 1);
        assert_int_equal(scratch_write(&scratch, insert_request, &number, &err), SOMA_OK);
        assert_int_equal(request_count(), (int64_t)i + 2);
    }
}

// --- sudden death

struct acked_op {
    struct write_op op;
    int64_t number;
    int pipe;
    struct writer *writer;
};

static enum soma_code acked_apply(struct write_op *op, struct store_txn *txn,
                                  struct soma_error *err)
{
    return insert_request(&((struct acked_op *)op)->number, txn, err);
}

static int64_t next_number = 1; // the child's writer thread's

// Says on the pipe what is durable, and goes on with the next number.
static void acked_finish(struct write_op *op, const struct soma_error *err)
{
    struct acked_op *acked = (struct acked_op *)op;
    if (err || write(acked->pipe, &acked->number, sizeof acked->number) < 0)
        _exit(1);
    acked->number = next_number++;
    writer_submit(acked->writer, op);
}

static void write_until_killed(const char *directory, int pipe_fd)
{
    static struct acked_op ops[8];
    struct store *store;
    struct writer *writer;
    if (store_open(directory, 1, &store, NULL) != SOMA_OK ||
        writer_start(store, 64, &writer, NULL) != SOMA_OK)
        _exit(1);
    for (int i = 0; i < 8; i++) {
        ops[i] = (struct acked_op){.op = {.apply = acked_apply, .finish = acked_finish},
                                   .number = -1 - i,
                                   .pipe = pipe_fd,
                                   .writer = writer};
    }
    for (int i = 0; i < 8; i++)
        writer_submit(writer, &ops[i].op);
    for (;;)
        pause();
}

// Reads count acknowledgements, kills, reads what else was said. Returns how many there are.
static size_t kill_after(pid_t child, int pipe_fd, size_t count, int64_t *ret_numbers, size_t max)
{
    size_t got = 0;
    bool killed = false;
    struct pollfd poller = {.fd = pipe_fd, .events = POLLIN};
    while (got < max && poll(&poller, 1, DEADLINE_MS) == 1) {
        if (read(pipe_fd, &ret_numbers[got], sizeof *ret_numbers) != sizeof *ret_numbers)
            break;
        got++;
        if (got >= count && !killed)
            killed = kill(child, SIGKILL) == 0;
    }
    int status;
    assert_true(killed);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    return got;
}

static void assert_is_there(int64_t number)
{
    uint8_t id[REQUEST_STORE_ID_BYTES] = {0};
    uint8_t fingerprint[REQUEST_STORE_FINGERPRINT_BYTES] = {0};
    memcpy(id, &number, sizeof number);
    struct store_txn *txn;
    struct arena arena;
    const void *reply = NULL;
    size_t length = 0;
    arena_init(&arena, 4096);
    assert_int_equal(store_read_begin(scratch.store, &txn, NULL), SOMA_OK);
    assert_int_equal(request_store_find(txn, id, fingerprint, &arena, &reply, &length, NULL),
                     SOMA_OK);
    assert_non_null(reply);
    store_read_end(txn);
    arena_fini(&arena);
}

static void what_was_acknowledged_survives_sigkill(void **state)
{
    (void)state;
    static int64_t numbers[100000];
    // No threads and no open database in the process that forks.
    writer_free(scratch.writer);
    store_close(scratch.store);
    for (size_t round = 0; round < 5; round++) {
        int fds[2];
        assert_int_equal(pipe(fds), 0);
        pid_t child = fork();
        assert_int_not_equal(child, -1);
        if (child == 0)
            write_until_killed(scratch.directory, fds[1]);
        close(fds[1]);
        size_t count =
            kill_after(child, fds[0], 1 + round * 300, numbers, sizeof numbers / sizeof numbers[0]);
        close(fds[0]);
        assert_int_equal(store_open(scratch.directory, 1, &scratch.store, NULL), SOMA_OK);
        for (size_t i = 0; i < count; i++)
            assert_is_there(numbers[i]);
        store_close(scratch.store);
        // Ids are unique, and the next child begins again with the same numbers.
        exec_on("soma.db", "DELETE FROM request");
    }
    assert_int_equal(store_open(scratch.directory, 1, &scratch.store, NULL), SOMA_OK);
    assert_int_equal(writer_start(scratch.store, 64, &scratch.writer, NULL), SOMA_OK);
}

// --- requests

static enum soma_code forget_two(void *context, struct store_txn *txn, struct soma_error *err)
{
    // A day after the sixth: five are older.
    return request_store_forget(txn, (struct wall_time){6 + REQUEST_KEEP_MS}, 2, context, err);
}

static void old_requests_go_in_steps(void **state)
{
    (void)state;
    for (int64_t number = 1; number <= 10; number++)
        assert_int_equal(scratch_write(&scratch, insert_request, &number, NULL), SOMA_OK);
    static const size_t steps[] = {2, 2, 1, 0};
    for (size_t i = 0; i < 4; i++) {
        size_t count = 99;
        assert_int_equal(scratch_write(&scratch, forget_two, &count, NULL), SOMA_OK);
        assert_int_equal(count, steps[i]);
    }
    assert_int_equal(request_count(), 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_new_database_is_current_synced_and_private, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(documents_of_version_1_are_found_by_their_words, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_newer_schema_is_refused_and_both_versions_are_named,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_database_of_another_program_is_refused, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_file_that_is_no_database_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_migration_keeps_a_copy_of_the_old_file, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_failing_migration_changes_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_version_3_has_is_in_the_default_namespace, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_failing_disk_changes_nothing_and_heals, set_up_faulty,
                                        tear_down_faulty),
        cmocka_unit_test_setup_teardown(what_was_acknowledged_survives_sigkill, set_up, tear_down),
        cmocka_unit_test_setup_teardown(old_requests_go_in_steps, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
