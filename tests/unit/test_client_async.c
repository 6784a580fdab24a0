// libsoma's asynchronous form: callbacks, cancelling, closing, lanes.
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include <cmocka.h>
#include <soma/soma.h>

#include "client_scene.h"

enum {
    AWAIT_S = 10,
    // Each call's end within the one before would take some 300 bytes.
    CROWD = 20000,
    STACK_BYTES = 1 << 20
};

struct outcome {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int ended;
    enum soma_code last;
};

static void note(void *user, struct soma_ping *result, const struct soma_error *err)
{
    struct outcome *outcome = user;
    soma_free(result);
    pthread_mutex_lock(&outcome->lock);
    outcome->ended++;
    outcome->last = err ? err->code : SOMA_OK;
    pthread_cond_signal(&outcome->changed);
    pthread_mutex_unlock(&outcome->lock);
}

static void await(struct outcome *outcome, int ended)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += AWAIT_S;
    int rv = 0;
    pthread_mutex_lock(&outcome->lock);
    while (outcome->ended < ended && rv == 0)
        rv = pthread_cond_timedwait(&outcome->changed, &outcome->lock, &until);
    pthread_mutex_unlock(&outcome->lock);
    assert_int_equal(rv, 0);
}

static struct soma_call *start_ping(struct scene *scene, struct outcome *outcome)
{
    struct soma_ping_request request = SOMA_PING_REQUEST_INIT;
    struct soma_call *call;
    assert_int_equal(
        soma_server_ping_async(scene->client, &request, NULL, note, outcome, &call, NULL), SOMA_OK);
    return call;
}

#define OUTCOME_INIT                                                    \
    {                                                                   \
        PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0, SOMA_OK \
    }

static void a_cancelled_call_calls_back_once(void **state)
{
    struct scene *scene = *state;
    struct outcome flying = OUTCOME_INIT;
    struct outcome waiting = OUTCOME_INIT;
    scene->actions[0] = FAKE_HOLD;
    struct soma_call *first = start_ping(scene, &flying);
    fake_server_await(scene->server, 1);
    // max_in_flight is 1: this one waits its turn.
    struct soma_call *second = start_ping(scene, &waiting);
    soma_call_cancel(second);
    await(&waiting, 1);
    assert_int_equal(waiting.last, SOMA_CANCELLED);
    soma_call_cancel(first);
    await(&flying, 1);
    assert_int_equal(flying.last, SOMA_CANCELLED);
    assert_int_equal(scene_ping(scene, NULL, NULL), SOMA_OK);
    assert_int_equal(fake_server_count(scene->server), 2);
    assert_int_equal(flying.ended + waiting.ended, 2);
}

static void a_call_that_pauses_can_be_cancelled(void **state)
{
    struct scene *scene = *state;
    struct outcome outcome = OUTCOME_INIT;
    scene->codes[0] = SOMA_UNAVAILABLE;
    scene->retry_after_ms = 20000;
    struct soma_call *call = start_ping(scene, &outcome);
    fake_server_await(scene->server, 1);
    soma_call_cancel(call);
    await(&outcome, 1);
    assert_int_equal(outcome.last, SOMA_CANCELLED);
}

static void waiting_calls_go_out_in_turn(void **state)
{
    struct scene *scene = *state;
    struct outcome outcome = OUTCOME_INIT;
    for (int i = 0; i < 40; i++)
        start_ping(scene, &outcome);
    await(&outcome, 40);
    assert_int_equal(outcome.last, SOMA_OK);
    assert_int_equal(fake_server_count(scene->server), 40);
}

static void closing_ends_every_call(void **state)
{
    struct scene *scene = *state;
    struct outcome outcome = OUTCOME_INIT;
    scene->actions[0] = FAKE_HOLD;
    for (int i = 0; i < 10; i++)
        start_ping(scene, &outcome);
    fake_server_await(scene->server, 1);
    soma_client_close(scene->client);
    scene->client = NULL;
    assert_int_equal(outcome.ended, 10);
    assert_int_equal(outcome.last, SOMA_CANCELLED);
}

// On the stack that main gives every thread.
static void closing_ends_as_many_calls_as_wait(void **state)
{
    struct scene *scene = *state;
    struct outcome outcome = OUTCOME_INIT;
    scene->actions[0] = FAKE_HOLD;
    for (int i = 0; i < CROWD; i++)
        start_ping(scene, &outcome);
    fake_server_await(scene->server, 1);
    soma_client_close(scene->client);
    scene->client = NULL;
    assert_int_equal(outcome.ended, CROWD);
}

static void forget_job(void *user, struct soma_job *job, const struct soma_error *err)
{
    (void)user;
    (void)err;
    soma_free(job);
}

// max_in_flight is 1.
static void a_long_poll_takes_no_calls_place(void **state)
{
    struct scene *scene = *state;
    struct soma_job_wait_request request = SOMA_JOB_WAIT_REQUEST_INIT;
    request.job_id = "j";
    request.wait_ms = 60000;
    scene->actions[0] = FAKE_HOLD;
    assert_int_equal(
        soma_job_wait_async(scene->client, &request, NULL, forget_job, NULL, NULL, NULL), SOMA_OK);
    fake_server_await(scene->server, 1);
    assert_true(scene->timeouts[0] > 60000);
    assert_int_equal(scene_ping(scene, NULL, NULL), SOMA_OK);
}

#define SCENE(name) cmocka_unit_test_setup_teardown(name, client_scene_open, client_scene_close)

// For threads from now on, nng's among them.
static void bound_stacks(void)
{
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, STACK_BYTES);
    assert_int_equal(pthread_setattr_default_np(&attributes), 0);
    pthread_attr_destroy(&attributes);
}

int main(void)
{
    bound_stacks();
    const struct CMUnitTest tests[] = {
        SCENE(a_cancelled_call_calls_back_once),   SCENE(a_call_that_pauses_can_be_cancelled),
        SCENE(waiting_calls_go_out_in_turn),       SCENE(closing_ends_every_call),
        SCENE(closing_ends_as_many_calls_as_wait), SCENE(a_long_poll_takes_no_calls_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
