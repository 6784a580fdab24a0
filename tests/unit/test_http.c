// server/rpc/http: pages on exact paths, answered at once or by a worker, and what others get.
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cmocka.h>

#include "rpc/http.h"
#include "wire/limits.h"

enum {
    LIMIT_S = 20,
    BIG_BYTES = 8 << 20, // more than the kernel takes
    DEAF = 8
};

static struct workers *workers;
static struct http_server *server;
static char reply[4096];

static void answer_status(void *user, struct http_answer *ret_answer)
{
    ret_answer->status = *(int *)user;
    ret_answer->text = strdup("what it says\n");
    ret_answer->length = strlen(ret_answer->text);
}

static void answer_nothing(void *user, struct http_answer *ret_answer)
{
    (void)user;
    (void)ret_answer;
}

static void answer_much(void *user, struct http_answer *ret_answer)
{
    (void)user;
    ret_answer->status = HTTP_OK;
    ret_answer->text = calloc(1, BIG_BYTES);
    ret_answer->length = BIG_BYTES;
}

static const struct http_page pages[] = {
    {"/now", "text/plain", false, answer_status},
    {"/slow", "text/plain", true, answer_status},
    {"/nothing", "text/plain", true, answer_nothing},
    {"/much", "text/plain", false, answer_much},
    {NULL, NULL, false, NULL},
};

static int status;

static int set_up(void **state)
{
    (void)state;
    struct soma_error err;
    status = HTTP_OK;
    if (workers_start(1, 8, &workers, &err) != SOMA_OK)
        return -1;
    return http_open("127.0.0.1:0", pages, &status, workers, &server, &err) == SOMA_OK ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    workers_free(workers);
    workers = NULL;
    http_close(server);
    server = NULL;
    return 0;
}

// A connection to the server that has sent text.
static int open_peer(const char *text)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET,
        .sin_port = htons((uint16_t)strtol(strrchr(http_address(server), ':') + 1, NULL, 10)),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const struct timeval limit = {.tv_sec = LIMIT_S};
    const int few_bytes = 4096;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit), 0);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &few_bytes, sizeof few_bytes), 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
    return fd;
}

// Sends a request and reads until the server closes; the status is returned.
static int ask(const char *line)
{
    char request[256];
    size_t used = 0;
    snprintf(request, sizeof request, "%s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", line);
    int fd = open_peer(request);
    ssize_t got;
    while ((got = read(fd, reply + used, sizeof reply - 1 - used)) > 0)
        used += (size_t)got;
    assert_int_equal(got, 0);
    close(fd);
    reply[used] = '\0';
    assert_true(strncmp(reply, "HTTP/1.1 ", strlen("HTTP/1.1 ")) == 0);
    return (int)strtol(reply + strlen("HTTP/1.1 "), NULL, 10);
}

static void expect_text(const char *text)
{
    const char *body = strstr(reply, "\r\n\r\n");
    assert_non_null(body);
    assert_string_equal(body + 4, text);
}

static void a_page_says_its_status_and_its_text(void **state)
{
    (void)state;
    assert_int_equal(ask("GET /now"), 200);
    expect_text("what it says\n");
    assert_int_equal(ask("GET /slow"), 200);
    expect_text("what it says\n");
    status = HTTP_UNAVAILABLE;
    assert_int_equal(ask("GET /now"), 503);
    expect_text("what it says\n");
}

static void head_has_no_text(void **state)
{
    (void)state;
    assert_int_equal(ask("HEAD /now"), 200);
    expect_text("");
}

static void a_page_without_a_text_is_unavailable(void **state)
{
    (void)state;
    assert_int_equal(ask("GET /nothing"), 503);
    expect_text("busy\n");
}

static void other_paths_methods_and_bodies_are_refused(void **state)
{
    (void)state;
    assert_int_equal(ask("GET /"), 404);
    assert_int_equal(ask("GET /nowhere"), 404);
    assert_int_equal(ask("GET /now/../now"), 404);
    assert_int_equal(ask("POST /now"), 405);
    assert_int_equal(ask("DELETE /now"), 405);
    assert_int_equal(ask("GET /now HTTP/1.1\r\nContent-Length: 5\r\nX: y"), 400);
}

// How much comes before the server ends the connection.
static size_t bytes_to_the_end(int fd)
{
    char text[4096];
    size_t all = 0;
    ssize_t got;
    for (; (got = read(fd, text, sizeof text)) > 0; all += (size_t)got)
        ;
    assert_true(got == 0 || errno == ECONNRESET);
    return all;
}

// Whether it stands, as far as can be seen now.
static bool stands(int fd)
{
    struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
    return poll(&poll_fd, 1, 0) == 0;
}

// Peers that say nothing, or never come to an end.
static void more_connections_than_there_may_be_end_the_first(void **state)
{
    (void)state;
    enum {
        MORE = 40,
        ALL = LIMIT_HTTP_CONNECTIONS + MORE
    };
    static int peers[ALL];
    int standing = 0;
    if (!SOMA_NNG_PRIVATE)
        skip();
    for (int i = 0; i < ALL; i++) {
        peers[i] = open_peer(i % 2 ? "GET /now HTTP/1.1\r\nHost: " : "");
        if (i % 10 == 9)
            assert_int_equal(ask("GET /now"), 200);
    }
    // Whoever is answered came after all of them, and found room.
    assert_int_equal(ask("GET /slow"), 200);
    for (int i = 0; i < ALL; i++)
        standing += stands(peers[i]);
    assert_in_range(standing, 1, LIMIT_HTTP_CONNECTIONS - 1);
    for (int i = 0; i < MORE; i++)
        assert_false(stands(peers[i]));
    assert_true(stands(peers[ALL - 1]));
    for (int i = 0; i < ALL; i++)
        close(peers[i]);
    assert_int_equal(ask("GET /now"), 200);
}

// Those that ask and do not take the answer, in the way of nobody for longer than the others.
static void the_deaf_give_way_as_well(void **state)
{
    (void)state;
    static int peers[DEAF + LIMIT_HTTP_CONNECTIONS];
    if (!SOMA_NNG_PRIVATE)
        skip();
    for (int i = 0; i < DEAF; i++)
        peers[i] = open_peer("GET /much HTTP/1.1\r\nHost: x\r\n\r\n");
    for (int i = DEAF; i < DEAF + LIMIT_HTTP_CONNECTIONS; i++)
        peers[i] = open_peer("");
    assert_int_equal(ask("GET /now"), 200);
    for (int i = 0; i < DEAF; i++)
        assert_true(bytes_to_the_end(peers[i]) < BIG_BYTES);
    for (int i = 0; i < DEAF + LIMIT_HTTP_CONNECTIONS; i++)
        close(peers[i]);
}

static void an_address_is_a_host_and_a_port(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",      "1.2.3.4",         ":80",    "host:",         "host:x", "host:65536",
        "a b:1", "1.2.3.4:80/path", "::1:80", "http://host:1", "host:-1"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct soma_error err = {0};
        struct http_server *none = NULL;
        assert_int_equal(http_open(bad[i], pages, &status, workers, &none, &err),
                         SOMA_INVALID_ARGUMENT);
        assert_string_equal(err.field, "http");
        assert_null(none);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_page_says_its_status_and_its_text),
        TEST(head_has_no_text),
        TEST(a_page_without_a_text_is_unavailable),
        TEST(other_paths_methods_and_bodies_are_refused),
        TEST(more_connections_than_there_may_be_end_the_first),
        TEST(the_deaf_give_way_as_well),
        TEST(an_address_is_a_host_and_a_port),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
