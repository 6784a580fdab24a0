// server/jobs: jobs that wait for others, and the same job twice.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "queue_scene.h"

// --- other jobs

static void a_job_starts_when_all_that_it_waits_for_have_succeeded(void **state)
{
    (void)state;
    struct submit one, two, waiter;
    queue_submit_plain(&one);
    queue_submit_plain(&two);
    const char *after[] = {one.id, two.id};
    queue_submit_after(&waiter, after, 2, JOB_AFTER_CANCEL);
    queue_claims(one.id);
    queue_claims(two.id);
    queue_claims_nothing_until(0);
    queue_end_as(one.id, JOB_REASON_EXITED, 0);
    queue_claims_nothing_until(0);
    assert_int_equal(queue_status_of(waiter.id).wait, JOB_WAIT_AFTER);
    scratch_reopen(&queue_scratch);
    queue_end_as(two.id, JOB_REASON_EXITED, 0);
    queue_claims(waiter.id);
}

static void what_becomes_of_a_waiter_is_its_policy(void **state)
{
    (void)state;
    static const struct {
        enum job_after_policy policy;
        enum job_state state;
    } cases[] = {{JOB_AFTER_CANCEL, JOB_CANCELLED}, {JOB_AFTER_FAIL, JOB_FAILED}};
    for (size_t i = 0; i < 2; i++) {
        struct submit one, waiter;
        queue_submit_plain(&one);
        const char *after[] = {one.id};
        queue_submit_after(&waiter, after, 1, cases[i].policy);
        queue_claims(one.id);
        queue_end_as(one.id, JOB_REASON_EXITED, 3);
        queue_claims_nothing_until(0);
        queue_assert_ended(waiter.id, cases[i].state, JOB_REASON_DEPENDENCY);
        assert_non_null(strstr(queue_status_of(waiter.id).message, one.id));
    }
    struct submit one, waiter;
    queue_submit_plain(&one);
    const char *after[] = {one.id};
    queue_submit_after(&waiter, after, 1, JOB_AFTER_RUN);
    queue_cancel(one.id);
    queue_claims(waiter.id);
}

static void the_end_of_one_job_goes_through_a_chain(void **state)
{
    (void)state;
    struct submit chain[20];
    queue_submit_plain(&chain[0]);
    for (int i = 1; i < 20; i++) {
        const char *after[] = {chain[i - 1].id};
        queue_submit_after(&chain[i], after, 1, JOB_AFTER_CANCEL);
    }
    queue_cancel(chain[0].id);
    queue_claims_nothing_until(0);
    for (int i = 1; i < 20; i++)
        queue_assert_ended(chain[i].id, JOB_CANCELLED, JOB_REASON_DEPENDENCY);
}

static void a_job_that_ended_before_the_submit_counts_as_it_ended(void **state)
{
    (void)state;
    struct submit good, bad, first, second, third;
    queue_submit_plain(&good);
    queue_submit_plain(&bad);
    queue_claims(good.id);
    queue_end_as(good.id, JOB_REASON_EXITED, 0);
    queue_cancel(bad.id);
    const char *after_good[] = {good.id}, *after_bad[] = {bad.id};
    queue_submit_after(&first, after_good, 1, JOB_AFTER_CANCEL);
    assert_int_equal(queue_status_of(first.id).wait, JOB_WAIT_PLACE);
    queue_submit_after(&second, after_bad, 1, JOB_AFTER_RUN);
    assert_int_equal(queue_status_of(second.id).wait, JOB_WAIT_PLACE);
    queue_submit_after(&third, after_bad, 1, JOB_AFTER_FAIL);
    queue_claims(first.id);
    queue_assert_ended(third.id, JOB_FAILED, JOB_REASON_DEPENDENCY);
}

static void a_job_that_waits_for_one_that_is_not_there_is_refused(void **state)
{
    (void)state;
    struct submit one;
    queue_submit_plain(&one);
    const char *after[] = {one.id, "00000000000000000000"};
    struct submit waiter = {.spec = {.after = after, .after_count = 2, .after_policy = 1}};
    struct soma_error err = {0};
    assert_int_equal(scratch_write(&queue_scratch, queue_apply_submit, &waiter, &err),
                     SOMA_NOT_FOUND);
    assert_string_equal(err.reason, "JOB_NOT_FOUND");
    assert_string_equal(err.field, "spec.after[1]");
    queue_claims(one.id);
    queue_end_as(one.id, JOB_REASON_EXITED, 0);
    queue_claims_nothing_until(0);
}

static void a_waiter_that_was_cancelled_stays_so(void **state)
{
    (void)state;
    struct submit one, waiter;
    queue_submit_plain(&one);
    const char *after[] = {one.id};
    queue_submit_after(&waiter, after, 1, JOB_AFTER_CANCEL);
    queue_cancel(waiter.id);
    queue_claims(one.id);
    queue_end_as(one.id, JOB_REASON_EXITED, 0);
    queue_claims_nothing_until(0);
    queue_assert_ended(waiter.id, JOB_CANCELLED, JOB_REASON_CANCELLED);
    // By hand it waits for nobody.
    assert_int_equal(queue_retry(waiter.id, NULL), SOMA_OK);
    queue_claims(waiter.id);
}

static void a_job_begins_anew_only_when_all_know_how_it_ended(void **state)
{
    (void)state;
    struct submit one, first, second, later;
    struct soma_error err = {0};
    queue_submit_plain(&one);
    const char *after[] = {one.id};
    queue_submit_after(&first, after, 1, JOB_AFTER_CANCEL);
    queue_submit_after(&second, after, 1, JOB_AFTER_CANCEL);
    queue_claims(one.id);
    queue_end_as(one.id, JOB_REASON_EXITED, 3);
    queue_settles(1);
    queue_assert_ended(first.id, JOB_CANCELLED, JOB_REASON_DEPENDENCY);
    assert_int_equal(queue_retry(one.id, &err), SOMA_RESOURCE_EXHAUSTED);
    assert_string_equal(err.reason, "SERVER_BUSY");
    assert_true(err.retry_after_ms > 0);
    assert_int_equal(queue_status_of(one.id).state, JOB_FAILED);
    queue_settles(2);
    queue_assert_ended(second.id, JOB_CANCELLED, JOB_REASON_DEPENDENCY);
    assert_int_equal(queue_retry(one.id, NULL), SOMA_OK);
    // Who comes now waits for the second end, and hears of no other.
    queue_submit_after(&later, after, 1, JOB_AFTER_CANCEL);
    queue_claims(one.id);
    queue_claims_nothing_until(0);
    assert_int_equal(queue_status_of(later.id).wait, JOB_WAIT_AFTER);
    queue_end_as(one.id, JOB_REASON_EXITED, 0);
    queue_claims(later.id);
}

static void a_waiter_keeps_its_time_and_its_deadline(void **state)
{
    (void)state;
    struct submit one, waiter;
    queue_submit_plain(&one);
    const char *after[] = {one.id};
    waiter = (struct submit){.spec = {.after = after,
                                      .after_count = 1,
                                      .after_policy = JOB_AFTER_CANCEL,
                                      .not_before.ms = START_MS + 100,
                                      .start_by.ms = START_MS + 300}};
    queue_submit_it(&waiter);
    queue_claims(one.id);
    queue_end_as(one.id, JOB_REASON_EXITED, 0);
    queue_claims_nothing_until(START_MS + 100);
    assert_int_equal(queue_status_of(waiter.id).wait, JOB_WAIT_TIME);
    queue_now_ms = START_MS + 300;
    queue_claims_nothing_until(0);
    queue_assert_ended(waiter.id, JOB_TIMED_OUT, JOB_REASON_EXPIRED);
}

// --- the same job twice

static void a_second_submit_under_a_key_finds_the_first_job(void **state)
{
    (void)state;
    struct submit first = {.spec.dedupe_key = "nightly", .print = "same"};
    struct submit again = first, other = first;
    other.print[0] = 'x';
    queue_submit_it(&first);
    assert_false(first.is_existing);
    queue_submit_it(&again);
    assert_true(again.is_existing && again.is_same);
    assert_string_equal(again.id, first.id);
    scratch_reopen(&queue_scratch);
    queue_submit_it(&other);
    assert_true(other.is_existing);
    assert_false(other.is_same);
    assert_string_equal(other.id, first.id);
    queue_claims(first.id);
    queue_submit_it(&again);
    assert_string_equal(again.id, first.id);
    queue_end_as(first.id, JOB_REASON_EXITED, 0);
    queue_submit_it(&again);
    assert_false(again.is_existing);
    assert_string_not_equal(again.id, first.id);
    struct soma_error err = {0};
    assert_int_equal(queue_retry(first.id, &err), SOMA_FAILED_PRECONDITION);
    assert_string_equal(err.reason, "DEDUPE_KEY_IN_USE");
}

#define QUEUEING_TEST(test) cmocka_unit_test_setup_teardown(test, queue_set_up, queue_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        QUEUEING_TEST(a_job_starts_when_all_that_it_waits_for_have_succeeded),
        QUEUEING_TEST(what_becomes_of_a_waiter_is_its_policy),
        QUEUEING_TEST(the_end_of_one_job_goes_through_a_chain),
        QUEUEING_TEST(a_job_that_ended_before_the_submit_counts_as_it_ended),
        QUEUEING_TEST(a_job_that_waits_for_one_that_is_not_there_is_refused),
        QUEUEING_TEST(a_waiter_that_was_cancelled_stays_so),
        QUEUEING_TEST(a_job_begins_anew_only_when_all_know_how_it_ended),
        QUEUEING_TEST(a_waiter_keeps_its_time_and_its_deadline),
        QUEUEING_TEST(a_second_submit_under_a_key_finds_the_first_job),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
