// Who is connected: so that neither all connections together nor those of one peer take every
// descriptor. A peer is a user of this machine (ipc), an IPv4 address, or the first half of an IPv6
// address. Thread-safe; asked once for each connection.
#ifndef RPC_VISITORS_H
#define RPC_VISITORS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct visitors;

enum visitor_kind {
    VISITOR_UNKNOWN,
    VISITOR_USER,
    VISITOR_IPV4,
    VISITOR_IPV6
};

struct visitor_key {
    enum visitor_kind kind;
    uint64_t number;
};

// Of an address in the network's order of bytes. An IPv4 address that a listener on [::] sees as
// ::ffff:a.b.c.d is that IPv4 address: otherwise they would be one peer, all of them.
struct visitor_key visitor_of_ipv6(const uint8_t address[16]);

// NULL: no memory. At most max connections, and fewer where the process may have fewer descriptors;
// max_per_peer of them of one peer.
struct visitors *visitors_new(size_t max, size_t max_per_peer);
void visitors_free(struct visitors *visitors);

// How many connections there may be in all.
size_t visitors_max(const struct visitors *visitors);

// A connection has come, under a number that no other has. Where it is to be refused, the name of
// the limit; otherwise NULL, and it is counted until visitors_leave.
const char *visitors_enter(struct visitors *visitors, uint32_t pipe, struct visitor_key key);
// It has gone. Harmless for one that was not counted.
void visitors_leave(struct visitors *visitors, uint32_t pipe);

#endif
