// server/jobs: what time does to queued jobs, and the attempts of one.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "jobs/retry.h"
#include "queue_scene.h"

// --- times

static void a_job_is_not_started_before_its_time_however_the_clock_jumps(void **state)
{
    (void)state;
    struct submit late = {.spec.not_before.ms = START_MS + 500};
    queue_submit_it(&late);
    assert_int_equal(queue_status_of(late.id).wait, JOB_WAIT_TIME);
    queue_claims_nothing_until(START_MS + 500);
    queue_now_ms -= 100000;
    queue_claims_nothing_until(START_MS + 500);
    queue_now_ms = START_MS + 499;
    queue_claims_nothing_until(START_MS + 500);
    queue_now_ms = START_MS + 900000;
    queue_claims(late.id);
}

static void a_time_that_has_passed_already_holds_up_nothing(void **state)
{
    (void)state;
    struct submit past = {.spec.not_before.ms = START_MS};
    queue_submit_it(&past);
    assert_int_equal(queue_status_of(past.id).wait, JOB_WAIT_PLACE);
    queue_claims(past.id);
}

static void a_job_that_is_not_started_in_time_expires_and_says_so(void **state)
{
    (void)state;
    struct submit one = {.spec.start_by.ms = START_MS + 10, .spec.not_before.ms = START_MS + 50};
    queue_submit_it(&one);
    queue_claims_nothing_until(START_MS + 10);
    queue_now_ms = START_MS + 9;
    queue_claims_nothing_until(START_MS + 10);
    queue_now_ms = START_MS + 10;
    queue_claims_nothing_until(0);
    queue_assert_ended(one.id, JOB_TIMED_OUT, JOB_REASON_EXPIRED);
    assert_int_equal(queue_status_of(one.id).attempt, 0);
}

static void a_jump_of_the_clock_past_the_deadline_expires_all_and_starts_none(void **state)
{
    (void)state;
    struct submit jobs[10];
    for (int i = 0; i < 10; i++) {
        jobs[i] = (struct submit){.spec.start_by.ms = START_MS + 100 + i};
        queue_submit_it(&jobs[i]);
    }
    queue_now_ms = START_MS + 86400000;
    queue_claims_nothing_until(0);
    for (int i = 0; i < 10; i++)
        queue_assert_ended(jobs[i].id, JOB_TIMED_OUT, JOB_REASON_EXPIRED);
}

static void a_deadline_is_for_the_first_start_and_holds_until_the_program_ran(void **state)
{
    (void)state;
    struct submit job = {.spec.start_by.ms = START_MS + 10,
                         .spec.retry = {2, 0, 2000, 0, 1 << JOB_REASON_EXITED}};
    queue_submit_it(&job);
    queue_claims(job.id);
    struct step back = {.id = job.id, .gives_back = true};
    assert_int_equal(scratch_write(&queue_scratch, queue_apply_change, &back, NULL), SOMA_OK);
    assert_int_equal(queue_status_of(job.id).start_by.ms, START_MS + 10);
    queue_claims(job.id);
    queue_now_ms = START_MS + 20;
    queue_end_as(job.id, JOB_REASON_EXITED, 1);
    queue_claims(job.id);
    assert_int_equal(queue_status_of(job.id).attempt, 2);
}

static void a_retry_by_hand_starts_an_expired_job_at_once(void **state)
{
    (void)state;
    struct submit job = {.spec.start_by.ms = START_MS + 10};
    queue_submit_it(&job);
    queue_now_ms += 10;
    queue_claims_nothing_until(0);
    assert_int_equal(queue_retry(job.id, NULL), SOMA_OK);
    queue_claims(job.id);
}

// --- attempts

static void waits_grow_by_the_factor_up_to_the_cap_and_chance_takes_a_quarter_at_most(void **state)
{
    (void)state;
    struct job_retry retry = {.backoff_ms = 1000, .factor_milli = 2500, .backoff_max_ms = 10000};
    static const int64_t expected[] = {1000, 2500, 6250, 10000, 10000};
    for (uint32_t tries = 1; tries <= 5; tries++) {
        assert_int_equal(retry_wait_ms(&retry, tries, 0), expected[tries - 1]);
        assert_int_equal(retry_wait_ms(&retry, tries, UINT32_MAX),
                         expected[tries - 1] - expected[tries - 1] / 4);
    }
    retry = (struct job_retry){
        .backoff_ms = 604800000, .factor_milli = 10000, .backoff_max_ms = 604800000};
    assert_int_equal(retry_wait_ms(&retry, 100, 0), 604800000);
    retry.backoff_ms = 0;
    assert_int_equal(retry_wait_ms(&retry, 3, 0), 0);
}

static void a_failed_attempt_is_followed_by_another_after_its_wait(void **state)
{
    (void)state;
    struct submit job = {.spec.retry = {3, 1000, 2000, 60000, 1 << JOB_REASON_EXITED}};
    queue_submit_it(&job);
    queue_claims(job.id);
    queue_now_ms += 5;
    queue_end_as(job.id, JOB_REASON_EXITED, 7);
    struct job_status status = queue_status_of(job.id);
    assert_int_equal(status.state, JOB_QUEUED);
    assert_int_equal(status.wait, JOB_WAIT_BACKOFF);
    assert_in_range(status.due.ms, queue_now_ms + 750, queue_now_ms + 1000);
    assert_int_equal(status.exit_code, 7);
    queue_claims_nothing_until(status.due.ms);
    queue_now_ms = status.due.ms;
    queue_claims(job.id);
    queue_end_as(job.id, JOB_REASON_EXITED, 8);
    status = queue_status_of(job.id);
    assert_in_range(status.due.ms, queue_now_ms + 1500, queue_now_ms + 2000);
    queue_now_ms = status.due.ms;
    queue_claims(job.id);
    queue_end_as(job.id, JOB_REASON_EXITED, 9);
    queue_assert_ended(job.id, JOB_FAILED, JOB_REASON_EXITED);
    assert_int_equal(queue_status_of(job.id).attempt, 3);
}

struct history {
    struct job_past *attempts;
    size_t count;
};

static struct history history_of(const char *id, struct arena *arena)
{
    struct history history;
    struct store_txn *txn;
    struct job_row row;
    assert_int_equal(store_read_begin(queue_scratch.store, &txn, NULL), SOMA_OK);
    assert_int_equal(job_store_get(txn, id, false, arena, &row, NULL), SOMA_OK);
    assert_int_equal(
        job_store_attempts(txn, row.job.num, 100, arena, &history.attempts, &history.count, NULL),
        SOMA_OK);
    store_read_end(txn);
    return history;
}

static void attempts_that_were_followed_by_others_are_remembered(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, ARENA_BYTES);
    struct submit job = {.spec.retry = {2, 0, 2000, 0, 1 << JOB_REASON_EXITED}};
    queue_submit_it(&job);
    queue_claims(job.id);
    queue_now_ms += 5;
    queue_end_as(job.id, JOB_REASON_EXITED, 7);
    queue_claims(job.id);
    queue_end_as(job.id, JOB_REASON_SIGNALED, 0);
    assert_int_equal(queue_retry(job.id, NULL), SOMA_OK);
    // Counted anew: two more.
    queue_claims(job.id);
    queue_end_as(job.id, JOB_REASON_EXITED, 9);
    assert_int_equal(queue_status_of(job.id).state, JOB_QUEUED);
    queue_cancel(job.id);
    struct history history = history_of(job.id, &arena);
    assert_int_equal(history.count, 3);
    assert_int_equal(history.attempts[0].exit_code, 7);
    assert_int_equal(history.attempts[0].started.ms, START_MS);
    assert_int_equal(history.attempts[0].finished.ms, START_MS + 5);
    assert_int_equal(history.attempts[1].reason, JOB_REASON_SIGNALED);
    assert_int_equal(history.attempts[2].attempt, 3);
    assert_int_equal(history.attempts[2].exit_code, 9);
    assert_string_equal(queue_status_of(job.id).message, "cancelled before it was tried again");
    arena_fini(&arena);
}

static enum soma_code apply_delete(void *context, struct store_txn *txn, struct soma_error *err)
{
    return job_store_delete(txn, *(const int64_t *)context, clock_wall_now(), err);
}

static void attempts_go_with_their_job_also_where_the_next_one_never_came(void **state)
{
    (void)state;
    struct arena arena;
    struct job_row row;
    struct store_txn *txn;
    struct job_past *attempts;
    size_t count = 0;
    arena_init(&arena, ARENA_BYTES);
    struct submit job = {.spec.retry = {2, 0, 2000, 0, 1 << JOB_REASON_EXITED}};
    queue_submit_it(&job);
    queue_claims(job.id);
    queue_end_as(job.id, JOB_REASON_EXITED, 7);
    queue_cancel(job.id);
    assert_int_equal(history_of(job.id, &arena).count, 1);
    assert_int_equal(store_read_begin(queue_scratch.store, &txn, NULL), SOMA_OK);
    assert_int_equal(job_store_get(txn, job.id, false, &arena, &row, NULL), SOMA_OK);
    store_read_end(txn);
    assert_int_equal(scratch_write(&queue_scratch, apply_delete, &row.job.num, NULL), SOMA_OK);
    assert_int_equal(store_read_begin(queue_scratch.store, &txn, NULL), SOMA_OK);
    assert_int_equal(job_store_attempts(txn, row.job.num, 100, &arena, &attempts, &count, NULL),
                     SOMA_OK);
    store_read_end(txn);
    assert_int_equal(count, 0);
    arena_fini(&arena);
}

static void only_ends_that_were_named_are_tried_again_and_a_lost_one_never_unasked(void **state)
{
    (void)state;
    struct submit job = {.spec.retry = {5, 0, 2000, 0, 1 << JOB_REASON_WALL_TIMEOUT}};
    queue_submit_it(&job);
    queue_claims(job.id);
    queue_end_as(job.id, JOB_REASON_WALL_TIMEOUT, 0);
    assert_int_equal(queue_status_of(job.id).state, JOB_QUEUED);
    queue_claims(job.id);
    queue_end_as(job.id, JOB_REASON_LOST, 0);
    queue_assert_ended(job.id, JOB_LOST, JOB_REASON_LOST);
    struct submit plain;
    queue_submit_plain(&plain);
    queue_claims(plain.id);
    queue_end_as(plain.id, JOB_REASON_EXITED, 1);
    queue_assert_ended(plain.id, JOB_FAILED, JOB_REASON_EXITED);
}

static void a_job_waiting_for_its_next_attempt_survives_a_restart(void **state)
{
    (void)state;
    struct submit job = {.spec.retry = {2, 1000, 2000, 60000, 1 << JOB_REASON_EXITED}};
    queue_submit_it(&job);
    queue_claims(job.id);
    queue_end_as(job.id, JOB_REASON_EXITED, 7);
    int64_t due_ms = queue_status_of(job.id).due.ms;
    scratch_reopen(&queue_scratch);
    queue_claims_nothing_until(due_ms);
    queue_now_ms = due_ms;
    queue_claims(job.id);
}

#define QUEUEING_TEST(test) cmocka_unit_test_setup_teardown(test, queue_set_up, queue_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        QUEUEING_TEST(a_job_is_not_started_before_its_time_however_the_clock_jumps),
        QUEUEING_TEST(a_time_that_has_passed_already_holds_up_nothing),
        QUEUEING_TEST(a_job_that_is_not_started_in_time_expires_and_says_so),
        QUEUEING_TEST(a_jump_of_the_clock_past_the_deadline_expires_all_and_starts_none),
        QUEUEING_TEST(a_deadline_is_for_the_first_start_and_holds_until_the_program_ran),
        QUEUEING_TEST(a_retry_by_hand_starts_an_expired_job_at_once),
        QUEUEING_TEST(waits_grow_by_the_factor_up_to_the_cap_and_chance_takes_a_quarter_at_most),
        QUEUEING_TEST(a_failed_attempt_is_followed_by_another_after_its_wait),
        QUEUEING_TEST(attempts_that_were_followed_by_others_are_remembered),
        QUEUEING_TEST(attempts_go_with_their_job_also_where_the_next_one_never_came),
        QUEUEING_TEST(only_ends_that_were_named_are_tried_again_and_a_lost_one_never_unasked),
        QUEUEING_TEST(a_job_waiting_for_its_next_attempt_survives_a_restart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
