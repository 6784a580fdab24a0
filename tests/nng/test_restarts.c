/* One client with many requests in flight finds its server again each time it comes back. */
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
    RESTARTS = 25,
    ROUNDS_PER_LIFE = 200
};

static struct busy client;
static unsigned long rounds_wanted;

static bool is_served(void *arg)
{
    (void)arg;
    return atomic_load(&client.rounds) >= rounds_wanted;
}

static void live_through_restarts(const char *url)
{
    busy_request(&client, url);
    for (int i = 0; i < RESTARTS; i++) {
        rounds_wanted = atomic_load(&client.rounds) + ROUNDS_PER_LIFE;
        pid_t pid = spawn_role("serve", url);
        bool is_found = wait_until(is_served, NULL, 5000);
        kill_and_reap(pid);
        assert_true(is_found);
    }
    busy_close(&client);
}

static void a_client_survives_restarts_over_ipc(void **state)
{
    (void)state;
    watchdog(20);
    live_through_restarts(ipc_url());
}

static void a_client_survives_restarts_over_tcp(void **state)
{
    (void)state;
    watchdog(20);
    live_through_restarts(tcp_url());
}

static _Noreturn void serve_until_killed(const char *url)
{
    static struct busy server;
    begin_role();
    busy_serve(&server, url);
    for (;;)
        pause();
}

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "serve") == 0)
        serve_until_killed(argv[2]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_client_survives_restarts_over_ipc),
        cmocka_unit_test(a_client_survives_restarts_over_tcp),
    };
    int failures = cmocka_run_group_tests(tests, NULL, NULL);
    nng_fini();
    return failures;
}
