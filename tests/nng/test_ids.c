/* The ids of requests come to their end and begin anew: the first one is anywhere, so any client
 * meets it. */
#include "busy.h"

#include <nng/protocol/reqrep0/rep.h>
#include <nng/protocol/reqrep0/req.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum {
    BEFORE_THE_END = 5,
    REQUESTS = 20,
    PATIENCE_MS = 10000
};

// Where nng begins, in place of libc's: 0x80000000 and this, modulo the count of ids.
uint32_t arc4random(void);
uint32_t arc4random(void)
{
    return 0x80000000U - BEFORE_THE_END;
}

static nng_socket open_socket(int (*open)(nng_socket *))
{
    nng_socket socket;
    assert_int_equal(open(&socket), 0);
    assert_int_equal(nng_socket_set_ms(socket, NNG_OPT_RECVTIMEO, PATIENCE_MS), 0);
    assert_int_equal(nng_socket_set_ms(socket, NNG_OPT_SENDTIMEO, PATIENCE_MS), 0);
    return socket;
}

static void requests_are_answered_beyond_the_last_id(void **state)
{
    (void)state;
    nng_socket asking = open_socket(nng_req0_open), answering = open_socket(nng_rep0_open);
    assert_int_equal(nng_listen(answering, "inproc://ids", NULL, 0), 0);
    assert_int_equal(nng_dial(asking, "inproc://ids", NULL, 0), 0);
    for (uint32_t i = 0; i < REQUESTS; i++) {
        uint32_t number = i;
        size_t length = sizeof number;
        assert_int_equal(nng_send(asking, &number, length, 0), 0);
        assert_int_equal(nng_recv(answering, &number, &length, 0), 0);
        assert_int_equal(nng_send(answering, &number, length, 0), 0);
        assert_int_equal(nng_recv(asking, &number, &length, 0), 0);
        assert_int_equal(length, sizeof number);
        assert_int_equal(number, i);
    }
    nng_close(asking);
    nng_close(answering);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_are_answered_beyond_the_last_id),
    };
    int failures = cmocka_run_group_tests(tests, NULL, NULL);
    nng_fini();
    return failures;
}
