// server/jobs: what time and other jobs do to queued ones, with a clock of the test's own.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/log.h"
#include "jobs/changes.h"
#include "jobs/retry.h"
#include "jobs/settle.h"
#include "jobs/submit.h"
#include "store/job_after.h"
#include "store/job_ready.h"
#include "store_scratch.h"

enum {
    ARENA_BYTES = 8 << 20,
    START_MS = 1000000,
};

static struct scratch scratch;
static int64_t now_ms;
static int id_count;

static int64_t fake_wall(void)
{
    return now_ms;
}

static int64_t fake_mono(void)
{
    return 1;
}

static int set_up(void **state)
{
    (void)state;
    static const struct clock_source source = {fake_wall, fake_mono};
    log_set_level(LOG_LEVEL_ERROR);
    clock_use(&source);
    now_ms = START_MS;
    id_count = 0;
    scratch_open(&scratch);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    scratch_close(&scratch);
    clock_use(NULL);
    return 0;
}

// --- what the tests do; jobs are known by their ids

struct submit {
    struct job_spec spec;
    uint8_t print[DEDUPE_PRINT_BYTES];
    char id[ID_SIZE];
    bool is_existing;
    bool is_same;
};

static enum soma_code apply_submit(void *context, struct store_txn *txn, struct soma_error *err)
{
    struct submit *submit = context;
    struct arena arena;
    arena_init(&arena, ARENA_BYTES);
    char id[ID_SIZE];
    snprintf(id, sizeof id, "job%017d", ++id_count);
    if (!submit->spec.queue)
        submit->spec.queue = "default";
    struct job_new new = {
        .id = id,
        .spec = &submit->spec,
        .now = clock_wall_now(),
        .unfinished_max = 1000,
        .dedupe_print = submit->print,
    };
    struct submit_result result;
    enum soma_code code = spec_encode(&submit->spec, &arena, &new.bytes, err);
    if (code == SOMA_OK)
        code = job_submit(txn, &new, &arena, &result, err);
    if (code == SOMA_OK) {
        snprintf(submit->id, sizeof submit->id, "%s", result.row.job.id);
        submit->is_existing = result.is_existing;
        submit->is_same = result.is_same;
    }
    arena_fini(&arena);
    return code;
}

static void submit_it(struct submit *submit)
{
    assert_int_equal(scratch_write(&scratch, apply_submit, submit, NULL), SOMA_OK);
}

static void submit_plain(struct submit *submit)
{
    *submit = (struct submit){0};
    submit_it(submit);
}

static void submit_after(struct submit *submit, const char *const *after, size_t count,
                         enum job_after_policy policy)
{
    *submit = (struct submit){
        .spec = {.after = after, .after_count = count, .after_policy = (int32_t)policy}};
    submit_it(submit);
}

struct step {
    const char *id; // to be changed; NULL: only the claim
    const struct job_outcome *outcome;
    bool gives_back, cancels, retries;
    char claimed[ID_SIZE]; // "": none
    struct wall_time due;
};

static enum soma_code change(const struct step *step, struct store_txn *txn, struct arena *arena,
                             struct soma_error *err)
{
    struct job_row row;
    bool was_final;
    enum soma_code code = job_store_get(txn, step->id, false, arena, &row, err);
    if (code == SOMA_OK)
        code = job_row_complete(&row, arena, err);
    if (code != SOMA_OK)
        return code;
    if (step->outcome)
        return job_end(txn, &row, step->outcome, err);
    if (step->gives_back)
        return job_give_back(txn, &row, err);
    if (step->cancels)
        return job_cancel(txn, &row, "", false, arena, &was_final, err);
    return step->retries ? job_retry(txn, &row, 1000, err) : SOMA_OK;
}

static enum soma_code apply_change(void *context, struct store_txn *txn, struct soma_error *err)
{
    struct arena arena;
    arena_init(&arena, ARENA_BYTES);
    enum soma_code code = change(context, txn, &arena, err);
    arena_fini(&arena);
    return code;
}

static void end_as(const char *id, enum job_reason reason, int exit_code)
{
    struct job_outcome outcome = {.reason = reason, .exit_code = exit_code};
    struct step step = {.id = id, .outcome = &outcome};
    assert_int_equal(scratch_write(&scratch, apply_change, &step, NULL), SOMA_OK);
}

static void cancel(const char *id)
{
    struct step step = {.id = id, .cancels = true};
    assert_int_equal(scratch_write(&scratch, apply_change, &step, NULL), SOMA_OK);
}

static enum soma_code retry(const char *id, struct soma_error *err)
{
    struct step step = {.id = id, .retries = true};
    return scratch_write(&scratch, apply_change, &step, err);
}

// What the engine's claim does, for one place.
static enum soma_code apply_claim(void *context, struct store_txn *txn, struct soma_error *err)
{
    struct step *step = context;
    int64_t changed[4], num = 0;
    struct settle_step settle = {.nums = changed, .max = 4};
    struct arena arena;
    struct job_row row;
    arena_init(&arena, ARENA_BYTES);
    do {
        settle.count = 0;
        assert_int_equal(settle_some(txn, &settle, err), SOMA_OK);
    } while (settle.count == settle.max);
    assert_int_equal(job_ready_wake(txn, clock_wall_now(), 100, err), SOMA_OK);
    assert_int_equal(job_ready_first(txn, &num, err), SOMA_OK);
    if (num > 0) {
        assert_int_equal(job_store_get_num(txn, num, true, &arena, &row, err), SOMA_OK);
        assert_int_equal(job_claim(txn, &row, err), SOMA_OK);
        snprintf(step->claimed, sizeof step->claimed, "%s", row.job.id);
    }
    assert_int_equal(job_ready_next(txn, &step->due, err), SOMA_OK);
    arena_fini(&arena);
    return SOMA_OK;
}

static void claims(const char *id)
{
    struct step step = {0};
    assert_int_equal(scratch_write(&scratch, apply_claim, &step, NULL), SOMA_OK);
    assert_string_equal(step.claimed, id);
}

static void claims_nothing_until(int64_t due_ms)
{
    struct step step = {0};
    assert_int_equal(scratch_write(&scratch, apply_claim, &step, NULL), SOMA_OK);
    assert_string_equal(step.claimed, "");
    assert_int_equal(step.due.ms, due_ms);
}

static struct arena status_arena;

// Lives until the next call.
static struct job_status status_of(const char *id)
{
    struct store_txn *txn;
    struct job_row row;
    arena_fini(&status_arena);
    arena_init(&status_arena, ARENA_BYTES);
    assert_int_equal(store_read_begin(scratch.store, &txn, NULL), SOMA_OK);
    assert_int_equal(job_store_get(txn, id, false, &status_arena, &row, NULL), SOMA_OK);
    store_read_end(txn);
    return row.job.status;
}

static void assert_ended(const char *id, enum job_state state, enum job_reason reason)
{
    struct job_status status = status_of(id);
    assert_int_equal(status.state, state);
    assert_int_equal(status.reason, reason);
    assert_int_equal(status.wait, JOB_WAIT_NONE);
    assert_int_equal(status.finished.ms, now_ms);
}

// --- times

static void a_job_is_not_started_before_its_time_however_the_clock_jumps(void **state)
{
    (void)state;
    struct submit late = {.spec.not_before.ms = START_MS + 500};
    submit_it(&late);
    assert_int_equal(status_of(late.id).wait, JOB_WAIT_TIME);
    claims_nothing_until(START_MS + 500);
    now_ms -= 100000;
    claims_nothing_until(START_MS + 500);
    now_ms = START_MS + 499;
    claims_nothing_until(START_MS + 500);
    now_ms = START_MS + 900000;
    claims(late.id);
}

static void a_time_that_has_passed_already_holds_up_nothing(void **state)
{
    (void)state;
    struct submit past = {.spec.not_before.ms = START_MS};
    submit_it(&past);
    assert_int_equal(status_of(past.id).wait, JOB_WAIT_PLACE);
    claims(past.id);
}

static void a_job_that_is_not_started_in_time_expires_and_says_so(void **state)
{
    (void)state;
    struct submit one = {.spec.start_by.ms = START_MS + 10, .spec.not_before.ms = START_MS + 50};
    submit_it(&one);
    claims_nothing_until(START_MS + 10);
    now_ms = START_MS + 9;
    claims_nothing_until(START_MS + 10);
    now_ms = START_MS + 10;
    claims_nothing_until(0);
    assert_ended(one.id, JOB_TIMED_OUT, JOB_REASON_EXPIRED);
    assert_int_equal(status_of(one.id).attempt, 0);
}

static void a_jump_of_the_clock_past_the_deadline_expires_all_and_starts_none(void **state)
{
    (void)state;
    struct submit jobs[10];
    for (int i = 0; i < 10; i++) {
        jobs[i] = (struct submit){.spec.start_by.ms = START_MS + 100 + i};
        submit_it(&jobs[i]);
    }
    now_ms = START_MS + 86400000;
    claims_nothing_until(0);
    for (int i = 0; i < 10; i++)
        assert_ended(jobs[i].id, JOB_TIMED_OUT, JOB_REASON_EXPIRED);
}

static void a_deadline_is_for_the_first_start_and_holds_until_the_program_ran(void **state)
{
    (void)state;
    struct submit job = {.spec.start_by.ms = START_MS + 10,
                         .spec.retry = {2, 0, 2000, 0, 1 << JOB_REASON_EXITED}};
    submit_it(&job);
    claims(job.id);
    struct step back = {.id = job.id, .gives_back = true};
    assert_int_equal(scratch_write(&scratch, apply_change, &back, NULL), SOMA_OK);
    assert_int_equal(status_of(job.id).start_by.ms, START_MS + 10);
    claims(job.id);
    now_ms = START_MS + 20;
    end_as(job.id, JOB_REASON_EXITED, 1);
    claims(job.id);
    assert_int_equal(status_of(job.id).attempt, 2);
}

static void a_retry_by_hand_starts_an_expired_job_at_once(void **state)
{
    (void)state;
    struct submit job = {.spec.start_by.ms = START_MS + 10};
    submit_it(&job);
    now_ms += 10;
    claims_nothing_until(0);
    assert_int_equal(retry(job.id, NULL), SOMA_OK);
    claims(job.id);
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
    submit_it(&job);
    claims(job.id);
    now_ms += 5;
    end_as(job.id, JOB_REASON_EXITED, 7);
    struct job_status status = status_of(job.id);
    assert_int_equal(status.state, JOB_QUEUED);
    assert_int_equal(status.wait, JOB_WAIT_BACKOFF);
    assert_in_range(status.due.ms, now_ms + 750, now_ms + 1000);
    assert_int_equal(status.exit_code, 7);
    claims_nothing_until(status.due.ms);
    now_ms = status.due.ms;
    claims(job.id);
    end_as(job.id, JOB_REASON_EXITED, 8);
    status = status_of(job.id);
    assert_in_range(status.due.ms, now_ms + 1500, now_ms + 2000);
    now_ms = status.due.ms;
    claims(job.id);
    end_as(job.id, JOB_REASON_EXITED, 9);
    assert_ended(job.id, JOB_FAILED, JOB_REASON_EXITED);
    assert_int_equal(status_of(job.id).attempt, 3);
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
    assert_int_equal(store_read_begin(scratch.store, &txn, NULL), SOMA_OK);
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
    submit_it(&job);
    claims(job.id);
    now_ms += 5;
    end_as(job.id, JOB_REASON_EXITED, 7);
    claims(job.id);
    end_as(job.id, JOB_REASON_SIGNALED, 0);
    assert_int_equal(retry(job.id, NULL), SOMA_OK);
    // Counted anew: two more.
    claims(job.id);
    end_as(job.id, JOB_REASON_EXITED, 9);
    assert_int_equal(status_of(job.id).state, JOB_QUEUED);
    cancel(job.id);
    struct history history = history_of(job.id, &arena);
    assert_int_equal(history.count, 3);
    assert_int_equal(history.attempts[0].exit_code, 7);
    assert_int_equal(history.attempts[0].started.ms, START_MS);
    assert_int_equal(history.attempts[0].finished.ms, START_MS + 5);
    assert_int_equal(history.attempts[1].reason, JOB_REASON_SIGNALED);
    assert_int_equal(history.attempts[2].attempt, 3);
    assert_int_equal(history.attempts[2].exit_code, 9);
    assert_string_equal(status_of(job.id).message, "cancelled before it was tried again");
    arena_fini(&arena);
}

static void only_ends_that_were_named_are_tried_again_and_a_lost_one_never_unasked(void **state)
{
    (void)state;
    struct submit job = {.spec.retry = {5, 0, 2000, 0, 1 << JOB_REASON_WALL_TIMEOUT}};
    submit_it(&job);
    claims(job.id);
    end_as(job.id, JOB_REASON_WALL_TIMEOUT, 0);
    assert_int_equal(status_of(job.id).state, JOB_QUEUED);
    claims(job.id);
    end_as(job.id, JOB_REASON_LOST, 0);
    assert_ended(job.id, JOB_LOST, JOB_REASON_LOST);
    struct submit plain;
    submit_plain(&plain);
    claims(plain.id);
    end_as(plain.id, JOB_REASON_EXITED, 1);
    assert_ended(plain.id, JOB_FAILED, JOB_REASON_EXITED);
}

static void a_job_waiting_for_its_next_attempt_survives_a_restart(void **state)
{
    (void)state;
    struct submit job = {.spec.retry = {2, 1000, 2000, 60000, 1 << JOB_REASON_EXITED}};
    submit_it(&job);
    claims(job.id);
    end_as(job.id, JOB_REASON_EXITED, 7);
    int64_t due_ms = status_of(job.id).due.ms;
    scratch_reopen(&scratch);
    claims_nothing_until(due_ms);
    now_ms = due_ms;
    claims(job.id);
}

// --- other jobs

static void a_job_starts_when_all_that_it_waits_for_have_succeeded(void **state)
{
    (void)state;
    struct submit one, two, waiter;
    submit_plain(&one);
    submit_plain(&two);
    const char *after[] = {one.id, two.id};
    submit_after(&waiter, after, 2, JOB_AFTER_CANCEL);
    claims(one.id);
    claims(two.id);
    claims_nothing_until(0);
    end_as(one.id, JOB_REASON_EXITED, 0);
    claims_nothing_until(0);
    assert_int_equal(status_of(waiter.id).wait, JOB_WAIT_AFTER);
    scratch_reopen(&scratch);
    end_as(two.id, JOB_REASON_EXITED, 0);
    claims(waiter.id);
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
        submit_plain(&one);
        const char *after[] = {one.id};
        submit_after(&waiter, after, 1, cases[i].policy);
        claims(one.id);
        end_as(one.id, JOB_REASON_EXITED, 3);
        claims_nothing_until(0);
        assert_ended(waiter.id, cases[i].state, JOB_REASON_DEPENDENCY);
        assert_non_null(strstr(status_of(waiter.id).message, one.id));
    }
    struct submit one, waiter;
    submit_plain(&one);
    const char *after[] = {one.id};
    submit_after(&waiter, after, 1, JOB_AFTER_RUN);
    cancel(one.id);
    claims(waiter.id);
}

static void the_end_of_one_job_goes_through_a_chain(void **state)
{
    (void)state;
    struct submit chain[20];
    submit_plain(&chain[0]);
    for (int i = 1; i < 20; i++) {
        const char *after[] = {chain[i - 1].id};
        submit_after(&chain[i], after, 1, JOB_AFTER_CANCEL);
    }
    cancel(chain[0].id);
    claims_nothing_until(0);
    for (int i = 1; i < 20; i++)
        assert_ended(chain[i].id, JOB_CANCELLED, JOB_REASON_DEPENDENCY);
}

static void a_job_that_ended_before_the_submit_counts_as_it_ended(void **state)
{
    (void)state;
    struct submit good, bad, first, second, third;
    submit_plain(&good);
    submit_plain(&bad);
    claims(good.id);
    end_as(good.id, JOB_REASON_EXITED, 0);
    cancel(bad.id);
    const char *after_good[] = {good.id}, *after_bad[] = {bad.id};
    submit_after(&first, after_good, 1, JOB_AFTER_CANCEL);
    assert_int_equal(status_of(first.id).wait, JOB_WAIT_PLACE);
    submit_after(&second, after_bad, 1, JOB_AFTER_RUN);
    assert_int_equal(status_of(second.id).wait, JOB_WAIT_PLACE);
    submit_after(&third, after_bad, 1, JOB_AFTER_FAIL);
    claims(first.id);
    assert_ended(third.id, JOB_FAILED, JOB_REASON_DEPENDENCY);
}

static void a_job_that_waits_for_one_that_is_not_there_is_refused(void **state)
{
    (void)state;
    struct submit one;
    submit_plain(&one);
    const char *after[] = {one.id, "00000000000000000000"};
    struct submit waiter = {.spec = {.after = after, .after_count = 2, .after_policy = 1}};
    struct soma_error err = {0};
    assert_int_equal(scratch_write(&scratch, apply_submit, &waiter, &err), SOMA_NOT_FOUND);
    assert_string_equal(err.reason, "JOB_NOT_FOUND");
    assert_string_equal(err.field, "spec.after[1]");
    claims(one.id);
    end_as(one.id, JOB_REASON_EXITED, 0);
    claims_nothing_until(0);
}

static void a_waiter_that_was_cancelled_stays_so(void **state)
{
    (void)state;
    struct submit one, waiter;
    submit_plain(&one);
    const char *after[] = {one.id};
    submit_after(&waiter, after, 1, JOB_AFTER_CANCEL);
    cancel(waiter.id);
    claims(one.id);
    end_as(one.id, JOB_REASON_EXITED, 0);
    claims_nothing_until(0);
    assert_ended(waiter.id, JOB_CANCELLED, JOB_REASON_CANCELLED);
    // By hand it waits for nobody.
    assert_int_equal(retry(waiter.id, NULL), SOMA_OK);
    claims(waiter.id);
}

static void a_waiter_keeps_its_time_and_its_deadline(void **state)
{
    (void)state;
    struct submit one, waiter;
    submit_plain(&one);
    const char *after[] = {one.id};
    waiter = (struct submit){.spec = {.after = after,
                                      .after_count = 1,
                                      .after_policy = JOB_AFTER_CANCEL,
                                      .not_before.ms = START_MS + 100,
                                      .start_by.ms = START_MS + 300}};
    submit_it(&waiter);
    claims(one.id);
    end_as(one.id, JOB_REASON_EXITED, 0);
    claims_nothing_until(START_MS + 100);
    assert_int_equal(status_of(waiter.id).wait, JOB_WAIT_TIME);
    now_ms = START_MS + 300;
    claims_nothing_until(0);
    assert_ended(waiter.id, JOB_TIMED_OUT, JOB_REASON_EXPIRED);
}

// --- the same job twice

static void a_second_submit_under_a_key_finds_the_first_job(void **state)
{
    (void)state;
    struct submit first = {.spec.dedupe_key = "nightly", .print = "same"};
    struct submit again = first, other = first;
    other.print[0] = 'x';
    submit_it(&first);
    assert_false(first.is_existing);
    submit_it(&again);
    assert_true(again.is_existing && again.is_same);
    assert_string_equal(again.id, first.id);
    scratch_reopen(&scratch);
    submit_it(&other);
    assert_true(other.is_existing);
    assert_false(other.is_same);
    assert_string_equal(other.id, first.id);
    claims(first.id);
    submit_it(&again);
    assert_string_equal(again.id, first.id);
    end_as(first.id, JOB_REASON_EXITED, 0);
    submit_it(&again);
    assert_false(again.is_existing);
    assert_string_not_equal(again.id, first.id);
    struct soma_error err = {0};
    assert_int_equal(retry(first.id, &err), SOMA_FAILED_PRECONDITION);
    assert_string_equal(err.reason, "DEDUPE_KEY_IN_USE");
}

#define QUEUEING_TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

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
        QUEUEING_TEST(only_ends_that_were_named_are_tried_again_and_a_lost_one_never_unasked),
        QUEUEING_TEST(a_job_waiting_for_its_next_attempt_survives_a_restart),
        QUEUEING_TEST(a_job_starts_when_all_that_it_waits_for_have_succeeded),
        QUEUEING_TEST(what_becomes_of_a_waiter_is_its_policy),
        QUEUEING_TEST(the_end_of_one_job_goes_through_a_chain),
        QUEUEING_TEST(a_job_that_ended_before_the_submit_counts_as_it_ended),
        QUEUEING_TEST(a_job_that_waits_for_one_that_is_not_there_is_refused),
        QUEUEING_TEST(a_waiter_that_was_cancelled_stays_so),
        QUEUEING_TEST(a_waiter_keeps_its_time_and_its_deadline),
        QUEUEING_TEST(a_second_submit_under_a_key_finds_the_first_job),
    };
    int failures = cmocka_run_group_tests(tests, NULL, NULL);
    arena_fini(&status_arena);
    return failures;
}
