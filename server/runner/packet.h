// One packet of a SOCK_SEQPACKET socket, with or without a descriptor beside it. What server,
// spawner and runner say to each other is text: words separated by one space.
#ifndef RUNNER_PACKET_H
#define RUNNER_PACKET_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum {
    PACKET_SIZE = PATH_MAX + 64 // of a buffer for any packet, its NUL included
};

// Sends bytes, and pass_fd unless that is negative. 0, or an errno. flags: MSG_DONTWAIT or 0. Never
// raises SIGPIPE.
int packet_send(int socket_fd, const char *bytes, size_t length, int pass_fd, int flags);

// The packet's length, with a NUL behind it in buffer; 0: the peer closed; -1: errno. EMSGSIZE: the
// packet did not fit, and is gone. *ret_fd, where ret_fd is given, gets the descriptor that came
// along (close-on-exec, the caller's), or -1; without ret_fd it is closed.
ssize_t packet_receive(int socket_fd, char *buffer, size_t size, int *ret_fd, int flags);

// Takes the number at *at, which a space or the end of the text must follow, and moves *at behind
// that. False where there is none.
bool packet_take_int(const char **at, int64_t *ret_value);

#endif
