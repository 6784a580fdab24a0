// The links' half of runner_kit.h.
#include "runner_kit.h"

#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

int attempt_connect(const struct attempt *attempt)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct waiting waiting = {0};
    snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d/control", attempt->fd);
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    while (connect(fd, (struct sockaddr *)&address, sizeof address))
        waiting_step(&waiting, "the control socket");
    return fd;
}

void link_cancel(int link_fd, int64_t grace_ms, const char *note)
{
    char text[600];
    int length = snprintf(text, sizeof text, "cancel %lld %s", (long long)grace_ms, note);
    assert_int_equal(send(link_fd, text, (size_t)length, MSG_NOSIGNAL), length);
}

bool link_next(int link_fd, char *ret_text, size_t size)
{
    struct pollfd ready = {.fd = link_fd, .events = POLLIN};
    if (poll(&ready, 1, KIT_WAIT_MS) <= 0)
        fail_msg("the link says nothing");
    ssize_t length = recv(link_fd, ret_text, size - 1, 0);
    if (length <= 0)
        return false;
    ret_text[length] = '\0';
    return true;
}

void link_expect(int link_fd, const char *text)
{
    char message[600];
    while (link_next(link_fd, message, sizeof message)) {
        if (strcmp(message, text) == 0)
            return;
    }
    fail_msg("the link ended without '%s'", text);
}

void link_expect_end(int link_fd)
{
    char message[600];
    while (link_next(link_fd, message, sizeof message))
        continue;
}
