/* nng_close comes back, with everything in flight on both sides, again and again. */
#include "busy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

enum {
    CYCLES = 60,
    CLIENTS = 3,
    ROUNDS_BEFORE_CLOSE = 50
};

static struct busy server;
static struct busy clients[CLIENTS];

static bool is_under_load(void *arg)
{
    (void)arg;
    return atomic_load(&server.rounds) >= ROUNDS_BEFORE_CLOSE;
}

/* The server goes first, under its clients, in every second cycle. */
static void open_and_close(const char *url, void (*close_one)(struct busy *))
{
    for (int cycle = 0; cycle < CYCLES; cycle++) {
        busy_serve(&server, url);
        for (int i = 0; i < CLIENTS; i++)
            busy_request(&clients[i], url);
        assert_true(wait_until(is_under_load, NULL, 5000));
        if (cycle % 2 == 0)
            close_one(&server);
        for (int i = 0; i < CLIENTS; i++)
            close_one(&clients[i]);
        if (cycle % 2 != 0)
            close_one(&server);
    }
}

static void orderly_close_returns_under_load(void **state)
{
    (void)state;
    watchdog(20);
    open_and_close(ipc_url(), busy_close);
    open_and_close(tcp_url(), busy_close);
    open_and_close("inproc://close", busy_close);
}

static void abrupt_close_returns_under_load(void **state)
{
    (void)state;
    ONLY_WITH_OUR_PATCHES();
    watchdog(20);
    open_and_close(ipc_url(), busy_close_abruptly);
    open_and_close(tcp_url(), busy_close_abruptly);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(orderly_close_returns_under_load),
        cmocka_unit_test(abrupt_close_returns_under_load),
    };
    int failures = cmocka_run_group_tests(tests, NULL, NULL);
    nng_fini();
    return failures;
}
