/* A server gets rid of clients that are killed with many requests in flight: pipes, descriptors and
 * events. */
#include "busy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum {
    CLIENTS = 80,
    ROUNDS_BEFORE_DEATH = 200
};

static struct busy server;
static unsigned long rounds_wanted;
static int fds_before;

static bool is_busy_enough(void *arg)
{
    (void)arg;
    return atomic_load(&server.rounds) >= rounds_wanted;
}

static bool is_everyone_gone(void *arg)
{
    (void)arg;
    return atomic_load(&server.added) >= CLIENTS &&
           atomic_load(&server.removed) == atomic_load(&server.added);
}

static bool are_fds_closed(void *arg)
{
    (void)arg;
    return count_fds() <= fds_before;
}

static void serve_clients_that_die(const char *url)
{
    busy_serve(&server, url);
    fds_before = count_fds();
    for (int i = 0; i < CLIENTS; i++) {
        rounds_wanted = atomic_load(&server.rounds) + ROUNDS_BEFORE_DEATH;
        pid_t pid = spawn_role("request", url);
        assert_true(wait_until(is_busy_enough, NULL, 5000));
        kill_and_reap(pid);
    }
    assert_true(wait_until(is_everyone_gone, NULL, 5000));
    assert_true(wait_until(are_fds_closed, NULL, 5000));
    assert_true(round_trip(url));
    busy_close(&server);
}

static void killed_ipc_clients_leave_nothing_behind(void **state)
{
    (void)state;
    watchdog(20);
    serve_clients_that_die(ipc_url());
}

static void killed_tcp_clients_leave_nothing_behind(void **state)
{
    (void)state;
    watchdog(20);
    serve_clients_that_die(tcp_url());
}

static _Noreturn void request_until_killed(const char *url)
{
    static struct busy client;
    begin_role();
    busy_request(&client, url);
    for (;;)
        pause();
}

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "request") == 0)
        request_until_killed(argv[2]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(killed_ipc_clients_leave_nothing_behind),
        cmocka_unit_test(killed_tcp_clients_leave_nothing_behind),
    };
    int failures = cmocka_run_group_tests(tests, NULL, NULL);
    nng_fini();
    return failures;
}
