// server/store: queues, their counts and limits, the order of claims, and what a claim looks at.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/log.h"
#include "store/connection.h"
#include "store/job_ready.h"
#include "store/migrate.h"
#include "store/queues.h"
#include "store_scratch.h"
#include "wire/limits.h"

enum {
    ARENA_BYTES = 8 << 20,
};

static struct scratch scratch;
static int id_count;

static int set_up(void **state)
{
    (void)state;
    log_set_level(LOG_LEVEL_ERROR);
    scratch_open(&scratch);
    id_count = 0;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    scratch_close(&scratch);
    return 0;
}

// --- what the tests do

struct submit {
    const char *queue;
    int32_t priority;
    int64_t not_before_ms;
    int64_t num;
};

static enum soma_code insert(void *context, struct store_txn *txn, struct soma_error *err)
{
    struct submit *submit = context;
    struct job_spec spec = {.queue = submit->queue,
                            .priority = submit->priority,
                            .not_before.ms = submit->not_before_ms};
    char id[ID_SIZE];
    snprintf(id, sizeof id, "job%017d", ++id_count);
    struct job_new new = {
        .id = id,
        .spec = &spec,
        .bytes = {"head", 4, NULL, 0},
        .now = {1},
        .room = {.unfinished_max = INT64_MAX},
    };
    struct job_row row;
    enum soma_code code = job_store_insert(txn, &new, &row, err);
    if (code == SOMA_OK)
        submit->num = row.job.num;
    return code;
}

static int64_t submit(const char *queue, int32_t priority)
{
    struct submit submit = {queue, priority, 0, 0};
    assert_int_equal(scratch_write(&scratch, insert, &submit, NULL), SOMA_OK);
    return submit.num;
}

static enum soma_code insert_and_refuse(void *context, struct store_txn *txn,
                                        struct soma_error *err)
{
    enum soma_code code = insert(context, txn, err);
    return code == SOMA_OK ? error_set(err, REASON_INTERNAL, NULL, "after all") : code;
}

struct change {
    int64_t num;
    enum job_state state;
};

static enum soma_code set_state(void *context, struct store_txn *txn, struct soma_error *err)
{
    const struct change *change = context;
    struct arena arena;
    arena_init(&arena, ARENA_BYTES);
    struct job_row row;
    enum soma_code code = job_store_get_num(txn, change->num, false, &arena, &row, err);
    if (code == SOMA_OK) {
        row.job.status.state = change->state;
        row.job.status.wait = change->state == JOB_QUEUED ? JOB_WAIT_PLACE : JOB_WAIT_NONE;
        code = job_store_update(txn, &row, err);
    }
    arena_fini(&arena);
    return code;
}

static void set(int64_t num, enum job_state state)
{
    struct change change = {num, state};
    assert_int_equal(scratch_write(&scratch, set_state, &change, NULL), SOMA_OK);
}

static enum soma_code find_first(void *context, struct store_txn *txn, struct soma_error *err)
{
    return job_ready_first(txn, context, err);
}

static int64_t first(void)
{
    int64_t num = -1;
    assert_int_equal(scratch_write(&scratch, find_first, &num, NULL), SOMA_OK);
    return num;
}

static int64_t claim(void)
{
    int64_t num = first();
    if (num > 0)
        set(num, JOB_RUNNING);
    return num;
}

struct setting {
    const char *queue;
    struct queue_settings settings;
};

static enum soma_code write_settings(void *context, struct store_txn *txn, struct soma_error *err)
{
    const struct setting *setting = context;
    return queue_store_set(txn, setting->queue, &setting->settings, err);
}

static void settings(const char *queue, bool paused, int64_t max_running)
{
    struct setting setting = {queue, {.paused = paused, .max_running = max_running}};
    assert_int_equal(scratch_write(&scratch, write_settings, &setting, NULL), SOMA_OK);
}

static enum soma_code get(const char *name, struct queue *ret_queue)
{
    struct store_txn *txn;
    struct soma_error err = {0};
    assert_int_equal(store_read_begin(scratch.store, &txn, NULL), SOMA_OK);
    enum soma_code code = queue_store_get(txn, name, ret_queue, &err);
    store_read_end(txn);
    return code;
}

static int64_t number_of(const char *sql)
{
    struct store_txn *txn;
    assert_int_equal(store_read_begin(scratch.store, &txn, NULL), SOMA_OK);
    struct query query;
    bool row = false;
    query_begin(&query, txn, sql);
    assert_int_equal(query_next(&query, &row, NULL), SOMA_OK);
    int64_t number = row ? query_int(&query, 0) : -1;
    query_end(&query);
    store_read_end(txn);
    return number;
}

// --- the order of claims

static void the_larger_priority_comes_first_whatever_the_queue(void **state)
{
    (void)state;
    int64_t low = submit("a", -1), high = submit("b", 7), middle = submit("a", 3);
    int64_t high_too = submit("a", 7);
    assert_int_equal(claim(), high);
    assert_int_equal(claim(), high_too);
    assert_int_equal(claim(), middle);
    assert_int_equal(claim(), low);
    assert_int_equal(claim(), 0);
}

static void equal_priorities_start_in_the_order_of_their_submits(void **state)
{
    (void)state;
    static const char *const queues[] = {"a", "b", "c"};
    int64_t nums[30];
    for (int i = 0; i < 30; i++)
        nums[i] = submit(queues[i % 7 % 3], 0);
    for (int i = 0; i < 30; i++)
        assert_int_equal(claim(), nums[i]);
}

static void a_paused_queue_starts_nothing_and_others_do(void **state)
{
    (void)state;
    int64_t held = submit("a", 100), other = submit("b", 0);
    settings("a", true, 0);
    assert_int_equal(claim(), other);
    assert_int_equal(claim(), 0);
    int64_t better = submit("a", 200);
    assert_int_equal(claim(), 0);
    settings("a", false, 0);
    assert_int_equal(claim(), better);
    assert_int_equal(claim(), held);
}

static void a_queue_runs_no_more_jobs_than_its_limit(void **state)
{
    (void)state;
    settings("a", false, 2);
    int64_t nums[4];
    for (int i = 0; i < 4; i++)
        nums[i] = submit("a", 0);
    assert_int_equal(claim(), nums[0]);
    assert_int_equal(claim(), nums[1]);
    assert_int_equal(claim(), 0);
    set(nums[0], JOB_SUCCEEDED);
    assert_int_equal(claim(), nums[2]);
    assert_int_equal(claim(), 0);
    settings("a", false, 3);
    assert_int_equal(claim(), nums[3]);
}

static void the_head_of_a_queue_is_never_one_that_left_it(void **state)
{
    (void)state;
    int64_t one = submit("a", 5), two = submit("a", 0);
    assert_int_equal(first(), one);
    set(one, JOB_CANCELLED);
    assert_int_equal(first(), two);
    // One that came and was undone.
    struct submit undone = {"a", 9, 0, 0};
    assert_int_equal(scratch_write(&scratch, insert_and_refuse, &undone, NULL), SOMA_INTERNAL);
    assert_int_equal(first(), two);
    set(one, JOB_QUEUED);
    assert_int_equal(first(), one);
    // Nor does the writer remember what another life of the server knew.
    scratch_reopen(&scratch);
    assert_int_equal(first(), one);
}

// Two parts of one transaction, as the writer makes them: one is undone, the other is kept.
static void a_job_whose_waking_was_undone_is_not_the_head_of_its_queue(void **state)
{
    (void)state;
    struct submit late = {"a", 0, 500, 0}, other = {"b", 0, 0, 0};
    assert_int_equal(scratch_write(&scratch, insert, &late, NULL), SOMA_OK);
    struct store_txn *txn = store_writing(scratch.store);
    int64_t seen = 0;
    // The transaction is ours from here on.
    writer_free(scratch.writer);
    scratch.writer = NULL;
    assert_int_equal(txn_begin(txn, CONNECTION_WRITER, NULL), SOMA_OK);
    assert_int_equal(txn_part_begin(txn, NULL), SOMA_OK);
    assert_int_equal(job_ready_wake(txn, (struct wall_time){600}, 10, NULL), SOMA_OK);
    assert_int_equal(job_ready_first(txn, &seen, NULL), SOMA_OK);
    assert_int_equal(seen, late.num);
    assert_int_equal(txn_part_undo(txn, NULL), SOMA_OK);
    assert_int_equal(txn_part_begin(txn, NULL), SOMA_OK);
    assert_int_equal(insert(&other, txn, NULL), SOMA_OK);
    assert_int_equal(txn_part_keep(txn, NULL), SOMA_OK);
    assert_int_equal(txn_commit(txn, NULL), SOMA_OK);
    assert_int_equal(txn_begin(txn, CONNECTION_WRITER, NULL), SOMA_OK);
    assert_int_equal(job_ready_first(txn, &seen, NULL), SOMA_OK);
    assert_int_equal(txn_commit(txn, NULL), SOMA_OK);
    assert_int_equal(seen, other.num);
}

// --- counts

static void counts_follow_the_jobs_and_an_undone_change_does_not_count(void **state)
{
    (void)state;
    int64_t num = submit("a", 0);
    submit("a", 0);
    struct submit undone = {"a", 0, 0, 0};
    assert_int_equal(scratch_write(&scratch, insert_and_refuse, &undone, NULL), SOMA_INTERNAL);
    set(num, JOB_RUNNING);
    set(num, JOB_FAILED);
    struct queue queue;
    assert_int_equal(get("a", &queue), SOMA_OK);
    assert_int_equal(queue.count_of[JOB_QUEUED], 1);
    assert_int_equal(queue.count_of[JOB_RUNNING], 0);
    assert_int_equal(queue.count_of[JOB_FAILED], 1);
    assert_int_equal(number_of("SELECT revision FROM job_total"),
                     number_of("SELECT max(revision) FROM job"));
}

static enum soma_code delete_num(void *context, struct store_txn *txn, struct soma_error *err)
{
    return job_store_delete(txn, *(int64_t *)context, (struct wall_time){1}, err);
}

static void a_queue_is_there_while_it_has_jobs_or_settings(void **state)
{
    (void)state;
    struct queue queue;
    assert_int_equal(get("a", &queue), SOMA_NOT_FOUND);
    int64_t num = submit("a", 0);
    assert_int_equal(get("a", &queue), SOMA_OK);
    set(num, JOB_CANCELLED);
    assert_int_equal(scratch_write(&scratch, delete_num, &num, NULL), SOMA_OK);
    assert_int_equal(get("a", &queue), SOMA_NOT_FOUND);
    settings("a", true, 0);
    assert_int_equal(get("a", &queue), SOMA_OK);
    assert_true(queue.settings.paused);
    settings("a", false, 0);
    assert_int_equal(get("a", &queue), SOMA_NOT_FOUND);
    assert_int_equal(number_of("SELECT count(*) FROM job_queue"), 0);
}

static enum soma_code insert_many(void *context, struct store_txn *txn, struct soma_error *err)
{
    (void)context;
    char name[32];
    struct queue_settings settings = {.paused = true};
    enum soma_code code = SOMA_OK;
    for (int i = 0; i < LIMIT_QUEUES && code == SOMA_OK; i++) {
        snprintf(name, sizeof name, "queue-%d", i);
        code = queue_store_set(txn, name, &settings, err);
    }
    return code;
}

static void queues_are_capped_and_listed_in_pages(void **state)
{
    (void)state;
    assert_int_equal(scratch_write(&scratch, insert_many, NULL, NULL), SOMA_OK);
    struct soma_error err = {0};
    struct submit more = {"one-more", 0, 0, 0};
    assert_int_equal(scratch_write(&scratch, insert, &more, &err), SOMA_RESOURCE_EXHAUSTED);
    assert_string_equal(err.reason, "QUEUE_LIMIT");
    assert_string_equal(err.text, "the limit queues is 10000, and it is reached");
    more.queue = "queue-7";
    assert_int_equal(scratch_write(&scratch, insert, &more, NULL), SOMA_OK);
    struct arena arena;
    struct store_txn *txn;
    arena_init(&arena, ARENA_BYTES);
    assert_int_equal(store_read_begin(scratch.store, &txn, NULL), SOMA_OK);
    struct queue_list list = {.more = true};
    size_t seen = 0;
    char last[64] = "";
    while (list.more) {
        struct name_range range;
        name_range_init(&range, NULL, last);
        assert_int_equal(queue_store_list(txn, &range, 999, &arena, &list, NULL), SOMA_OK);
        for (size_t i = 0; i < list.count; i++, seen++) {
            assert_true(strcmp(last, list.rows[i].name) < 0);
            snprintf(last, sizeof last, "%s", list.rows[i].name);
        }
    }
    assert_int_equal(seen, LIMIT_QUEUES);
    store_read_end(txn);
    arena_fini(&arena);
}

// --- what SQLite looks at

static void assert_plan(const char *sql, const char *expected)
{
    struct store_txn *txn;
    assert_int_equal(store_read_begin(scratch.store, &txn, NULL), SOMA_OK);
    struct query query;
    query_begin(&query, txn, sql);
    bool row = true;
    bool is_expected = false;
    while (row) {
        assert_int_equal(query_next(&query, &row, NULL), SOMA_OK);
        const char *step = row ? query_peek_text(&query, 3) : "";
        is_expected |= strstr(step, expected) != NULL;
        if (strncmp(step, "SCAN", 4) == 0 && strstr(step, "USING") == NULL)
            fail_msg("%s: %s", sql, step);
        if (strstr(step, "B-TREE"))
            fail_msg("%s: %s", sql, step);
    }
    if (!is_expected)
        fail_msg("%s: not by '%s'", sql, expected);
    query_end(&query);
    store_read_end(txn);
}

static void every_look_for_work_is_one_step_in_an_index(void **state)
{
    (void)state;
    assert_plan("EXPLAIN QUERY PLAN SELECT num, priority FROM job WHERE state = 1 AND hold = 0 "
                "AND queue = 'a' ORDER BY priority DESC, num LIMIT 1",
                "INDEX job_ready (queue=?)");
    assert_plan("EXPLAIN QUERY PLAN SELECT num FROM job WHERE state = 1 AND start_by_unix_ms > 0 "
                "AND start_by_unix_ms <= 9 ORDER BY start_by_unix_ms LIMIT 1",
                "INDEX job_start_by (start_by_unix_ms>? AND start_by_unix_ms<?)");
    assert_plan("EXPLAIN QUERY PLAN SELECT due_unix_ms FROM job WHERE state = 1 AND hold = 1 "
                "ORDER BY due_unix_ms LIMIT 1",
                "INDEX job_due");
    assert_plan("EXPLAIN QUERY PLAN SELECT num FROM job WHERE dedupe_key = 'k' AND state < 3",
                "INDEX job_dedupe (dedupe_key=?)");
    assert_plan("EXPLAIN QUERY PLAN SELECT num FROM job_after WHERE after_num = 1 ORDER BY num",
                "PRIMARY KEY (after_num=?)");
    assert_plan("EXPLAIN QUERY PLAN SELECT num FROM job WHERE state > 2 AND queue = 'a' AND "
                "finished_unix_ms <= 9 ORDER BY finished_unix_ms",
                "INDEX job_by_queue_end (queue=? AND finished_unix_ms<?)");
}

// --- from version 1

static void run_on(sqlite3 *db, const char *sql)
{
    char *message = NULL;
    if (sqlite3_exec(db, sql, NULL, NULL, &message) != SQLITE_OK)
        fail_msg("%s", message);
}

static void a_database_of_version_1_keeps_its_jobs_and_counts(void **state)
{
    (void)state;
    char path[128];
    writer_free(scratch.writer);
    store_close(scratch.store);
    snprintf(path, sizeof path, "%s/soma.db", scratch.directory);
    assert_int_equal(remove(path), 0);
    sqlite3 *db;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    for (const struct migration *row = migration_table; row->sql; row++) {
        if (row->version == 1)
            run_on(db, row->sql);
    }
    run_on(db, "PRAGMA user_version = 1; PRAGMA application_id = 0x534f4d41;"
               "UPDATE job_total SET revision = 4, queued = 2, running = 1, failed = 1;"
               "INSERT INTO job (num, id, state, revision, queue, priority, not_before_unix_ms, "
               "keep_ms, delayed, created_unix_ms, stdout_kept, spec) VALUES "
               "(1, 'one', 1, 1, 'a', 0, 0, 9, 0, 1, 0, 'x'), "
               "(2, 'two', 1, 2, 'b', 0, 500, 9, 1, 1, 0, 'x'), "
               "(3, 'three', 2, 3, 'a', 0, 0, 9, 0, 1, 0, 'x'), "
               "(4, 'four', 4, 4, 'b', 0, 0, 9, 0, 1, 7, 'x');");
    sqlite3_close(db);
    assert_int_equal(store_open(scratch.directory, 1, &scratch.store, NULL), SOMA_OK);
    assert_int_equal(writer_start(scratch.store, 64, &scratch.writer, NULL), SOMA_OK);
    struct queue queue;
    assert_int_equal(get("a", &queue), SOMA_OK);
    assert_int_equal(queue.count_of[JOB_QUEUED], 1);
    assert_int_equal(queue.count_of[JOB_RUNNING], 1);
    assert_int_equal(get("b", &queue), SOMA_OK);
    assert_int_equal(queue.count_of[JOB_FAILED], 1);
    assert_int_equal(queue.output_bytes, 7);
    assert_int_equal(first(), 1);
    assert_int_equal(number_of("SELECT due_unix_ms FROM job WHERE hold = 1"), 500);
    assert_int_equal(submit("a", 1), 5);
    assert_int_equal(first(), 5);
}

#define QUEUE_TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        QUEUE_TEST(the_larger_priority_comes_first_whatever_the_queue),
        QUEUE_TEST(equal_priorities_start_in_the_order_of_their_submits),
        QUEUE_TEST(a_paused_queue_starts_nothing_and_others_do),
        QUEUE_TEST(a_queue_runs_no_more_jobs_than_its_limit),
        QUEUE_TEST(the_head_of_a_queue_is_never_one_that_left_it),
        QUEUE_TEST(a_job_whose_waking_was_undone_is_not_the_head_of_its_queue),
        QUEUE_TEST(counts_follow_the_jobs_and_an_undone_change_does_not_count),
        QUEUE_TEST(a_queue_is_there_while_it_has_jobs_or_settings),
        QUEUE_TEST(queues_are_capped_and_listed_in_pages),
        QUEUE_TEST(every_look_for_work_is_one_step_in_an_index),
        QUEUE_TEST(a_database_of_version_1_keeps_its_jobs_and_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
