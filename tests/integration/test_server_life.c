// somad from its start to its end: what it refuses to start on, how it stops, what a restart
// leaves.
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "somad_kit.h"

enum {
    EXIT_CANNOT = 1,
    EXIT_CONFIG = 2,
    LOADERS = 4
};

static struct somad somad;

static int start(void **state)
{
    (void)state;
    somad_prepare(&somad);
    somad_start(&somad);
    return 0;
}

static int clean(void **state)
{
    (void)state;
    somad_remove(&somad);
    return 0;
}

static void expect_pings(const char *url)
{
    struct peer peer;
    peer_open(&peer, url);
    assert_true(peer_pings(&peer));
    peer_close(&peer);
}

// Starts a second server, which must be refused.
static void expect_refused(const char *data, const char *listen, int status, const char *why)
{
    const char *const arguments[] = {"--data",   data,        "--listen", listen,
                                     "--runner", SOMA_RUNNER, NULL};
    assert_int_equal(somad_refused(&somad, arguments), status);
    assert_true(somad_said(&somad, "refused", why));
}

static const char *in_scratch(const char *prefix, const char *name)
{
    static char texts[4][KIT_PATH_SIZE + 32];
    static int next;
    char *text = texts[next++ % 4];
    snprintf(text, sizeof texts[0], "%s%s/%s", prefix, somad.directory, name);
    return text;
}

static void a_second_server_on_the_data_is_told_who_owns_it(void **state)
{
    (void)state;
    char owner[64];
    snprintf(owner, sizeof owner, "pid %d", (int)somad.pid);
    expect_refused(in_scratch("", "data"), in_scratch("ipc://", "other"), EXIT_CANNOT, owner);
    expect_pings(somad.ipc);
}

static void a_second_server_on_the_socket_does_not_harm_the_first(void **state)
{
    (void)state;
    for (int i = 0; i < 5; i++) {
        expect_refused(in_scratch("", "data2"), somad.ipc, EXIT_CONFIG, "another server");
        expect_pings(somad.ipc);
    }
}

static void a_file_that_is_no_socket_is_left_alone(void **state)
{
    (void)state;
    FD_CLEANUP int fd = open(in_scratch("", "precious"), O_WRONLY | O_CREAT, 0600);
    assert_int_equal(fd_write_all(fd, "data", 4), 0);
    expect_refused(in_scratch("", "data2"), in_scratch("ipc://", "precious"), EXIT_CONFIG,
                   "no socket");
    struct stat info;
    assert_int_equal(stat(in_scratch("", "precious"), &info), 0);
    assert_int_equal(info.st_size, 4);
}

static void addresses_beyond_this_machine_are_refused(void **state)
{
    (void)state;
    static const char *const urls[] = {"tcp://0.0.0.0:0", "tcp://*:0", "ws://192.0.2.1:0/rpc",
                                       "tcp://127.0.0.1.example.org:0", "udp://127.0.0.1:0"};
    setenv("SOMA_INSECURE", "off", 1);
    for (size_t i = 0; i < sizeof urls / sizeof urls[0]; i++)
        expect_refused(in_scratch("", "data2"), urls[i], EXIT_CONFIG, "cannot listen");
    setenv("SOMA_INSECURE", "on", 1);
}

static void another_program_is_not_taken_for_the_runner(void **state)
{
    (void)state;
    const char *const arguments[] = {"--data",   in_scratch("", "data2"),
                                     "--listen", in_scratch("ipc://", "other"),
                                     "--runner", "/bin/true",
                                     NULL};
    assert_int_equal(somad_refused(&somad, arguments), EXIT_CONFIG);
    assert_true(somad_said(&somad, "refused", "/bin/true is no soma-runner"));
}

static void only_the_owner_may_connect_and_look(void **state)
{
    (void)state;
    struct stat info;
    assert_int_equal(stat(in_scratch("", "socket"), &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
    assert_int_equal(stat(in_scratch("", "data"), &info), 0);
    assert_int_equal(info.st_mode & 0777, 0711);
    assert_int_equal(stat(in_scratch("", "data/soma.db"), &info), 0);
    assert_int_equal(info.st_mode & 0077, 0);
}

static void a_client_lives_through_restarts(void **state)
{
    (void)state;
    struct peer peer;
    peer_open(&peer, somad.ipc);
    for (int i = 0; i < 6; i++) {
        int signal = i % 2 ? SIGKILL : SIGTERM;
        assert_true(peer_pings(&peer));
        assert_int_equal(somad_end(&somad, signal), signal == SIGKILL ? 128 + SIGKILL : 0);
        somad_start(&somad);
        // The first call may find the connection broken; the second finds a new one.
        assert_true(peer_pings(&peer) || peer_pings(&peer));
    }
    peer_close(&peer);
}

static atomic_bool loading;

static void *load(void *url)
{
    struct peer peer;
    peer_open(&peer, url);
    nng_socket_set_ms(peer.socket, NNG_OPT_SENDTIMEO, 100);
    while (atomic_load(&loading)) {
        nng_msg *message;
        if (nng_msg_alloc(&message, 0) != 0)
            break;
        if (nng_sendmsg(peer.socket, message, 0) != 0)
            nng_msg_free(message);
        else if (nng_recvmsg(peer.socket, &message, 0) == 0)
            nng_msg_free(message);
    }
    peer_close(&peer);
    return NULL;
}

static void a_server_under_load_stops_in_order(void **state)
{
    (void)state;
    for (int round = 0; round < 3; round++) {
        pthread_t threads[LOADERS];
        char *const urls[LOADERS] = {somad.ipc, somad.tcp, somad.ws, somad.ipc};
        atomic_store(&loading, true);
        for (int i = 0; i < LOADERS; i++)
            assert_int_equal(pthread_create(&threads[i], NULL, load, urls[i]), 0);
        expect_pings(somad.ipc);
        expect_pings(somad.tcp);
        assert_int_equal(somad_end(&somad, SIGTERM), 0);
        assert_true(somad_said(&somad, "stderr", "SERVER-STOPPED"));
        assert_int_equal(access(in_scratch("", "socket"), F_OK), -1);
        atomic_store(&loading, false);
        for (int i = 0; i < LOADERS; i++)
            pthread_join(threads[i], NULL);
        somad_start(&somad);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, clean)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_second_server_on_the_data_is_told_who_owns_it),
        TEST(a_second_server_on_the_socket_does_not_harm_the_first),
        TEST(a_file_that_is_no_socket_is_left_alone),
        TEST(addresses_beyond_this_machine_are_refused),
        TEST(another_program_is_not_taken_for_the_runner),
        TEST(only_the_owner_may_connect_and_look),
        TEST(a_client_lives_through_restarts),
        TEST(a_server_under_load_stops_in_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
