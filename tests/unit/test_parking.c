// server/rpc/parking and workers, with calls that are only what parking sees of them.
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "rpc/parking.h"
#include "wire/limits.h"

struct rpc_call {
    struct mono_time deadline;
    bool deadline_is_ours;
    uint32_t peer;
    void *slot;
    int64_t topic;
    atomic_int looks;
    atomic_int answers;
    atomic_bool answered_last;
    atomic_bool news;
    enum soma_code failed;
    bool is_revoked;
};

struct mono_time rpc_call_deadline(const struct rpc_call *call)
{
    return call->deadline;
}

void rpc_call_extend(struct rpc_call *call, struct mono_time deadline)
{
    if (call->deadline_is_ours && deadline.ms > call->deadline.ms)
        call->deadline = deadline;
}

void rpc_call_note_parked(struct rpc_call *call)
{
    (void)call;
}

bool rpc_call_is_admitted(const struct rpc_call *call, struct soma_error *err)
{
    if (call->is_revoked)
        error_set(err, REASON_TOKEN_INVALID, "token", "revoked");
    return !call->is_revoked;
}

uint32_t rpc_call_peer(const struct rpc_call *call)
{
    return call->peer;
}

void **rpc_call_slot(struct rpc_call *call)
{
    return &call->slot;
}

bool rpc_call_is_expired(const struct rpc_call *call)
{
    return clock_left_ms(call->deadline) == 0;
}

void rpc_call_fail(struct rpc_call *call, const struct soma_error *err)
{
    call->failed = err->code;
    atomic_fetch_add(&call->answers, 1);
}

static struct workers *workers;
static struct parking *parking;

static void look(struct rpc_call *call, const ProtobufCMessage *request, void *service, bool last)
{
    (void)request;
    (void)service;
    atomic_fetch_add(&call->looks, 1);
    if (!last && !atomic_load(&call->news)) {
        parking_wait(parking, call);
        return;
    }
    atomic_store(&call->answered_last, last);
    parking_end(parking, call);
    atomic_fetch_add(&call->answers, 1);
}

static struct rpc_call new_call(void)
{
    return (struct rpc_call){.deadline = clock_deadline_after(60000), .peer = 1, .topic = 5};
}

static bool begin(struct rpc_call *call, int64_t wait_ms)
{
    return parking_begin(parking, call, call->topic, clock_deadline_after(wait_ms), look, NULL,
                         NULL);
}

static void await_answers(struct rpc_call *call, int count)
{
    struct mono_time deadline = clock_deadline_after(10000);
    while (atomic_load(&call->answers) < count && clock_left_ms(deadline) > 0)
        sched_yield();
    assert_int_equal(atomic_load(&call->answers), count);
}

static int start(void **state)
{
    (void)state;
    return workers_start(3, 64, &workers, NULL) || parking_start(workers, &parking, NULL);
}

static int stop(void **state)
{
    (void)state;
    parking_stop(parking);
    workers_free(workers);
    parking_free(parking);
    return 0;
}

static void news_wake_the_call_once(void **state)
{
    (void)state;
    struct rpc_call call = new_call();
    assert_true(begin(&call, 60000));
    parking_wait(parking, &call);
    parking_publish(parking, 6);
    assert_int_equal(atomic_load(&call.looks), 0);
    atomic_store(&call.news, true);
    parking_publish(parking, 5);
    await_answers(&call, 1);
    assert_false(atomic_load(&call.answered_last));
    parking_publish(parking, 5);
    assert_int_equal(parking_count(parking), 0);
}

static void news_between_begin_and_wait_are_not_lost(void **state)
{
    (void)state;
    struct rpc_call call = new_call();
    assert_true(begin(&call, 60000));
    atomic_store(&call.news, true);
    parking_publish(parking, 5);
    assert_int_equal(atomic_load(&call.looks), 0);
    parking_wait(parking, &call);
    await_answers(&call, 1);
}

static void a_token_that_was_revoked_hears_no_news(void **state)
{
    (void)state;
    struct rpc_call call = new_call();
    assert_true(begin(&call, 60000));
    call.is_revoked = true;
    parking_wait(parking, &call);
    atomic_store(&call.news, true);
    parking_publish(parking, 5);
    await_answers(&call, 1);
    assert_int_equal(call.failed, SOMA_UNAUTHENTICATED);
    assert_int_equal(atomic_load(&call.looks), 0);
    assert_int_equal(parking_count(parking), 0);
}

static void the_topic_of_all_jobs_hears_everything(void **state)
{
    (void)state;
    struct rpc_call call = new_call();
    call.topic = TOPIC_ALL_JOBS;
    assert_true(begin(&call, 60000));
    parking_wait(parking, &call);
    atomic_store(&call.news, true);
    parking_publish(parking, 77);
    await_answers(&call, 1);
}

static void the_end_of_the_time_answers_with_the_state_as_it_is(void **state)
{
    (void)state;
    struct rpc_call calls[20];
    for (int i = 0; i < 20; i++) {
        calls[i] = new_call();
        assert_true(begin(&calls[i], 20 + (i * 7) % 20));
        parking_wait(parking, &calls[i]);
    }
    for (int i = 0; i < 20; i++) {
        await_answers(&calls[i], 1);
        assert_true(atomic_load(&calls[i].answered_last));
    }
    assert_int_equal(parking_count(parking), 0);
}

static void the_callers_own_deadline_ends_the_wait_before_it(void **state)
{
    (void)state;
    struct rpc_call call = new_call();
    call.deadline = clock_deadline_after(100);
    assert_true(begin(&call, 60000));
    parking_wait(parking, &call);
    await_answers(&call, 1);
    assert_true(atomic_load(&call.answered_last));
}

static void a_caller_without_a_deadline_waits_as_long_as_it_asked(void **state)
{
    (void)state;
    struct rpc_call call = new_call();
    call.deadline = clock_deadline_after(0);
    call.deadline_is_ours = true;
    assert_true(begin(&call, 60000));
    parking_wait(parking, &call);
    assert_true(clock_left_ms(call.deadline) > 50000);
    atomic_store(&call.news, true);
    parking_publish(parking, 5);
    await_answers(&call, 1);
    assert_false(atomic_load(&call.answered_last));
}

static void a_peer_that_vanishes_during_a_look_is_not_waited_for(void **state)
{
    (void)state;
    struct rpc_call call = new_call();
    assert_true(begin(&call, 60000));
    parking_drop_peer(parking, call.peer);
    parking_wait(parking, &call);
    await_answers(&call, 1);
    assert_true(atomic_load(&call.answered_last));
}

static void a_vanished_peer_takes_its_calls_along(void **state)
{
    (void)state;
    struct rpc_call gone = new_call(), stays = new_call();
    gone.peer = 9;
    assert_true(begin(&gone, 60000));
    assert_true(begin(&stays, 60000));
    parking_wait(parking, &gone);
    parking_wait(parking, &stays);
    parking_drop_peer(parking, 9);
    await_answers(&gone, 1);
    assert_int_equal(parking_count(parking), 1);
    atomic_store(&stays.news, true);
    parking_publish(parking, 5);
    await_answers(&stays, 1);
}

static void one_peer_cannot_take_all_places(void **state)
{
    (void)state;
    static struct rpc_call calls[LIMIT_PARKED_PER_PEER + 1];
    for (int64_t i = 0; i < LIMIT_PARKED_PER_PEER; i++) {
        calls[i] = new_call();
        assert_true(begin(&calls[i], 60000));
        parking_wait(parking, &calls[i]);
    }
    calls[LIMIT_PARKED_PER_PEER] = new_call();
    assert_false(begin(&calls[LIMIT_PARKED_PER_PEER], 60000));
    struct rpc_call other = new_call();
    other.peer = 2;
    assert_true(begin(&other, 60000));
    parking_wait(parking, &other);
    parking_drop_peer(parking, 2);
    parking_drop_peer(parking, 1);
    for (int64_t i = 0; i < LIMIT_PARKED_PER_PEER; i++)
        await_answers(&calls[i], 1);
    await_answers(&other, 1);
}

static void stopping_answers_all_that_waits(void **state)
{
    (void)state;
    struct rpc_call calls[200];
    for (int i = 0; i < 200; i++) {
        calls[i] = new_call();
        assert_true(begin(&calls[i], 60000));
        parking_wait(parking, &calls[i]);
    }
    parking_stop(parking);
    for (int i = 0; i < 200; i++)
        await_answers(&calls[i], 1);
    struct rpc_call late = new_call();
    assert_false(begin(&late, 60000));
    parking_free(parking);
    assert_int_equal(parking_start(workers, &parking, NULL), SOMA_OK);
}

static void *publish_a_lot(void *argument)
{
    for (int i = 0; i < 20000; i++)
        parking_publish(parking, i % 8);
    return argument;
}

static void calls_survive_a_storm_of_news(void **state)
{
    (void)state;
    struct rpc_call calls[64];
    for (int i = 0; i < 64; i++) {
        calls[i] = new_call();
        calls[i].topic = i % 8;
        assert_true(begin(&calls[i], 60000));
        parking_wait(parking, &calls[i]);
    }
    pthread_t threads[2];
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, publish_a_lot, NULL), 0);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    for (int i = 0; i < 64; i++)
        atomic_store(&calls[i].news, true);
    for (int i = 0; i < 8; i++)
        parking_publish(parking, i);
    for (int i = 0; i < 64; i++)
        await_answers(&calls[i], 1);
}

static void never_called(struct rpc_call *call, const ProtobufCMessage *request, void *service)
{
    (void)call;
    (void)request;
    *(bool *)service = true;
}

static void expired_work_is_not_begun(void **state)
{
    (void)state;
    struct rpc_call call = new_call();
    bool called = false;
    call.deadline = clock_mono_now();
    workers_run(workers, &call, NULL, never_called, &called);
    await_answers(&call, 1);
    assert_int_equal(call.failed, SOMA_DEADLINE_EXCEEDED);
    assert_false(called);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(news_wake_the_call_once),
        cmocka_unit_test(news_between_begin_and_wait_are_not_lost),
        cmocka_unit_test(a_token_that_was_revoked_hears_no_news),
        cmocka_unit_test(the_topic_of_all_jobs_hears_everything),
        cmocka_unit_test(the_end_of_the_time_answers_with_the_state_as_it_is),
        cmocka_unit_test(the_callers_own_deadline_ends_the_wait_before_it),
        cmocka_unit_test(a_caller_without_a_deadline_waits_as_long_as_it_asked),
        cmocka_unit_test(a_peer_that_vanishes_during_a_look_is_not_waited_for),
        cmocka_unit_test(a_vanished_peer_takes_its_calls_along),
        cmocka_unit_test(one_peer_cannot_take_all_places),
        cmocka_unit_test(stopping_answers_all_that_waits),
        cmocka_unit_test(calls_survive_a_storm_of_news),
        cmocka_unit_test(expired_work_is_not_begun),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
