// server/store/jobs: random changes against a plain model of what the tables should say.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "job_model.h"
#include "store/job_ready.h"

enum {
    STEPS = 1500
};

static void check_totals(struct store_txn *txn)
{
    struct job_totals totals;
    assert_int_equal(job_store_totals(txn, &totals, NULL), SOMA_OK);
    int64_t counts[JOB_STATE_COUNT] = {0};
    int64_t bytes = 0;
    for (size_t i = 0; i < model_count; i++) {
        counts[model[i].state]++;
        bytes += model[i].state > JOB_RUNNING ? model[i].kept_bytes : 0;
    }
    for (int state = 1; state < JOB_STATE_COUNT; state++)
        assert_int_equal(totals.count_of[state], counts[state]);
    assert_int_equal(totals.output_bytes, bytes);
    assert_int_equal(totals.revision, model_revision);
}

// Pages through all that matches, newest first.
static void check_list(struct store_txn *txn, struct arena *arena)
{
    struct job_label labels[2];
    struct job_filter filter = model_filter(labels);
    struct job_list list = {.more = true};
    size_t at = model_count;
    for (int64_t before = 0; list.more; before = list.after) {
        assert_int_equal(
            job_store_list(txn, &filter, before, 1 + model_pick(20), arena, &list, NULL), SOMA_OK);
        for (size_t i = 0; i < list.count; i++) {
            do
                assert_true(at-- > 0);
            while (!model_matches(&model[at], &filter));
            assert_string_equal(list.rows[i]->job.id, model[at].id);
            assert_int_equal(list.rows[i]->job.status.revision, model[at].revision);
        }
    }
    while (at-- > 0)
        assert_false(model_matches(&model[at], &filter));
}

// Ids count from 1.
static size_t model_index(const char *id)
{
    return (size_t)strtol(id + 3, NULL, 10) - 1;
}

// Follows the changes since a random revision to their end: what it saw last of each job is what
// the model says.
static void check_changes(struct store_txn *txn, struct arena *arena)
{
    static int64_t seen[MODEL_MAX];
    static bool gone[MODEL_MAX];
    memset(seen, 0, sizeof seen);
    memset(gone, 0, sizeof gone);
    int64_t since = model_pick((uint32_t)model_revision + 1);
    struct job_filter any = {0};
    for (int64_t at = since, before = -1; at != before;) {
        struct job_changes changes;
        assert_int_equal(job_store_changes(txn, at, &any, 1 + model_pick(9), arena, &changes, NULL),
                         SOMA_OK);
        assert_false(changes.history_lost);
        for (size_t i = 0; i < changes.jobs.count; i++)
            assert_in_range(changes.jobs.rows[i]->job.status.revision, llabs(at) + 1,
                            changes.revision);
        for (size_t i = 0; i < changes.jobs.count; i++)
            seen[model_index(changes.jobs.rows[i]->job.id)] =
                changes.jobs.rows[i]->job.status.revision;
        for (size_t i = 0; i < changes.removed_count; i++)
            gone[model_index(changes.removed_ids[i])] = true;
        before = at;
        at = job_changes_next(&changes);
    }
    for (size_t i = 0; i < model_count; i++) {
        bool changed = model[i].revision > since;
        assert_int_equal(seen[i], changed && model[i].state ? model[i].revision : 0);
        if (since > 0)
            assert_int_equal(gone[i], changed && !model[i].state);
    }
}

static int by_start_order(const void *left, const void *right)
{
    const struct model_job *a = *(const struct model_job *const *)left;
    const struct model_job *b = *(const struct model_job *const *)right;
    if (a->priority != b->priority)
        return a->priority > b->priority ? -1 : 1;
    return a->num < b->num ? -1 : 1;
}

struct ready {
    const struct model_job *expected[MODEL_MAX];
    size_t count;
    int64_t due;
};

// Claims them all one after the other, as the engine does, and gives all up at the end.
static enum soma_code claim_all(void *context, struct store_txn *txn, struct soma_error *err)
{
    struct ready *ready = context;
    struct wall_time due;
    assert_int_equal(job_ready_wake(txn, (struct wall_time){model_now_ms}, MODEL_MAX, err),
                     SOMA_OK);
    for (size_t i = 0; i <= ready->count; i++) {
        int64_t num = 0;
        assert_int_equal(job_ready_first(txn, &num, err), SOMA_OK);
        assert_int_equal(num, i < ready->count ? ready->expected[i]->num : 0);
        if (num == 0)
            break;
        struct arena arena;
        struct job_row row;
        arena_init(&arena, ARENA_BYTES);
        assert_int_equal(job_store_get_num(txn, num, false, &arena, &row, err), SOMA_OK);
        row.job.status.state = JOB_RUNNING;
        row.job.status.wait = JOB_WAIT_NONE;
        assert_int_equal(job_store_update(txn, &row, err), SOMA_OK);
        arena_fini(&arena);
    }
    assert_int_equal(job_ready_next(txn, &due, err), SOMA_OK);
    assert_int_equal(due.ms, ready->due);
    return error_set(err, REASON_CALL_CANCELLED, NULL, "only a look");
}

static void check_ready(void)
{
    struct ready ready = {0};
    for (size_t i = 0; i < model_count; i++) {
        if (model[i].state != JOB_QUEUED)
            continue;
        if (model[i].not_before <= model_now_ms)
            ready.expected[ready.count++] = &model[i];
        else if (ready.due == 0 || model[i].not_before < ready.due)
            ready.due = model[i].not_before;
    }
    qsort(ready.expected, ready.count, sizeof(const struct model_job *), by_start_order);
    // Once with what the writer remembers, once with what it learned from that look.
    for (int look = 0; look < 2; look++)
        assert_int_equal(scratch_write(&model_scratch, claim_all, &ready, NULL), SOMA_CANCELLED);
}

static void check_ends(struct store_txn *txn, struct arena *arena)
{
    struct wall_time now = {model_now_ms};
    struct job_list list;
    size_t expired = 0;
    size_t running = 0;
    for (size_t i = 0; i < model_count; i++) {
        running += model[i].state == JOB_RUNNING;
        expired +=
            model[i].state > JOB_RUNNING && model[i].finished + model[i].keep <= model_now_ms;
    }
    assert_int_equal(job_store_expired(txn, now, MODEL_MAX, arena, &list, NULL), SOMA_OK);
    assert_int_equal(list.count, expired);
    assert_int_equal(job_store_running(txn, 0, MODEL_MAX, arena, &list, NULL), SOMA_OK);
    assert_int_equal(list.count, running);
    struct job_label labels[2];
    struct job_filter filter = model_filter(labels);
    struct wall_time before = {model_now_ms - model_pick(100)};
    size_t ended = 0;
    for (size_t i = 0; i < model_count; i++)
        ended += model[i].state > JOB_RUNNING && model[i].finished <= before.ms &&
                 model_matches(&model[i], &filter);
    assert_int_equal(job_store_ended(txn, &filter, before, MODEL_MAX, arena, &list, NULL), SOMA_OK);
    assert_int_equal(list.count, ended);
    for (size_t i = 0; i < list.count; i++)
        assert_int_equal(list.rows[i]->spec.head_length, 0);
    for (size_t i = 1; i < list.count; i++)
        assert_true(list.rows[i - 1]->job.status.finished.ms <=
                    list.rows[i]->job.status.finished.ms);
}

static void the_tables_say_what_the_model_says(void **state)
{
    (void)state;
    for (int step = 0; step < STEPS; step++) {
        model_step();
        if (step % 10 != 0)
            continue;
        struct arena arena;
        struct store_txn *txn;
        arena_init(&arena, ARENA_BYTES);
        assert_int_equal(store_read_begin(model_scratch.store, &txn, NULL), SOMA_OK);
        check_totals(txn);
        check_list(txn, &arena);
        check_changes(txn, &arena);
        check_ends(txn, &arena);
        store_read_end(txn);
        check_ready();
        arena_fini(&arena);
    }
    scratch_reopen(&model_scratch);
    struct store_txn *txn;
    assert_int_equal(store_read_begin(model_scratch.store, &txn, NULL), SOMA_OK);
    check_totals(txn);
    store_read_end(txn);
}

static void a_row_comes_back_as_it_was_written(void **state)
{
    (void)state;
    model_insert();
    while (model[model_count - 1].priority >= 0)
        model_insert();
    struct model_job *job = &model[model_count - 1];
    model_change(job);
    struct arena arena;
    struct store_txn *txn;
    struct job_row row;
    arena_init(&arena, ARENA_BYTES);
    assert_int_equal(store_read_begin(model_scratch.store, &txn, NULL), SOMA_OK);
    assert_int_equal(job_store_get(txn, job->id, true, &arena, &row, NULL), SOMA_OK);
    store_read_end(txn);
    assert_int_equal(row.spec.head_length, 4);
    assert_memory_equal(row.spec.head, "head", 4);
    assert_int_equal(row.spec.body_length, 4);
    assert_memory_equal(row.spec.body, "body", 4);
    assert_string_equal(row.job.spec.queue, job->queue);
    assert_int_equal(row.job.spec.priority, job->priority);
    assert_string_equal(row.job.status.message, "changed");
    assert_string_equal(row.job.status.cancel_note, "");
    assert_true(row.job.status.has_progress);
    assert_true(row.job.status.progress.percent == 12.5);
    assert_string_equal(row.job.status.progress.message, "on the way");
    assert_false(row.job.status.has_resources);
    arena_fini(&arena);
}

static void an_unknown_job_is_not_found(void **state)
{
    (void)state;
    struct arena arena;
    struct store_txn *txn;
    struct job_row row;
    struct soma_error err = {0};
    arena_init(&arena, ARENA_BYTES);
    assert_int_equal(store_read_begin(model_scratch.store, &txn, NULL), SOMA_OK);
    assert_int_equal(job_store_get(txn, "nobody", false, &arena, &row, &err), SOMA_NOT_FOUND);
    assert_string_equal(err.reason, "JOB_NOT_FOUND");
    assert_string_equal(err.field, "job_id");
    store_read_end(txn);
    struct model_job nobody = {.num = 4711};
    assert_int_equal(scratch_write(&model_scratch, model_delete_num, &nobody, &err),
                     SOMA_NOT_FOUND);
    arena_fini(&arena);
}

static enum soma_code insert_over_the_cap(void *context, struct store_txn *txn,
                                          struct soma_error *err)
{
    (void)context;
    struct job_spec spec = {.queue = "default"};
    struct spec_bytes bytes = {"head", 4, NULL, 0};
    struct job_new new = {
        .id = "oneoverthecap0000000",
        .spec = &spec,
        .bytes = bytes,
        .now = {1},
        .room = {.unfinished_max = 2},
    };
    struct job_row row;
    return job_store_insert(txn, &new, &row, err);
}

static void unfinished_jobs_are_capped(void **state)
{
    (void)state;
    model_insert();
    model_insert();
    struct soma_error err = {0};
    assert_int_equal(scratch_write(&model_scratch, insert_over_the_cap, NULL, &err),
                     SOMA_RESOURCE_EXHAUSTED);
    assert_string_equal(err.reason, "QUEUE_FULL");
    assert_int_equal(err.retry_after_ms, 30000);
    struct store_txn *txn;
    assert_int_equal(store_read_begin(model_scratch.store, &txn, NULL), SOMA_OK);
    check_totals(txn); // the refused one took no revision
    store_read_end(txn);
    model[0].state = JOB_CANCELLED;
    model_change(&model[0]);
    assert_int_equal(scratch_write(&model_scratch, insert_over_the_cap, NULL, &err), SOMA_OK);
}

static enum soma_code forget(void *context, struct store_txn *txn, struct soma_error *err)
{
    (void)context;
    return job_store_forget_removed(txn, (struct wall_time){model_now_ms + 1}, 1, err);
}

static void a_watcher_that_is_too_old_learns_it(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        model_insert();
        model[i].state = JOB_SUCCEEDED;
        model_change(&model[i]);
    }
    model_delete(&model[0]); // revision 5
    model_delete(&model[1]); // revision 6
    assert_int_equal(scratch_write(&model_scratch, forget, NULL, NULL), SOMA_OK);
    struct arena arena;
    struct store_txn *txn;
    struct job_filter any = {0};
    struct job_changes changes;
    arena_init(&arena, ARENA_BYTES);
    assert_int_equal(store_read_begin(model_scratch.store, &txn, NULL), SOMA_OK);
    assert_int_equal(job_store_changes(txn, 4, &any, 10, &arena, &changes, NULL), SOMA_OK);
    assert_true(changes.history_lost);
    assert_int_equal(job_store_changes(txn, 5, &any, 10, &arena, &changes, NULL), SOMA_OK);
    assert_false(changes.history_lost);
    assert_int_equal(changes.removed_count, 1);
    assert_string_equal(changes.removed_ids[0], model[1].id);
    assert_int_equal(job_store_changes(txn, 0, &any, 10, &arena, &changes, NULL), SOMA_OK);
    assert_false(changes.history_lost);
    // As after an older copy of the database was restored.
    assert_int_equal(job_store_changes(txn, 7, &any, 10, &arena, &changes, NULL), SOMA_OK);
    assert_true(changes.history_lost);
    store_read_end(txn);
    arena_fini(&arena);
}

static void a_first_reading_comes_past_what_was_forgotten(void **state)
{
    (void)state;
    enum {
        COUNT = 5
    };
    for (int i = 0; i <= COUNT; i++)
        model_insert();
    model[COUNT].state = JOB_SUCCEEDED;
    model_change(&model[COUNT]);
    model_delete(&model[COUNT]);
    assert_int_equal(scratch_write(&model_scratch, forget, NULL, NULL), SOMA_OK);
    struct arena arena;
    struct store_txn *txn;
    struct job_filter any = {0};
    struct job_changes changes;
    int64_t at = 0;
    arena_init(&arena, ARENA_BYTES);
    assert_int_equal(store_read_begin(model_scratch.store, &txn, NULL), SOMA_OK);
    for (int i = 0; i < COUNT; i++) {
        assert_int_equal(job_store_changes(txn, at, &any, 1, &arena, &changes, NULL), SOMA_OK);
        assert_false(changes.history_lost);
        assert_int_equal(changes.jobs.count, 1);
        assert_string_equal(changes.jobs.rows[0]->job.id, model[i].id);
        at = job_changes_next(&changes);
    }
    assert_int_equal(at, changes.latest);
    store_read_end(txn);
    arena_fini(&arena);
}

static void a_list_ends_before_its_arena_does(void **state)
{
    (void)state;
    enum {
        COUNT = 200,
        BUDGET = 32 << 10
    };
    for (int i = 0; i < COUNT; i++)
        model_insert();
    struct arena arena;
    struct store_txn *txn;
    struct job_filter any = {0};
    struct job_list list = {.more = true};
    size_t count = 0;
    assert_int_equal(store_read_begin(model_scratch.store, &txn, NULL), SOMA_OK);
    while (list.more) {
        arena_init(&arena, BUDGET);
        assert_int_equal(job_store_list(txn, &any, list.after, COUNT, &arena, &list, NULL),
                         SOMA_OK);
        assert_true(list.count > 0 && list.count < COUNT);
        count += list.count;
        arena_fini(&arena);
    }
    assert_int_equal(count, COUNT);
    store_read_end(txn);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_tables_say_what_the_model_says, model_set_up,
                                        model_tear_down),
        cmocka_unit_test_setup_teardown(a_row_comes_back_as_it_was_written, model_set_up,
                                        model_tear_down),
        cmocka_unit_test_setup_teardown(an_unknown_job_is_not_found, model_set_up, model_tear_down),
        cmocka_unit_test_setup_teardown(unfinished_jobs_are_capped, model_set_up, model_tear_down),
        cmocka_unit_test_setup_teardown(a_watcher_that_is_too_old_learns_it, model_set_up,
                                        model_tear_down),
        cmocka_unit_test_setup_teardown(a_first_reading_comes_past_what_was_forgotten, model_set_up,
                                        model_tear_down),
        cmocka_unit_test_setup_teardown(a_list_ends_before_its_arena_does, model_set_up,
                                        model_tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
