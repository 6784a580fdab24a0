// Crowds and bad company: many idle connections, peers that say nothing, that speak slowly, that
// never end a request, that never read, that come and go without a pause. A client beside them sees
// no error, and when they are gone, the server has nothing left of them.
//
//     test_crowd [--as-user] [--soak]
//
// The soak has 10 000 idle connections, the short form 2 000.
#include <dirent.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "fault_kit.h"
#include "raw_peer.h"
#include "wire/limits.h"

enum {
    CROWD_SHORT = 2000,
    CROWD_SOAK = 10000,
    DESCRIPTORS_KEPT = 200,
    SILENT = 30,
    FLOOD = 2000,
    SLOW = 30,
    DEAF = 20,
    PINGS_UNREAD = 30,
    PING_BYTES = 65000,
    VISITS = 3000,
    SUBMIT_EVERY = 50
};

static int crowd_size = CROWD_SHORT;

// --- the client beside them

static struct bystander {
    pthread_t thread;
    struct soma_client *client;
    atomic_bool is_stopping;
    atomic_int calls;
    struct soma_error first; // what went wrong; code OK: nothing
} bystander;

static enum soma_code one_call(int number, struct soma_error *err)
{
    struct soma_call_options once = SOMA_CALL_OPTIONS_INIT;
    once.max_attempts = 1;
    if (number % SUBMIT_EVERY == 0) {
        static const char *const program[] = {"true"};
        struct soma_job_spec spec = SOMA_JOB_SPEC_INIT;
        spec.arguments = program;
        spec.argument_count = 1;
        return soma_job_submit(bystander.client, &spec, &once, NULL, err);
    }
    struct soma_ping_request request = SOMA_PING_REQUEST_INIT;
    return soma_server_ping(bystander.client, &request, &once, NULL, err);
}

static void *stand_by(void *unused)
{
    (void)unused;
    while (!atomic_load(&bystander.is_stopping) && bystander.first.code == SOMA_OK) {
        struct soma_error err;
        if (one_call(atomic_fetch_add(&bystander.calls, 1), &err) != SOMA_OK)
            bystander.first = err;
    }
    return NULL;
}

static void bystander_start(void)
{
    struct soma_client_options options = SOMA_CLIENT_OPTIONS_INIT;
    bystander = (struct bystander){0};
    options.server = fault_somad.ipc;
    assert_int_equal(soma_client_open(&options, &bystander.client, NULL), SOMA_OK);
    assert_int_equal(pthread_create(&bystander.thread, NULL, stand_by, NULL), 0);
}

// It has gone on, and nothing went wrong.
static void bystander_end(void)
{
    int before = atomic_load(&bystander.calls);
    struct mono_time deadline = clock_deadline_after(RAW_PATIENCE_MS);
    while (atomic_load(&bystander.calls) < before + 3 && clock_left_ms(deadline) > 0)
        poll(NULL, 0, 2);
    atomic_store(&bystander.is_stopping, true);
    pthread_join(bystander.thread, NULL);
    soma_client_close(bystander.client);
    if (bystander.first.code != SOMA_OK)
        fail_msg("after %d calls: %s", atomic_load(&bystander.calls), bystander.first.text);
    assert_true(atomic_load(&bystander.calls) >= before + 3);
}

// --- what the server has of them

static int descriptors_of_the_server(void)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%ld/fd", (long)fault_somad.pid);
    DIR *directory = opendir(path);
    int count = 0;
    while (directory && readdir(directory))
        count++;
    if (directory)
        closedir(directory);
    return count;
}

static void wait_for_connections(int64_t least, int64_t most)
{
    int64_t deadline_ms = 0, now;
    while ((now = fault_stat("rpc_connections")) < least || now > most)
        fault_pause(&deadline_ms, "connections");
}

// --- peers

static int dial(int number)
{
    return number % 3 == 0   ? raw_dial_ipc()
           : number % 3 == 1 ? raw_dial_port(fault_somad.tcp)
                             : raw_dial_port(fault_somad.ws);
}

// A ping as the ipc transport carries it.
static char *ping_of(size_t payload, size_t *ret_length)
{
    static const char method[] = "\x0a\x1asoma.v1.ServerService/Ping";
    size_t frame = 5 + sizeof method - 1 + 4 + payload;
    char *bytes = calloc(1, frame + 64), *at = bytes;
    assert_non_null(bytes);
    *at++ = 1;
    for (int shift = 56; shift >= 0; shift -= 8)
        *at++ = (char)((uint64_t)(frame + 4) >> shift);
    memcpy(at, "\x80\0\0\1\1\x1c\0\0\0", 9); // request id; version, header length
    memcpy(at + 9, method, sizeof method - 1);
    at += 9 + sizeof method - 1;
    *at++ = 0x0a;
    *at++ = (char)(0x80 | (payload & 0x7f));
    *at++ = (char)(0x80 | (payload >> 7 & 0x7f));
    *at++ = (char)(payload >> 14);
    *ret_length = (size_t)(at - bytes) + payload;
    return bytes;
}

// --- the tests

static void many_idle_connections_are_noticed_by_nobody(void **state)
{
    (void)state;
    int before = descriptors_of_the_server();
    int *fds = calloc((size_t)crowd_size, sizeof *fds);
    assert_non_null(fds);
    bystander_start();
    for (int i = 0; i < crowd_size; i++) {
        fds[i] = i % 2 ? raw_dial_ipc() : raw_dial_port(fault_somad.tcp);
        raw_say(fds[i], raw_hello, RAW_HELLO_BYTES);
    }
    wait_for_connections(crowd_size, crowd_size + 3);
    bystander_end();
    for (int i = 0; i < crowd_size; i++)
        close(fds[i]);
    free(fds);
    wait_for_connections(0, 2);
    int64_t deadline_ms = 0;
    while (descriptors_of_the_server() > before + 8)
        fault_pause(&deadline_ms, "descriptors");
}

static void peers_that_say_nothing_are_let_go(void **state)
{
    (void)state;
    int fds[SILENT];
    bystander_start();
    for (int i = 0; i < SILENT; i++) {
        fds[i] = dial(i);
        // Some begin: a part of the handshake, a part of a request.
        if (i % 2)
            raw_say(fds[i], i % 3 == 2 ? "GET /rpc HT" : raw_hello, 5);
    }
    for (int i = 0; i < SILENT; i++) {
        raw_expect_closed(fds[i]);
        close(fds[i]);
    }
    bystander_end();
}

// Those that connect and do not introduce themselves are few, however many come; one that does gets
// through beside them.
static void a_flood_of_silent_peers_takes_few_descriptors(void **state)
{
    (void)state;
    int before = descriptors_of_the_server();
    int *fds = calloc(FLOOD, sizeof *fds);
    assert_non_null(fds);
    bystander_start();
    for (int i = 0; i < FLOOD; i++)
        fds[i] = dial(i);
    int64_t deadline_ms = 0;
    while (descriptors_of_the_server() > before + 3 * LIMIT_HANDSHAKES + 16)
        fault_pause(&deadline_ms, "the end of handshakes");
    // The last ones are not those that were closed.
    for (int i = FLOOD - 30; i < FLOOD; i++) {
        char bytes[RAW_HELLO_BYTES];
        if (i % 3 == 2)
            continue;
        raw_say(fds[i], raw_hello, sizeof raw_hello);
        assert_int_equal(recv(fds[i], bytes, sizeof bytes, MSG_WAITALL), sizeof bytes);
    }
    bystander_end();
    for (int i = 0; i < FLOOD; i++)
        close(fds[i]);
    free(fds);
    wait_for_connections(0, 2);
}

// A request of the largest size that never comes. The two transports say their lengths alike, but
// for a byte before the one of ipc.
static int dial_and_announce(int number)
{
    char hello[RAW_HELLO_BYTES], bytes[9 + 2048] = {1};
    int is_ipc = number % 2;
    int fd = is_ipc ? raw_dial_ipc() : raw_dial_port(fault_somad.tcp);
    for (int i = 0; i < 8; i++)
        bytes[is_ipc + i] = (char)((uint64_t)LIMIT_FRAME_BYTES >> (56 - 8 * i));
    raw_say(fd, raw_hello, sizeof raw_hello);
    raw_say(fd, bytes, sizeof bytes);
    assert_int_equal(recv(fd, hello, sizeof hello, MSG_WAITALL), sizeof hello);
    return fd;
}

static int closed_of(const int *fds, int count)
{
    int closed = 0;
    char byte;
    for (int i = 0; i < count; i++) {
        ssize_t got = recv(fds[i], &byte, 1, MSG_DONTWAIT | MSG_PEEK);
        closed += got == 0 || (got < 0 && errno == ECONNRESET);
    }
    return closed;
}

// Large requests that have begun may be so large all together: those that began first go.
static void halves_of_requests_take_so_much_all_together(void **state)
{
    (void)state;
    enum {
        ROOM = LIMIT_FRAMES_ARRIVING_BYTES / LIMIT_FRAME_BYTES,
        ALL = ROOM + 9
    };
    int fds[ALL];
    int64_t deadline_ms = 0;
    bystander_start();
    for (int i = 0; i < ALL; i++)
        fds[i] = dial_and_announce(i);
    while (closed_of(fds, ALL) < ALL - ROOM)
        fault_pause(&deadline_ms, "the end of those that began first");
    bystander_end();
    assert_int_equal(closed_of(fds, ALL), ALL - ROOM);
    assert_int_equal(closed_of(fds + ROOM, ALL - ROOM), 0);
    for (int i = 0; i < ALL; i++)
        close(fds[i]);
    wait_for_connections(0, 2);
}

static void peers_that_send_byte_by_byte_get_their_replies(void **state)
{
    (void)state;
    int fds[SLOW];
    size_t length;
    char *ping =
        ping_of(1 << 14, &length); // as many bytes as one length of three bytes begins with
    bystander_start();
    for (int i = 0; i < SLOW; i++) {
        fds[i] = raw_dial_ipc();
        raw_say(fds[i], raw_hello, RAW_HELLO_BYTES);
    }
    for (size_t at = 0; at < length; at += at < 64 ? 1 : 512) {
        size_t step = at < 64 ? 1 : 512;
        for (int i = 0; i < SLOW; i++)
            raw_say(fds[i], ping + at, at + step < length ? step : length - at);
    }
    for (int i = 0; i < SLOW; i++) {
        char bytes[1 << 14];
        assert_int_equal(recv(fds[i], bytes, RAW_HELLO_BYTES, MSG_WAITALL), RAW_HELLO_BYTES);
        assert_true(recv(fds[i], bytes, 1 << 14, MSG_WAITALL) == 1 << 14);
        close(fds[i]);
    }
    free(ping);
    bystander_end();
}

static void peers_that_never_read_their_replies_hold_up_nobody(void **state)
{
    (void)state;
    int fds[DEAF];
    size_t length;
    char *ping = ping_of(PING_BYTES, &length);
    bystander_start();
    for (int i = 0; i < DEAF; i++) {
        fds[i] = raw_dial_ipc();
        raw_say(fds[i], raw_hello, RAW_HELLO_BYTES);
    }
    for (int n = 0; n < PINGS_UNREAD; n++) {
        for (int i = 0; i < DEAF; i++) {
            ssize_t sent = send(fds[i], ping, length, MSG_NOSIGNAL | MSG_DONTWAIT);
            if (sent < 0)
                continue; // the server reads no more of it, as it should
            if ((size_t)sent < length && n + 1 < PINGS_UNREAD)
                shutdown(fds[i], SHUT_WR);
        }
    }
    bystander_end();
    for (int i = 0; i < DEAF; i++)
        close(fds[i]);
    free(ping);
    // The one in hand is the one that asks.
    int64_t deadline_ms = 0;
    while (fault_stat("rpc_calls_in_hand") > 1)
        fault_pause(&deadline_ms, "unread replies");
}

static void peers_that_come_and_go_leave_nothing(void **state)
{
    (void)state;
    int before = descriptors_of_the_server();
    bystander_start();
    for (int i = 0; i < VISITS; i++) {
        int fd = dial(i);
        struct linger reset = {.l_onoff = 1};
        if (i % 4 == 0)
            setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
        // It may be refused already, so nothing is expected.
        if (i % 5 && send(fd, raw_hello, (size_t)i % RAW_HELLO_BYTES, MSG_NOSIGNAL) < 0)
            atomic_fetch_add(&bystander.calls, 0);
        close(fd);
    }
    bystander_end();
    int64_t deadline_ms = 0;
    while (descriptors_of_the_server() > before + 8)
        fault_pause(&deadline_ms, "descriptors");
}

static int open_all(void **state)
{
    (void)state;
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    // The server keeps some for itself and its jobs.
    if (limit.rlim_cur < (rlim_t)crowd_size + 5 * DESCRIPTORS_KEPT)
        crowd_size = (int)limit.rlim_cur - 5 * DESCRIPTORS_KEPT;
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
        cmocka_unit_test(many_idle_connections_are_noticed_by_nobody),
        cmocka_unit_test(peers_that_say_nothing_are_let_go),
        cmocka_unit_test(a_flood_of_silent_peers_takes_few_descriptors),
        cmocka_unit_test(halves_of_requests_take_so_much_all_together),
        cmocka_unit_test(peers_that_send_byte_by_byte_get_their_replies),
        cmocka_unit_test(peers_that_never_read_their_replies_hold_up_nobody),
        cmocka_unit_test(peers_that_come_and_go_leave_nothing),
    };
    somad_kit_open(argc, argv);
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--soak") == 0)
            crowd_size = CROWD_SOAK;
    }
    return cmocka_run_group_tests_name("crowd", tests, open_all, close_all);
}
