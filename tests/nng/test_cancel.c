/* Whichever half of a request is cancelled, the other ends too, and an unsent message comes back to
 * its sender. */
#include "busy.h"

#include <nng/protocol/reqrep0/req.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

static nng_socket sock;
static nng_ctx ctx;
static nng_aio *sending;
static nng_aio *receiving;

/* A request that cannot leave, for nobody was dialled, and a receive that waits for its reply. */
static void begin_request(void)
{
    nng_msg *msg;
    watchdog(20);
    assert_int_equal(nng_req0_open(&sock), 0);
    assert_int_equal(nng_ctx_open(&ctx, sock), 0);
    assert_int_equal(nng_aio_alloc(&sending, NULL, NULL), 0);
    assert_int_equal(nng_aio_alloc(&receiving, NULL, NULL), 0);
    assert_int_equal(nng_msg_alloc(&msg, 8), 0);
    nng_aio_set_msg(sending, msg);
    nng_ctx_send(ctx, sending);
    nng_ctx_recv(ctx, receiving);
}

static void end_request(void)
{
    nng_aio_free(sending);
    nng_aio_free(receiving);
    nng_ctx_close(ctx);
    assert_int_equal(nng_close(sock), 0);
}

static void expect_both_ended(void)
{
    nng_aio_wait(receiving);
    nng_aio_wait(sending);
    assert_int_equal(nng_aio_result(receiving), NNG_ECANCELED);
    assert_int_equal(nng_aio_result(sending), NNG_ECANCELED);
    assert_non_null(nng_aio_get_msg(sending));
    assert_int_equal(nng_msg_len(nng_aio_get_msg(sending)), 8);
    nng_msg_free(nng_aio_get_msg(sending));
}

static void a_cancelled_receive_ends_the_waiting_send(void **state)
{
    (void)state;
    begin_request();
    nng_aio_cancel(receiving);
    nng_aio_cancel(sending);
    expect_both_ended();
    end_request();
}

static void a_cancelled_send_ends_the_waiting_receive(void **state)
{
    (void)state;
    ONLY_WITH_OUR_PATCHES();
    begin_request();
    nng_aio_cancel(sending);
    nng_aio_cancel(receiving);
    expect_both_ended();
    end_request();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_cancelled_receive_ends_the_waiting_send),
        cmocka_unit_test(a_cancelled_send_ends_the_waiting_receive),
    };
    int failures = cmocka_run_group_tests(tests, NULL, NULL);
    nng_fini();
    return failures;
}
