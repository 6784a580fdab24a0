#include "raw_peer.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cmocka.h>

#include "base/clock.h"
#include "fault_kit.h"

const char raw_hello[RAW_HELLO_BYTES] = {0, 'S', 'P', 0, 0, 0x30, 0, 0};

int raw_dial_ipc(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    assert_true(strlen(fault_somad.ipc) < sizeof address.sun_path);
    const char *path = fault_somad.ipc + strlen("ipc://");
    assert_true(strlen(path) < sizeof address.sun_path);
    memcpy(address.sun_path, path, strlen(path));
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

int raw_dial_port(const char *url)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    address.sin_port = htons((uint16_t)strtoul(strrchr(url, ':') + 1, NULL, 10));
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

void raw_say(int fd, const char *bytes, size_t length)
{
    assert_int_equal(send(fd, bytes, length, MSG_NOSIGNAL), length);
}

void raw_expect_closed(int fd)
{
    struct mono_time deadline = clock_deadline_after(RAW_PATIENCE_MS);
    char bytes[512];
    ssize_t got;
    do {
        struct pollfd poller = {.fd = fd, .events = POLLIN};
        assert_int_equal(poll(&poller, 1, (int)clock_left_ms(deadline)), 1);
        got = recv(fd, bytes, sizeof bytes, 0);
    } while (got > 0);
}
