// A bad network between clients and a server on Unix sockets: a thread that passes bytes on, and by
// chance delays a connection, closes one direction of it, lets it hang, or cuts it. Bytes that
// arrive are those that were sent, in order: what a stream can promise. (A request is delivered
// twice all the same: a client that lost its connection sends it again.)
#ifndef TESTS_PROXY_H
#define TESTS_PROXY_H

#include <stdint.h>

struct proxy;

struct proxy_counts {
    unsigned connections, cuts, half_closes, delays, hangs;
};

// Listens at the path from, connects each client to the path to. NULL where that cannot be.
struct proxy *proxy_start(const char *from, const char *to, uint64_t seed);
// While quiet it harms nobody.
void proxy_set_quiet(struct proxy *proxy, int is_quiet);
void proxy_stop(struct proxy *proxy, struct proxy_counts *ret_counts);

#endif
