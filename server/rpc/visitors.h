// Who is connected: so that neither all connections together nor those of one peer take every
// descriptor. A peer is a user of this machine (ipc), an IPv4 address, or the first half of an IPv6
// address. Thread-safe; asked once for each connection.
#ifndef RPC_VISITORS_H
#define RPC_VISITORS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct visitors;

// All bytes of it count.
struct visitor_key {
    uint64_t kind; // of address
    uint64_t number;
};

// NULL: no memory. At most LIMIT_CONNECTIONS connections, and fewer where the process may have
// fewer descriptors; LIMIT_CONNECTIONS_PER_PEER of them of one peer.
struct visitors *visitors_new(void);
void visitors_free(struct visitors *visitors);

// How many connections there may be in all.
size_t visitors_max(const struct visitors *visitors);

// A connection has come, under a number that no other has. Where it is to be refused, the name of
// the limit; otherwise NULL, and it is counted until visitors_leave.
const char *visitors_enter(struct visitors *visitors, uint32_t pipe, struct visitor_key key);
// It has gone. Harmless for one that was not counted.
void visitors_leave(struct visitors *visitors, uint32_t pipe);

#endif
