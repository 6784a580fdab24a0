/* Messages cross a stream whole, in whatever pieces it comes, and no peer is served on credit. */
#include "busy.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
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
#include <netinet/in.h>
#include <netinet/tcp.h>

enum {
    HANDSHAKE_BYTES = 8,
    ID_BYTES = 4,
    MESSAGE_MAX = 70000,
    STREAM_MAX = 1 << 20,
    UNREAD_MAX = 2 << 20 /* two socket buffers and what the server may hold are far below */
};

static struct busy server;

/* A peer that speaks the wire itself. */
struct peer {
    int fd;
    size_t head_bytes; /* 9 on ipc, whose messages begin with a type, 8 on tcp */
    uint8_t out[STREAM_MAX];
    size_t out_length;
    uint8_t in[STREAM_MAX];
    size_t in_length, in_used;
};

static struct peer peer;

static void put_be(uint8_t *bytes, size_t count, uint64_t number)
{
    while (count > 0) {
        bytes[--count] = (uint8_t)number;
        number >>= 8;
    }
}

static uint64_t get_be(const uint8_t *bytes, size_t count)
{
    uint64_t number = 0;
    for (size_t i = 0; i < count; i++)
        number = number << 8 | bytes[i];
    return number;
}

static void shake_hands(void)
{
    static const uint8_t ours[HANDSHAKE_BYTES] = {0, 'S', 'P', 0, 0, 0x30, 0, 0};
    uint8_t theirs[HANDSHAKE_BYTES];
    assert_int_equal(send(peer.fd, ours, sizeof ours, MSG_NOSIGNAL), sizeof ours);
    assert_int_equal(recv(peer.fd, theirs, sizeof theirs, MSG_WAITALL), sizeof theirs);
    assert_int_equal(fcntl(peer.fd, F_SETFL, O_NONBLOCK), 0);
    peer.out_length = peer.in_length = peer.in_used = 0;
}

static void connect_ipc(const char *url)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s", url + strlen("ipc://"));
    peer.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    peer.head_bytes = 9;
    assert_int_equal(connect(peer.fd, (struct sockaddr *)&address, sizeof address), 0);
    shake_hands();
}

static void connect_tcp(const char *url)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    address.sin_port = htons((uint16_t)strtoul(strrchr(url, ':') + 1, NULL, 10));
    peer.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    peer.head_bytes = 8;
    assert_int_equal(connect(peer.fd, (struct sockaddr *)&address, sizeof address), 0);
    int on = 1;
    setsockopt(peer.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    shake_hands();
}

static uint8_t byte_of(size_t size, size_t i)
{
    return (uint8_t)(size * 31 + i * 7);
}

/* Appends a request whose id is its size, so that the reply can be checked alone. */
static void put_request(size_t size)
{
    uint8_t *at = peer.out + peer.out_length;
    assert_true(peer.out_length + 9 + ID_BYTES + size <= sizeof peer.out);
    if (peer.head_bytes == 9)
        *at++ = 1;
    put_be(at, 8, ID_BYTES + size);
    put_be(at + 8, ID_BYTES, 0x80000000u | size);
    for (size_t i = 0; i < size; i++)
        at[8 + ID_BYTES + i] = byte_of(size, i);
    peer.out_length += peer.head_bytes + ID_BYTES + size;
}

/* Takes a whole reply off what was read, if there is one, and looks at every byte of it. */
static bool take_reply(void)
{
    const uint8_t *at = peer.in + peer.in_used;
    size_t left = peer.in_length - peer.in_used;
    if (left < peer.head_bytes + ID_BYTES)
        return false;
    if (peer.head_bytes == 9)
        assert_int_equal(*at, 1);
    size_t length = (size_t)get_be(at + peer.head_bytes - 8, 8);
    assert_in_range(length, ID_BYTES, ID_BYTES + MESSAGE_MAX);
    if (left < peer.head_bytes + length)
        return false;
    size_t size = length - ID_BYTES;
    const uint8_t *message = at + peer.head_bytes;
    assert_int_equal(get_be(message, ID_BYTES), 0x80000000u | size);
    for (size_t i = 0; i < size; i++)
        assert_int_equal(message[ID_BYTES + i], byte_of(size, i));
    peer.in_used += peer.head_bytes + length;
    return true;
}

static void read_some(void)
{
    memmove(peer.in, peer.in + peer.in_used, peer.in_length - peer.in_used);
    peer.in_length -= peer.in_used;
    peer.in_used = 0;
    ssize_t count = recv(peer.fd, peer.in + peer.in_length, sizeof peer.in - peer.in_length, 0);
    assert_true(count > 0 || (count < 0 && errno == EAGAIN));
    if (count > 0)
        peer.in_length += (size_t)count;
}

/* Sends all in pieces and reads until every request has its reply. */
static void exchange(size_t piece, size_t requests)
{
    size_t sent = 0, replies = 0;
    while (sent < peer.out_length || replies < requests) {
        bool more = sent < peer.out_length;
        struct pollfd wait = {peer.fd, (short)(more ? POLLIN | POLLOUT : POLLIN), 0};
        assert_int_equal(poll(&wait, 1, 10000), 1);
        if (wait.revents & POLLIN)
            read_some();
        while (take_reply())
            replies++;
        if (!(wait.revents & POLLOUT))
            continue;
        size_t count = peer.out_length - sent < piece ? peer.out_length - sent : piece;
        ssize_t done = send(peer.fd, peer.out + sent, count, MSG_NOSIGNAL);
        if (done > 0)
            sent += (size_t)done;
    }
    assert_int_equal(replies, requests);
    peer.out_length = 0;
}

/* Sizes around those at which nng's buffers end, and a few that no buffer holds. */
static size_t put_requests(bool big)
{
    static const size_t sizes[] = {0,    1,    60,   61,   1000, 1001, 1006, 1007, 1008,
                                   1015, 1020, 1030, 2025, 2034, 2035, 2036, 2060, 64};
    size_t count = 0;
    for (; count < sizeof sizes / sizeof sizes[0]; count++)
        put_request(sizes[count]);
    for (size_t i = 0; i < 40; i++, count++)
        put_request(i);
    for (size_t i = 1; big && i <= 6; i++, count++)
        put_request(MESSAGE_MAX / i);
    return count;
}

static void exchange_in_all_pieces(void)
{
    static const size_t pieces[] = {1, 3, 8, 9, 13, 1023, 1024, 1025, 5000, STREAM_MAX};
    for (size_t i = 0; i < sizeof pieces / sizeof pieces[0]; i++) {
        size_t requests = put_requests(pieces[i] > 100);
        exchange(pieces[i], requests);
    }
    close(peer.fd);
}

static void requests_in_any_pieces_get_their_replies_over_ipc(void **state)
{
    (void)state;
    watchdog(60);
    const char *url = ipc_url();
    busy_serve(&server, url);
    connect_ipc(url);
    exchange_in_all_pieces();
    busy_close(&server);
}

static void requests_in_any_pieces_get_their_replies_over_tcp(void **state)
{
    (void)state;
    watchdog(60);
    const char *url = tcp_url();
    busy_serve(&server, url);
    connect_tcp(url);
    exchange_in_all_pieces();
    busy_close(&server);
}

/* Sends until the server takes no more: requests that were sent whole. */
static size_t send_without_reading(void)
{
    put_request(60);
    size_t length = peer.out_length, part = 0, requests = 0;
    for (;;) {
        struct pollfd wait = {peer.fd, POLLOUT, 0};
        if (poll(&wait, 1, 1000) == 0)
            break;
        ssize_t count = send(peer.fd, peer.out + part, length - part, MSG_NOSIGNAL);
        assert_true(count > 0 || (count < 0 && errno == EAGAIN));
        part += count > 0 ? (size_t)count : 0;
        if (part == length) {
            requests++;
            part = 0;
        }
        assert_in_range(requests * length, 0, UNREAD_MAX);
    }
    /* What is left of the last one goes out with the rest of the test. */
    memmove(peer.out, peer.out + part, length - part);
    peer.out_length = part ? length - part : 0;
    return requests + (part != 0);
}

static void a_peer_that_does_not_read_is_not_read_either_and_loses_nothing(void **state)
{
    (void)state;
    watchdog(60);
    const char *url = ipc_url();
    busy_serve(&server, url);
    connect_ipc(url);
    size_t requests = send_without_reading();
    exchange(STREAM_MAX, requests);
    close(peer.fd);
    busy_close(&server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_in_any_pieces_get_their_replies_over_ipc),
        cmocka_unit_test(requests_in_any_pieces_get_their_replies_over_tcp),
        cmocka_unit_test(a_peer_that_does_not_read_is_not_read_either_and_loses_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
