// server/store/writer: grouping, isolation of operations, failing commits, refusals.
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "store/sqlite.h"
#include "store_scratch.h"

enum {
    OPS = 200,
    DEADLINE_S = 30
};

static struct scratch scratch;

static int set_up(void **state)
{
    (void)state;
    scratch_open(&scratch);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    scratch_close(&scratch);
    return 0;
}

// Writes a row of that number; may fail after it on purpose, or wait in apply or finish.
struct row_op {
    struct write_op op;
    int64_t number;
    size_t bytes;
    bool fails;
    bool refuses;    // before it writes
    sem_t *entered;  // posted by apply
    sem_t *let_go;   // waited for by apply
    sem_t *finished; // posted by finish
    struct row_op *follower;
    int *finish_order; // counted by finish
    int finished_as;
    enum soma_code code;
    struct soma_error error;
};

static void await(sem_t *semaphore)
{
    struct timespec deadline;
    clock_gettime(CLOCK_REALTIME, &deadline);
    deadline.tv_sec += DEADLINE_S;
    int rc;
    while ((rc = sem_timedwait(semaphore, &deadline)) && errno == EINTR)
        continue;
    assert_int_equal(rc, 0);
}

static enum soma_code row_apply(struct write_op *op, struct store_txn *txn, struct soma_error *err)
{
    struct row_op *row = (struct row_op *)op;
    if (row->entered)
        sem_post(row->entered);
    if (row->let_go)
        await(row->let_go);
    if (row->follower)
        assert_true(writer_follow(scratch.writer, &row->follower->op));
    if (row->refuses)
        return error_set(err, REASON_FIELD_INVALID, "row", "refused on purpose");
    QUERY_CLEANUP struct query query;
    query_begin(&query, txn,
                "INSERT INTO request (num, id, made_unix_ms, fingerprint, reply) "
                "VALUES (?1, randomblob(16), 0, x'', zeroblob(?2))");
    query_bind_int(&query, 1, row->number);
    query_bind_int(&query, 2, (int64_t)row->bytes);
    enum soma_code code = query_run(&query, err);
    if (code == SOMA_OK && row->fails)
        return error_set(err, REASON_FIELD_INVALID, "row", "refused on purpose");
    return code;
}

static void row_finish(struct write_op *op, const struct soma_error *err)
{
    struct row_op *row = (struct row_op *)op;
    row->code = err ? err->code : SOMA_OK;
    if (err)
        row->error = *err;
    if (row->finish_order)
        row->finished_as = (*row->finish_order)++;
    if (row->finished)
        sem_post(row->finished);
}

static struct row_op row_op(int64_t number)
{
    return (struct row_op){
        .op = {.apply = row_apply, .finish = row_finish}, .number = number, .code = SOMA_UNKNOWN};
}

static int64_t count_rows(void)
{
    struct store_txn *txn;
    assert_int_equal(store_read_begin(scratch.store, &txn, NULL), SOMA_OK);
    struct query query;
    query_begin(&query, txn, "SELECT count(*) FROM request");
    bool row = false;
    assert_int_equal(query_next(&query, &row, NULL), SOMA_OK);
    int64_t count = query_int(&query, 0);
    query_end(&query);
    store_read_end(txn);
    return count;
}

static void operations_that_wait_share_one_commit(void **state)
{
    (void)state;
    sem_t entered, let_go, finished;
    sem_init(&entered, 0, 0);
    sem_init(&let_go, 0, 0);
    sem_init(&finished, 0, 0);
    struct row_op first = row_op(1);
    first.entered = &entered;
    first.let_go = &let_go;
    first.finished = &finished;
    writer_submit(scratch.writer, &first.op);
    await(&entered); // the first group holds this one alone; what follows has to wait
    static struct row_op rows[OPS];
    int order = 0;
    for (int i = 0; i < OPS; i++) {
        rows[i] = row_op(i + 2);
        rows[i].finished = &finished;
        rows[i].finish_order = &order;
        writer_submit(scratch.writer, &rows[i].op);
    }
    sem_post(&let_go);
    for (int i = 0; i < OPS + 1; i++)
        await(&finished);
    for (int i = 0; i < OPS; i++) {
        assert_int_equal(rows[i].code, SOMA_OK);
        assert_int_equal(rows[i].finished_as, i);
    }
    struct writer_counts counts;
    writer_count(scratch.writer, &counts);
    assert_int_equal(counts.groups, 2);
    assert_int_equal(counts.ops, OPS + 1);
    assert_int_equal(count_rows(), OPS + 1);
}

static void a_failing_operation_is_undone_alone(void **state)
{
    (void)state;
    sem_t entered, let_go, finished;
    sem_init(&entered, 0, 0);
    sem_init(&let_go, 0, 0);
    sem_init(&finished, 0, 0);
    struct row_op rows[4] = {row_op(1), row_op(2), row_op(3), row_op(4)};
    rows[0].entered = &entered;
    rows[0].let_go = &let_go;
    rows[2].fails = true;
    for (int i = 0; i < 4; i++) {
        rows[i].finished = &finished;
        writer_submit(scratch.writer, &rows[i].op);
        if (i == 0)
            await(&entered);
    }
    sem_post(&let_go);
    for (int i = 0; i < 4; i++)
        await(&finished);
    assert_int_equal(rows[1].code, SOMA_OK);
    assert_int_equal(rows[2].code, SOMA_INVALID_ARGUMENT);
    assert_string_equal(rows[2].error.field, "row");
    assert_int_equal(rows[3].code, SOMA_OK);
    assert_int_equal(count_rows(), 3);
}

static enum soma_code make_disk_full(void *context, struct store_txn *txn, struct soma_error *err)
{
    (void)context;
    return txn_exec(txn, "PRAGMA max_page_count = 40", err);
}

static enum soma_code make_disk_free(void *context, struct store_txn *txn, struct soma_error *err)
{
    (void)context;
    return txn_exec(txn, "PRAGMA max_page_count = 1000000", err);
}

static void a_full_disk_fails_the_group_changes_nothing_and_heals(void **state)
{
    (void)state;
    struct row_op before = row_op(1);
    assert_int_equal(writer_run(scratch.writer, &before.op, NULL), SOMA_OK);
    scratch_write(&scratch, make_disk_full, NULL, NULL);
    struct row_op large = row_op(2);
    large.bytes = 1 << 20;
    struct soma_error err = {0};
    assert_int_equal(writer_run(scratch.writer, &large.op, &err), SOMA_RESOURCE_EXHAUSTED);
    assert_string_equal(err.reason, "DISK_FULL");
    assert_int_equal(count_rows(), 1);
    scratch_write(&scratch, make_disk_free, NULL, NULL);
    large = row_op(2);
    large.bytes = 1 << 20;
    assert_int_equal(writer_run(scratch.writer, &large.op, &err), SOMA_OK);
    assert_int_equal(count_rows(), 2);
}

static void a_full_queue_refuses_at_once(void **state)
{
    (void)state;
    struct store *store = scratch.store;
    writer_free(scratch.writer);
    assert_int_equal(writer_start(store, 2, &scratch.writer, NULL), SOMA_OK);
    sem_t entered, let_go, finished;
    sem_init(&entered, 0, 0);
    sem_init(&let_go, 0, 0);
    sem_init(&finished, 0, 0);
    struct row_op rows[4] = {row_op(1), row_op(2), row_op(3), row_op(4)};
    rows[0].entered = &entered;
    rows[0].let_go = &let_go;
    for (int i = 0; i < 4; i++) {
        rows[i].finished = i < 3 ? &finished : NULL;
        writer_submit(scratch.writer, &rows[i].op);
        if (i == 0)
            await(&entered);
    }
    assert_int_equal(rows[3].code, SOMA_RESOURCE_EXHAUSTED);
    assert_string_equal(rows[3].error.reason, "SERVER_BUSY");
    assert_non_null(strstr(rows[3].error.text, "the limit waiting_requests is "));
    assert_true(rows[3].error.retry_after_ms > 0);
    sem_post(&let_go);
    for (int i = 0; i < 3; i++)
        await(&finished);
    assert_int_equal(rows[2].code, SOMA_OK);
}

static void *stop_writer(void *argument)
{
    writer_stop(argument);
    return NULL;
}

static void stopping_applies_what_waits(void **state)
{
    (void)state;
    sem_t entered, let_go;
    sem_init(&entered, 0, 0);
    sem_init(&let_go, 0, 0);
    struct row_op rows[3] = {row_op(1), row_op(2), row_op(3)};
    rows[0].entered = &entered;
    rows[0].let_go = &let_go;
    for (int i = 0; i < 3; i++)
        writer_submit(scratch.writer, &rows[i].op);
    await(&entered);
    pthread_t stopper;
    assert_int_equal(pthread_create(&stopper, NULL, stop_writer, scratch.writer), 0);
    sem_post(&let_go);
    pthread_join(stopper, NULL);
    for (int i = 0; i < 3; i++)
        assert_int_equal(rows[i].code, SOMA_OK);
    assert_int_equal(count_rows(), 3);
    struct row_op late = row_op(4);
    assert_int_equal(writer_run(scratch.writer, &late.op, NULL), SOMA_UNAVAILABLE);
    assert_int_equal(count_rows(), 3);
    writer_free(scratch.writer);
    assert_int_equal(writer_start(scratch.store, 16, &scratch.writer, NULL), SOMA_OK);
}

static void readers_do_not_wait_for_the_writer(void **state)
{
    (void)state;
    struct row_op committed = row_op(1);
    assert_int_equal(writer_run(scratch.writer, &committed.op, NULL), SOMA_OK);
    sem_t entered, let_go, finished;
    sem_init(&entered, 0, 0);
    sem_init(&let_go, 0, 0);
    sem_init(&finished, 0, 0);
    struct row_op rows[2] = {row_op(2), row_op(3)};
    rows[0].finished = rows[1].finished = &finished;
    rows[1].entered = &entered;
    rows[1].let_go = &let_go;
    writer_submit(scratch.writer, &rows[0].op);
    writer_submit(scratch.writer, &rows[1].op);
    await(&entered); // a write transaction is open, and stays so
    assert_in_range(count_rows(), 1, 2);
    sem_post(&let_go);
    await(&finished);
    await(&finished);
    assert_int_equal(count_rows(), 3);
}

static void a_reader_sees_one_snapshot(void **state)
{
    (void)state;
    struct store_txn *txn;
    assert_int_equal(store_read_begin(scratch.store, &txn, NULL), SOMA_OK);
    struct row_op row = row_op(1);
    assert_int_equal(writer_run(scratch.writer, &row.op, NULL), SOMA_OK);
    struct query query;
    query_begin(&query, txn, "SELECT count(*) FROM request");
    bool found = false;
    assert_int_equal(query_next(&query, &found, NULL), SOMA_OK);
    assert_int_equal(query_int(&query, 0), 0);
    query_end(&query);
    store_read_end(txn);
    assert_int_equal(count_rows(), 1);
}

static void a_reader_cannot_write(void **state)
{
    (void)state;
    struct store_txn *txn;
    assert_int_equal(store_read_begin(scratch.store, &txn, NULL), SOMA_OK);
    assert_int_not_equal(txn_exec(txn, "DELETE FROM request", NULL), SOMA_OK);
    store_read_end(txn);
}

// Three operations in one group; gives the middle one's fate in ops[1].
static void write_three(struct row_op ops[3])
{
    sem_t entered, let_go, finished;
    sem_init(&entered, 0, 0);
    sem_init(&let_go, 0, 0);
    sem_init(&finished, 0, 0);
    struct row_op first = row_op(1);
    first.entered = &entered;
    first.let_go = &let_go;
    first.finished = &finished;
    writer_submit(scratch.writer, &first.op);
    await(&entered); // the first group holds this one alone; the others share the next
    for (int i = 0; i < 3; i++) {
        ops[i].op.refuses_first = true;
        ops[i].finished = &finished;
        writer_submit(scratch.writer, &ops[i].op);
    }
    sem_post(&let_go);
    for (int i = 0; i < 4; i++)
        await(&finished);
    assert_int_equal(first.code, SOMA_OK);
}

static void an_operation_that_refuses_before_it_writes_fails_alone(void **state)
{
    (void)state;
    struct row_op ops[3] = {row_op(2), row_op(3), row_op(4)};
    ops[1].refuses = true;
    write_three(ops);
    assert_int_equal(ops[0].code, SOMA_OK);
    assert_int_equal(ops[1].code, SOMA_INVALID_ARGUMENT);
    assert_int_equal(ops[2].code, SOMA_OK);
    assert_int_equal(count_rows(), 3);
}

static void one_that_refuses_after_all_takes_its_group_along_and_nothing_is_changed(void **state)
{
    (void)state;
    struct row_op ops[3] = {row_op(2), row_op(3), row_op(4)};
    ops[1].fails = true;
    write_three(ops);
    for (int i = 0; i < 3; i++)
        assert_int_equal(ops[i].code, SOMA_INVALID_ARGUMENT);
    assert_int_equal(count_rows(), 1);
}

static void what_follows_shares_the_commit_behind_all_others(void **state)
{
    (void)state;
    struct row_op ops[3] = {row_op(2), row_op(3), row_op(4)}, follower = row_op(5);
    int order = 0;
    struct writer_counts before, after;
    sem_t finished;
    sem_init(&finished, 0, 0);
    follower.finished = &finished;
    ops[0].follower = &follower;
    ops[1].refuses = true;
    follower.finish_order = ops[2].finish_order = &order;
    writer_count(scratch.writer, &before);
    write_three(ops);
    await(&finished);
    writer_count(scratch.writer, &after);
    assert_int_equal(follower.code, SOMA_OK);
    assert_true(ops[2].finished_as < follower.finished_as);
    assert_int_equal(after.groups - before.groups, 2); // write_three holds them up with one
    assert_int_equal(count_rows(), 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_operation_that_refuses_before_it_writes_fails_alone,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            one_that_refuses_after_all_takes_its_group_along_and_nothing_is_changed, set_up,
            tear_down),
        cmocka_unit_test_setup_teardown(what_follows_shares_the_commit_behind_all_others, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(operations_that_wait_share_one_commit, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_failing_operation_is_undone_alone, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_full_disk_fails_the_group_changes_nothing_and_heals,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_full_queue_refuses_at_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(stopping_applies_what_waits, set_up, tear_down),
        cmocka_unit_test_setup_teardown(readers_do_not_wait_for_the_writer, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_reader_sees_one_snapshot, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_reader_cannot_write, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
