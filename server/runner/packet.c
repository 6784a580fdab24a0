#include "runner/packet.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/text.h"

union control {
    char bytes[CMSG_SPACE(sizeof(int))];
    struct cmsghdr align;
};

int packet_send(int socket_fd, const char *bytes, size_t length, int pass_fd, int flags)
{
    union control control = {0};
    struct iovec part = {.iov_base = (void *)(uintptr_t)bytes, .iov_len = length};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    if (pass_fd >= 0) {
        message.msg_control = control.bytes;
        message.msg_controllen = sizeof control.bytes;
        struct cmsghdr *head = CMSG_FIRSTHDR(&message);
        head->cmsg_level = SOL_SOCKET;
        head->cmsg_type = SCM_RIGHTS;
        head->cmsg_len = CMSG_LEN(sizeof pass_fd);
        memcpy(CMSG_DATA(head), &pass_fd, sizeof pass_fd);
    }
    while (sendmsg(socket_fd, &message, flags | MSG_NOSIGNAL) < 0) {
        if (errno != EINTR)
            return errno;
    }
    return 0;
}

static int passed_fd(struct msghdr *message)
{
    struct cmsghdr *head = CMSG_FIRSTHDR(message);
    if (!head || head->cmsg_level != SOL_SOCKET || head->cmsg_type != SCM_RIGHTS)
        return -1;
    int fd;
    memcpy(&fd, CMSG_DATA(head), sizeof fd);
    return fd;
}

ssize_t packet_receive(int socket_fd, char *buffer, size_t size, int *ret_fd, int flags)
{
    union control control;
    struct iovec part = {.iov_base = buffer, .iov_len = size - 1};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = control.bytes,
                             .msg_controllen = sizeof control.bytes};
    ssize_t length;
    do
        length = recvmsg(socket_fd, &message, flags | MSG_CMSG_CLOEXEC);
    while (length < 0 && errno == EINTR);
    if (length < 0)
        return -1;
    int fd = passed_fd(&message);
    bool is_whole = !(message.msg_flags & MSG_TRUNC);
    if (ret_fd && is_whole)
        *ret_fd = fd;
    else if (fd >= 0)
        close(fd);
    if (!is_whole) {
        errno = EMSGSIZE;
        return -1;
    }
    buffer[length] = '\0';
    return length;
}

bool packet_take_int(const char **at, int64_t *ret_value)
{
    char digits[24];
    size_t length = strcspn(*at, " ");
    if (length >= sizeof digits)
        return false;
    memcpy(digits, *at, length);
    digits[length] = '\0';
    if (!text_to_int64(digits, INT64_MIN, INT64_MAX, ret_value))
        return false;
    *at += length;
    if (**at == ' ')
        (*at)++;
    return true;
}
