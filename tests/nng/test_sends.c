/* What goes out at once completes on its sender's thread, before the send returns: a thread more
 * for each message is what requests waited for. */
#include "busy.h"

#include <nng/protocol/reqrep0/rep.h>
#include <nng/protocol/reqrep0/req.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

struct side {
    nng_socket socket;
    nng_ctx ctx;
    nng_aio *sending, *receiving;
    pthread_t completed_on;
    int completions;
};

static struct side asking, answering;

static void completed(void *argument)
{
    struct side *side = argument;
    side->completed_on = pthread_self();
    side->completions++;
}

static void open_side(struct side *side, int (*open)(nng_socket *))
{
    *side = (struct side){.completions = 0};
    assert_int_equal(open(&side->socket), 0);
    assert_int_equal(nng_ctx_open(&side->ctx, side->socket), 0);
    assert_int_equal(nng_aio_alloc(&side->sending, completed, side), 0);
    assert_int_equal(nng_aio_alloc(&side->receiving, NULL, NULL), 0);
}

static void close_side(struct side *side)
{
    nng_aio_stop(side->sending);
    nng_aio_stop(side->receiving);
    nng_ctx_close(side->ctx);
    assert_int_equal(nng_close(side->socket), 0);
    nng_aio_free(side->sending);
    nng_aio_free(side->receiving);
}

static void begin_send(struct side *side)
{
    nng_msg *msg;
    assert_int_equal(nng_msg_alloc(&msg, 8), 0);
    nng_aio_set_msg(side->sending, msg);
    nng_ctx_send(side->ctx, side->sending);
}

static void receive(struct side *side)
{
    nng_ctx_recv(side->ctx, side->receiving);
    nng_aio_wait(side->receiving);
    assert_int_equal(nng_aio_result(side->receiving), 0);
    nng_msg_free(nng_aio_get_msg(side->receiving));
}

static void expect_completed_here(struct side *side, int completions)
{
    assert_int_equal(side->completions, completions);
    assert_int_equal(nng_aio_result(side->sending), 0);
    assert_true(pthread_equal(side->completed_on, pthread_self()));
}

static void a_send_that_goes_out_at_once_completes_before_it_returns(void **state)
{
    (void)state;
    ONLY_WITH_OUR_PATCHES();
    watchdog(20);
    const char *url = ipc_url();
    open_side(&answering, nng_rep0_open);
    open_side(&asking, nng_req0_open);
    assert_int_equal(nng_listen(answering.socket, url, NULL, 0), 0);
    assert_int_equal(nng_dial(asking.socket, url, NULL, 0), 0);
    for (int round = 1; round <= 3; round++) {
        begin_send(&asking);
        if (round == 1)
            nng_aio_wait(asking.sending); /* for the connection */
        else
            expect_completed_here(&asking, round);
        receive(&answering);
        begin_send(&answering);
        expect_completed_here(&answering, round);
        receive(&asking);
    }
    close_side(&asking);
    close_side(&answering);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_send_that_goes_out_at_once_completes_before_it_returns),
    };
    int failures = cmocka_run_group_tests(tests, NULL, NULL);
    nng_fini();
    return failures;
}
