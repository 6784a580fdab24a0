// How many connections there may be, and how long one stays that nobody uses.
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "fault_kit.h"
#include "raw_peer.h"

enum {
    IDLE_MS = 1000,
    PER_PEER = 8
};

static const char idle_text[] = "1000", per_peer_text[] = "8";

static struct soma_client *client_open(const char *server)
{
    struct soma_client_options options = SOMA_CLIENT_OPTIONS_INIT;
    struct soma_client *client;
    options.server = server;
    assert_int_equal(soma_client_open(&options, &client, NULL), SOMA_OK);
    return client;
}

// --- a long poll in another thread

static struct poll {
    pthread_t thread;
    char job[FAULT_ID_SIZE];
    enum soma_code code;
    bool is_final;
} poll;

static void *wait_once(void *unused)
{
    (void)unused;
    struct soma_client *client = client_open(fault_somad.tcp);
    struct soma_job_wait_request request = SOMA_JOB_WAIT_REQUEST_INIT;
    struct soma_call_options once = SOMA_CALL_OPTIONS_INIT;
    struct soma_job *job;
    once.max_attempts = 1;
    request.job_id = poll.job;
    request.wait_ms = 60000;
    poll.code = soma_job_wait(client, &request, &once, &job, NULL);
    poll.is_final = job && soma_job_state_is_final(job->state);
    soma_free(job);
    soma_client_close(client);
    return NULL;
}

// --- the tests

static void who_asks_nothing_is_closed_and_who_waits_is_not(void **state)
{
    (void)state;
    char script[256];
    int64_t deadline_ms = 0;
    snprintf(script, sizeof script, FAULT_UNTIL, fault_path("go"));
    fault_submit(script, poll.job);
    assert_int_equal(pthread_create(&poll.thread, NULL, wait_once, NULL), 0);
    while (fault_stat("rpc_parked") < 1)
        fault_pause(&deadline_ms, "a long poll");
    // Those come after the poll, so that it has been quiet for longer than they when they go. The
    // last one is in the middle of a request.
    int fds[] = {raw_dial_ipc(), raw_dial_port(fault_somad.tcp), raw_dial_ipc()};
    for (size_t i = 0; i < 3; i++)
        raw_say(fds[i], raw_hello, sizeof raw_hello);
    raw_say(fds[2], "\1\0\0\0\0\0\1\0\0half of it", 19);
    for (size_t i = 0; i < 3; i++) {
        raw_expect_closed(fds[i]);
        close(fds[i]);
    }
    assert_int_equal(fault_stat("rpc_parked"), 1);
    deadline_ms = 0;
    while (!somad_said(&fault_somad, "stderr", "CONNECTIONS-IDLE"))
        fault_pause(&deadline_ms, "a line that says so");
    fault_let_go("go");
    assert_int_equal(pthread_join(poll.thread, NULL), 0);
    assert_int_equal(poll.code, SOMA_OK);
    assert_true(poll.is_final);
}

static int64_t jobs_of_queue(const char *queue)
{
    struct soma_job_list_request request = SOMA_JOB_LIST_REQUEST_INIT;
    struct soma_job_list *list;
    request.filter.queue = queue;
    assert_int_equal(soma_job_list(fault_client, &request, NULL, &list, NULL), SOMA_OK);
    int64_t count = (int64_t)list->job_count;
    soma_free(list);
    return count;
}

static void a_client_whose_connection_was_closed_notices_nothing(void **state)
{
    (void)state;
    static const char *const program[] = {"true"};
    const char *servers[] = {fault_somad.ipc, fault_somad.tcp, fault_somad.ws};
    struct soma_ping_request ping = SOMA_PING_REQUEST_INIT;
    struct soma_job_spec spec = SOMA_JOB_SPEC_INIT;
    struct soma_call_options once = SOMA_CALL_OPTIONS_INIT;
    struct soma_client *clients[3];
    int64_t deadline_ms = 0;
    once.max_attempts = 1;
    spec.arguments = program;
    spec.argument_count = 1;
    spec.queue = "quiet";
    for (size_t i = 0; i < 3; i++) {
        clients[i] = client_open(servers[i]);
        assert_int_equal(soma_server_ping(clients[i], &ping, &once, NULL, NULL), SOMA_OK);
    }
    int64_t before = fault_stat("rpc_connections_idle_closed");
    while (fault_stat("rpc_connections_idle_closed") < before + 3)
        fault_pause(&deadline_ms, "the end of idle connections");
    // As programs do, with the attempts of the default: the server may just be closing the next
    // one.
    for (size_t i = 0; i < 3; i++) {
        struct soma_error err = {0};
        if (soma_job_submit(clients[i], &spec, NULL, NULL, &err) != SOMA_OK)
            fail_msg("%s: %s", servers[i], err.text);
        soma_client_close(clients[i]);
    }
    assert_int_equal(jobs_of_queue("quiet"), 3);
}

static void one_user_has_so_many_connections_and_another_address_is_not_touched(void **state)
{
    (void)state;
    int fds[PER_PEER];
    for (int i = 0; i < PER_PEER; i++) {
        fds[i] = raw_dial_port(fault_somad.tcp);
        raw_say(fds[i], raw_hello, sizeof raw_hello);
    }
    int64_t deadline_ms = 0;
    while (fault_stat("rpc_connections") < PER_PEER + 1)
        fault_pause(&deadline_ms, "connections");
    int more = raw_dial_port(fault_somad.tcp);
    raw_say(more, raw_hello, sizeof raw_hello);
    raw_expect_closed(more);
    close(more);
    assert_true(fault_stat("rpc_connections_refused") > 0);
    assert_true(somad_said(&fault_somad, "stderr",
                           "CONNECTION-REFUSED the limit connections_per_peer is reached"));
    for (int i = 0; i < PER_PEER; i++)
        close(fds[i]);
    struct soma_ping_request ping = SOMA_PING_REQUEST_INIT;
    struct soma_client *client = client_open(fault_somad.tcp);
    assert_int_equal(soma_server_ping(client, &ping, NULL, NULL, NULL), SOMA_OK);
    soma_client_close(client);
}

static int64_t limit_of(const struct soma_server_info *info, const char *name)
{
    for (size_t i = 0; i < info->limit_count; i++) {
        if (strcmp(info->limits[i].name, name) == 0)
            return info->limits[i].value;
    }
    return -1;
}

static void the_server_says_what_it_was_configured_to(void **state)
{
    (void)state;
    struct soma_empty_request request = SOMA_EMPTY_REQUEST_INIT;
    struct soma_server_info *info;
    assert_int_equal(soma_server_info(fault_client, &request, NULL, &info, NULL), SOMA_OK);
    assert_int_equal(limit_of(info, "idle_ms"), IDLE_MS);
    assert_int_equal(limit_of(info, "connections_per_peer"), PER_PEER);
    assert_int_equal(limit_of(info, "connections"), 64);
    soma_free(info);
}

static int open_all(void **state)
{
    (void)state;
    setenv("SOMA_IDLE_MS", idle_text, 1);
    setenv("SOMA_MAX_PEER_CONNECTIONS", per_peer_text, 1);
    setenv("SOMA_MAX_CONNECTIONS", "64", 1);
    fault_open();
    fault_start_server();
    return 0;
}

static int close_all(void **state)
{
    (void)state;
    int status = somad_end(&fault_somad, SIGTERM);
    fault_close();
    return status;
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_asks_nothing_is_closed_and_who_waits_is_not),
        cmocka_unit_test(a_client_whose_connection_was_closed_notices_nothing),
        cmocka_unit_test(one_user_has_so_many_connections_and_another_address_is_not_touched),
        cmocka_unit_test(the_server_says_what_it_was_configured_to),
    };
    somad_kit_open(argc, argv);
    return cmocka_run_group_tests_name("connections", tests, open_all, close_all);
}
