/* nng's http server, which carries ws://, serves the path that was asked for and nothing above its
 * directory. */
#include "busy.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <nng/supplemental/http/http.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static nng_http_server *server;
static nng_url *url;
static char root[64];

static void write_file(const char *name)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", root, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "text", 4), 4);
    close(fd);
}

static int start_server(void **state)
{
    (void)state;
    nng_http_handler *handler;
    char address[64], www[96];
    watchdog(20);
    snprintf(root, sizeof root, "/tmp/nng-http-XXXXXX");
    assert_non_null(mkdtemp(root));
    snprintf(www, sizeof www, "%s/www", root);
    assert_int_equal(mkdir(www, 0700), 0);
    write_file("secret");
    write_file("www/A");
    snprintf(address, sizeof address, "http%s", tcp_url() + strlen("tcp"));
    assert_int_equal(nng_url_parse(&url, address), 0);
    assert_int_equal(nng_http_server_hold(&server, url), 0);
    assert_int_equal(nng_http_handler_alloc_directory(&handler, "/www", www), 0);
    assert_int_equal(nng_http_server_add_handler(server, handler), 0);
    assert_int_equal(nng_http_handler_alloc_static(&handler, "/A", "text", 4, "text/plain"), 0);
    assert_int_equal(nng_http_server_add_handler(server, handler), 0);
    return nng_http_server_start(server);
}

static int stop_server(void **state)
{
    (void)state;
    char path[128];
    nng_http_server_release(server);
    nng_url_free(url);
    static const char *const names[] = {"www/A", "www", "secret", ""};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        snprintf(path, sizeof path, "%s/%s", root, names[i]);
        remove(path);
    }
    return 0;
}

/* The status of a GET of exactly that path. */
static int get(const char *path)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    char text[256] = "";
    address.sin_port = htons((uint16_t)strtoul(url->u_port, NULL, 10));
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    int size = snprintf(text, sizeof text,
                        "GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", path);
    assert_int_equal(write(fd, text, (size_t)size), size);
    ssize_t got = read(fd, text, sizeof text - 1);
    close(fd);
    assert_true(got > 0);
    text[got] = '\0';
    assert_memory_equal(text, "HTTP/1.1 ", strlen("HTTP/1.1 "));
    return (int)strtol(text + strlen("HTTP/1.1 "), NULL, 10);
}

static void an_escaped_path_is_decoded_once(void **state)
{
    (void)state;
    assert_int_equal(get("/A"), 200);
    assert_int_equal(get("/%41"), 200);
    assert_int_equal(get("/%"), 404);
    assert_int_equal(get("/%4"), 404);
}

static void nothing_above_the_directory_is_served(void **state)
{
    (void)state;
    ONLY_WITH_OUR_PATCHES();
    assert_int_equal(get("/www/A"), 200);
    assert_int_not_equal(get("/www/../secret"), 200);
    assert_int_not_equal(get("/www/x/../../secret"), 200);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_escaped_path_is_decoded_once, start_server, stop_server),
        cmocka_unit_test_setup_teardown(nothing_above_the_directory_is_served, start_server,
                                        stop_server),
    };
    int failures = cmocka_run_group_tests(tests, NULL, NULL);
    nng_fini();
    return failures;
}
