// Peers that are no client: sockets to the server of fault_kit.h, with bytes as a test likes them.
// Whatever does not come about in RAW_PATIENCE_MS fails the test.
#ifndef TESTS_RAW_PEER_H
#define TESTS_RAW_PEER_H

#include <stddef.h>

enum {
    RAW_PATIENCE_MS = 60000,
    RAW_HELLO_BYTES = 8
};

// What opens a connection of a REQ socket, over ipc and tcp.
extern const char raw_hello[RAW_HELLO_BYTES];

int raw_dial_ipc(void);
// To a tcp or ws address.
int raw_dial_port(const char *url);
void raw_say(int fd, const char *bytes, size_t length);
// Reads until the other side closes.
void raw_expect_closed(int fd);

#endif
