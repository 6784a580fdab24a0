// server/rpc/http: pages on exact paths, answered at once or by a worker, and what others get.
#include <arpa/inet.h>
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

enum {
    LIMIT_S = 20
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

static const struct http_page pages[] = {
    {"/now", "text/plain", false, answer_status},
    {"/slow", "text/plain", true, answer_status},
    {"/nothing", "text/plain", true, answer_nothing},
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
    workers_stop(workers);
    workers = NULL;
    http_close(server);
    server = NULL;
    return 0;
}

// Sends a request and reads until the server closes; the status is returned.
static int ask(const char *line)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET,
        .sin_port = htons((uint16_t)strtol(strrchr(http_address(server), ':') + 1, NULL, 10)),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const struct timeval limit = {.tv_sec = LIMIT_S};
    char request[256];
    size_t used = 0;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit), 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    int length = snprintf(request, sizeof request,
                          "%s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", line);
    assert_int_equal(write(fd, request, (size_t)length), length);
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
        TEST(an_address_is_a_host_and_a_port),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
