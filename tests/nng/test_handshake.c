/* A listener outlives peers that leave before or during the handshake. */
#include "busy.h"

#include <nng/protocol/reqrep0/rep.h>
#include <nng/protocol/reqrep0/req.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <netinet/in.h>

enum {
    VISITS = 100,
    DIALS = 100
};

static struct busy server;

static void connect_and_vanish(const struct sockaddr *address, socklen_t size)
{
    int fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    struct linger reset = {.l_onoff = 1};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    assert_int_equal(connect(fd, address, size), 0);
    close(fd);
}

static void peers_that_connect_and_vanish_do_not_stop_an_ipc_listener(void **state)
{
    (void)state;
    watchdog(20);
    const char *url = ipc_url();
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s", url + strlen("ipc://"));
    busy_serve(&server, url);
    for (int i = 0; i < VISITS; i++)
        connect_and_vanish((struct sockaddr *)&address, sizeof address);
    assert_true(round_trip(url));
    busy_close(&server);
}

static void peers_that_connect_and_reset_do_not_stop_a_tcp_listener(void **state)
{
    (void)state;
    watchdog(20);
    const char *url = tcp_url();
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    address.sin_port = htons((uint16_t)strtoul(strrchr(url, ':') + 1, NULL, 10));
    busy_serve(&server, url);
    for (int i = 0; i < VISITS; i++)
        connect_and_vanish((struct sockaddr *)&address, sizeof address);
    assert_true(round_trip(url));
    busy_close(&server);
}

static _Noreturn void dial_and_die(const char *url)
{
    nng_socket sock;
    if (nng_req0_open(&sock) != 0 || nng_dial(sock, url, NULL, NNG_FLAG_NONBLOCK) != 0)
        _exit(1);
    /* Each child goes at another moment of the handshake. */
    for (volatile int i = getpid() % 20 * 5000; i > 0; i--)
        ;
    for (;;)
        raise(SIGKILL);
}

static void clients_that_dial_and_die_do_not_stop_a_listener(void **state)
{
    (void)state;
    watchdog(20);
    const char *url = ipc_url();
    busy_serve(&server, url);
    for (int i = 0; i < DIALS; i++) {
        int status = 0;
        pid_t pid = spawn_role("dial-and-die", url);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFSIGNALED(status));
    }
    assert_true(round_trip(url));
    busy_close(&server);
}

static void a_second_server_on_the_path_is_refused_and_harmless(void **state)
{
    (void)state;
    watchdog(20);
    const char *url = ipc_url();
    busy_serve(&server, url);
    for (int i = 0; i < VISITS; i++) {
        nng_socket second;
        assert_int_equal(nng_rep0_open(&second), 0);
        assert_int_equal(nng_listen(second, url, NULL, 0), NNG_EADDRINUSE);
        nng_close(second);
    }
    assert_true(round_trip(url));
    busy_close(&server);
}

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "dial-and-die") == 0)
        dial_and_die(argv[2]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(peers_that_connect_and_vanish_do_not_stop_an_ipc_listener),
        cmocka_unit_test(peers_that_connect_and_reset_do_not_stop_a_tcp_listener),
        cmocka_unit_test(clients_that_dial_and_die_do_not_stop_a_listener),
        cmocka_unit_test(a_second_server_on_the_path_is_refused_and_harmless),
    };
    int failures = cmocka_run_group_tests(tests, NULL, NULL);
    nng_fini();
    return failures;
}
