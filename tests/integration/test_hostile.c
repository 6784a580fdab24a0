// Peers that send what no client would: each gets an error that says what was wrong, or loses its
// connection, and nobody else notices.
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
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
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/file.h"
#include "soma/v1/server.pb-c.h"
#include "somad_kit.h"
#include "wire/decode.h"
#include "wire/limits.h"

#define BYTES(text) text, sizeof text - 1

enum {
    VANISHING_PEERS = 200,
    PING_BYTES = 65000,
    UNREAD_REPLIES = 100
};

static struct somad somad;

static int start(void **state)
{
    (void)state;
    somad_prepare(&somad);
    somad_start(&somad);
    return 0;
}

// After all that was done to it, the server still ends as it should.
static int stop(void **state)
{
    (void)state;
    bool orderly = somad_end(&somad, SIGTERM) == 0;
    somad_remove(&somad);
    return orderly ? 0 : -1;
}

static const char *const *all_urls(void)
{
    static const char *urls[4];
    urls[0] = somad.ipc;
    urls[1] = somad.tcp;
    urls[2] = somad.ws;
    return urls;
}

// --- frames that cannot be read

static void a_bad_frame_gets_an_error_and_the_connection_goes_on(void **state)
{
    (void)state;
    static const struct {
        const char *frame;
        size_t length;
        const char *reason;
        enum soma_code code;
    } rows[] = {
        {BYTES(""), "FRAME_MALFORMED", SOMA_INVALID_ARGUMENT},
        {BYTES("\1"), "FRAME_MALFORMED", SOMA_INVALID_ARGUMENT},
        {BYTES("\1\0\0\0"), "FRAME_MALFORMED", SOMA_INVALID_ARGUMENT},
        {BYTES("\0\0\0\0\0"), "FRAME_VERSION", SOMA_UNIMPLEMENTED},
        {BYTES("\2\0\0\0\0"), "FRAME_VERSION", SOMA_UNIMPLEMENTED},
        {BYTES("GET / HTTP/1.1\r\n\r\n"), "FRAME_VERSION", SOMA_UNIMPLEMENTED},
        {BYTES("\1\2\0\0\0x"), "FRAME_MALFORMED", SOMA_INVALID_ARGUMENT},
        {BYTES("\1\377\377\377\377xyz"), "MESSAGE_TOO_LARGE", SOMA_RESOURCE_EXHAUSTED},
        {BYTES("\1\3\0\0\0\xff\xff\xff"), "HEADER_MALFORMED", SOMA_INVALID_ARGUMENT},
        {BYTES("\1\4\0\0\0\x0a\x02\xc0\x80"), "HEADER_MALFORMED", SOMA_INVALID_ARGUMENT},
        {BYTES("\1\0\0\0\0"), "METHOD_UNKNOWN", SOMA_UNIMPLEMENTED},
    };
    for (const char *const *url = all_urls(); *url; url++) {
        struct peer peer;
        peer_open(&peer, *url);
        for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
            struct answer answer;
            assert_true(peer_ask(&peer, rows[i].frame, rows[i].length, &answer));
            assert_string_equal(answer.header->reason, rows[i].reason);
            assert_int_equal(answer.header->code, rows[i].code);
            assert_int_equal(answer.message_length, 0);
            answer_free(&answer);
            assert_true(peer_pings(&peer));
        }
        peer_close(&peer);
    }
}

static void a_future_version_is_told_which_one_is_spoken(void **state)
{
    (void)state;
    struct peer peer;
    struct answer answer;
    peer_open(&peer, somad.ipc);
    assert_true(peer_ask(&peer, BYTES("\7\0\0\0\0"), &answer));
    assert_non_null(strstr(answer.header->message, "7"));
    assert_non_null(strstr(answer.header->message, "1"));
    answer_free(&answer);
    peer_close(&peer);
}

// --- frames that are too large

static void an_oversized_frame_costs_its_connection_and_no_other(void **state)
{
    (void)state;
    size_t length = (size_t)LIMIT_FRAME_BYTES + 4096;
    char *frame = calloc(1, length);
    assert_non_null(frame);
    frame[0] = 1;
    for (const char *const *url = all_urls(); *url; url++) {
        struct peer bystander, hostile;
        peer_open(&bystander, *url);
        peer_open(&hostile, *url);
        assert_true(peer_pings(&bystander));
        assert_true(peer_pings(&hostile));
        struct answer answer;
        assert_false(peer_ask(&hostile, frame, length, &answer));
        assert_true(peer_pings(&bystander));
        // And it may come back.
        assert_true(peer_pings(&hostile));
        peer_close(&hostile);
        peer_close(&bystander);
    }
    free(frame);
}

static void the_largest_frame_is_read_and_one_byte_more_refused(void **state)
{
    (void)state;
    char *frame = calloc(1, (size_t)LIMIT_FRAME_BYTES + 1);
    assert_non_null(frame);
    for (const char *const *url = all_urls(); *url; url++) {
        struct peer peer;
        struct answer answer;
        peer_open(&peer, *url);
        assert_true(peer_ask(&peer, frame, (size_t)LIMIT_FRAME_BYTES, &answer));
        assert_string_equal(answer.header->reason, "FRAME_VERSION");
        answer_free(&answer);
        assert_true(peer_ask(&peer, frame, (size_t)LIMIT_FRAME_BYTES + 1, &answer));
        assert_string_equal(answer.header->reason, "MESSAGE_TOO_LARGE");
        answer_free(&answer);
        peer_close(&peer);
    }
    free(frame);
}

// --- below the frames: the transports' own bytes

static int connect_ipc(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s/socket", somad.directory);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_not_equal(fd, -1);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

static int connect_tcp(const char *url)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port =
                                      htons((uint16_t)strtol(strrchr(url, ':') + 1, NULL, 10)),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_not_equal(fd, -1);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

static void peers_that_vanish_at_any_byte_harm_nobody(void **state)
{
    (void)state;
    // SP handshake of a REQ, then an ipc message of 16 bytes: an id, and a frame that is cut off.
    static const char bytes[] = "\0SP\0\0\x30\0\0"
                                "\1\0\0\0\0\0\0\0\x10"
                                "\x80\0\0\1\1\0\0";
    struct peer bystander;
    peer_open(&bystander, somad.ipc);
    for (size_t i = 0; i < VANISHING_PEERS; i++) {
        FD_CLEANUP int ipc = connect_ipc();
        FD_CLEANUP int tcp = connect_tcp(somad.tcp);
        size_t length = i % sizeof bytes;
        assert_int_equal(send(ipc, bytes, length, MSG_NOSIGNAL), length);
        if (send(tcp, bytes, length, MSG_NOSIGNAL) < 0)
            continue;
    }
    assert_true(peer_pings(&bystander));
    peer_close(&bystander);
    for (const char *const *url = all_urls(); *url; url++) {
        struct peer fresh;
        peer_open(&fresh, *url);
        assert_true(peer_pings(&fresh));
        peer_close(&fresh);
    }
}

// Reads until the other side closes; fails where it does not.
static void expect_closed(int fd)
{
    struct mono_time deadline = clock_deadline_after(KIT_PATIENCE_MS);
    char bytes[512];
    ssize_t got;
    do {
        struct pollfd poller = {.fd = fd, .events = POLLIN};
        assert_int_equal(poll(&poller, 1, (int)clock_left_ms(deadline)), 1);
        got = recv(fd, bytes, sizeof bytes, 0);
    } while (got > 0);
}

static void a_message_that_claims_exabytes_is_not_waited_for(void **state)
{
    (void)state;
    static const char bytes[] = "\0SP\0\0\x30\0\0"
                                "\1\x40\0\0\0\0\0\0\0";
    FD_CLEANUP int fd = connect_ipc();
    assert_int_equal(send(fd, BYTES(bytes), MSG_NOSIGNAL), sizeof bytes - 1);
    expect_closed(fd);
    struct peer peer;
    peer_open(&peer, somad.ipc);
    assert_true(peer_pings(&peer));
    peer_close(&peer);
}

// The server's counter of that name.
static int64_t stat_of(struct peer *peer, const char *name)
{
    struct answer answer;
    int64_t value = -1;
    assert_true(peer_call(peer, "soma.v1.ServerService/GetStats", 0, "", 0, &answer));
    const Pb__GetStatsResponse *response = (const Pb__GetStatsResponse *)wire_decode(
        &pb__get_stats_response__descriptor, answer.message, answer.message_length, &answer.arena,
        NULL);
    assert_non_null(response);
    for (size_t i = 0; i < response->n_stats; i++) {
        if (strcmp(response->stats[i]->name, name) == 0)
            value = response->stats[i]->value;
    }
    answer_free(&answer);
    assert_true(value >= 0);
    return value;
}

// A ping of nearly 64 KiB as the ipc transport carries it, made once.
static const char *large_ping(size_t *ret_length)
{
    static char bytes[PING_BYTES + 256];
    static const char method[] = "\x0a\x1asoma.v1.ServerService/Ping";
    size_t frame = 5 + sizeof method - 1 + 4 + PING_BYTES;
    char *at = bytes;
    *at++ = 1;
    for (int shift = 56; shift >= 0; shift -= 8)
        *at++ = (char)((uint64_t)(frame + 4) >> shift);
    memcpy(at, "\x80\0\0\1\1\x1c\0\0\0", 9); // request id; version, header length
    memcpy(at + 9, method, sizeof method - 1);
    at += 9 + sizeof method - 1;
    *at++ = 0x0a;
    *at++ = (char)(0x80 | (PING_BYTES & 0x7f));
    *at++ = (char)(0x80 | (PING_BYTES >> 7 & 0x7f));
    *at++ = PING_BYTES >> 14;
    *ret_length = (size_t)(at - bytes) + PING_BYTES;
    return bytes;
}

static void replies_that_nobody_reads_are_dropped(void **state)
{
    (void)state;
    struct peer bystander;
    peer_open(&bystander, somad.ipc);
    FD_CLEANUP int fd = connect_ipc();
    assert_int_equal(send(fd, BYTES("\0SP\0\0\x30\0\0"), MSG_NOSIGNAL), 8);
    size_t length;
    const char *ping = large_ping(&length);
    for (int i = 0; i < UNREAD_REPLIES; i++)
        assert_int_equal(send(fd, ping, length, MSG_NOSIGNAL), length);
    struct mono_time deadline = clock_deadline_after(2 * KIT_PATIENCE_MS);
    while (stat_of(&bystander, "rpc_calls_in_hand") < UNREAD_REPLIES / 2)
        assert_true(clock_left_ms(deadline) > 0);
    // Then the one in hand is the one that asks.
    while (stat_of(&bystander, "rpc_calls_in_hand") > 1) {
        assert_true(clock_left_ms(deadline) > 0);
        poll(NULL, 0, 50);
    }
    assert_true(peer_pings(&bystander));
    peer_close(&bystander);
}

static void say_hello_by_http(int fd, const char *more_headers)
{
    char request[512];
    int length = snprintf(request, sizeof request,
                          "GET /rpc HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\n"
                          "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                          "Sec-WebSocket-Version: 13\r\n"
                          "Sec-WebSocket-Protocol: rep.sp.nanomsg.org\r\n%s\r\n",
                          more_headers);
    assert_int_equal(send(fd, request, (size_t)length, MSG_NOSIGNAL), length);
}

static void a_web_page_is_not_let_in(void **state)
{
    (void)state;
    // A binary WebSocket frame, masked with zeros: request id 1, then an empty (bad) frame.
    static const char question[] = "\x82\x84\0\0\0\0\x80\0\0\1";
    char port[KIT_URL_SIZE];
    snprintf(port, sizeof port, "%s", somad.ws);
    *strrchr(port, '/') = '\0';
    static const struct {
        const char *headers;
        bool let_in;
    } rows[] = {
        {"", true},
        {"Origin: http://evil.example\r\n", false},
        {"origin: null\r\n", false},
        {"X-Origin: harmless\r\n", true},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        FD_CLEANUP int fd = connect_tcp(port);
        say_hello_by_http(fd, rows[i].headers);
        if (!rows[i].let_in) {
            expect_closed(fd);
            continue;
        }
        assert_int_equal(send(fd, BYTES(question), MSG_NOSIGNAL), sizeof question - 1);
        char reply[4096] = "";
        size_t length = 0;
        while (!memmem(reply, length, BYTES("FRAME_MALFORMED"))) {
            struct pollfd poller = {.fd = fd, .events = POLLIN};
            assert_int_equal(poll(&poller, 1, KIT_PATIENCE_MS), 1);
            ssize_t got = recv(fd, reply + length, sizeof reply - length, 0);
            assert_true(got > 0);
            length += (size_t)got;
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_bad_frame_gets_an_error_and_the_connection_goes_on),
        cmocka_unit_test(a_future_version_is_told_which_one_is_spoken),
        cmocka_unit_test(an_oversized_frame_costs_its_connection_and_no_other),
        cmocka_unit_test(the_largest_frame_is_read_and_one_byte_more_refused),
        cmocka_unit_test(peers_that_vanish_at_any_byte_harm_nobody),
        cmocka_unit_test(a_message_that_claims_exabytes_is_not_waited_for),
        cmocka_unit_test(a_web_page_is_not_let_in),
        cmocka_unit_test(replies_that_nobody_reads_are_dropped),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
