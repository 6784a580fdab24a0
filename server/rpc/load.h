// What is in hand: the bytes of all frames, and the requests of each peer, long polls included. So
// that no peer, and not all of them together, takes the memory or the places of everybody. And who
// has had nothing in hand for long, so that connections which nobody uses can be closed.
//
// A peer is a connection, by a number that no other one has. Thread-safe.
#ifndef RPC_LOAD_H
#define RPC_LOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

struct load;

// NULL: no memory.
struct load *load_new(void);
void load_free(struct load *load);

// A connection has come. False where there is no memory for it.
bool load_arrive(struct load *load, uint32_t peer);
// It has gone; what it has in hand is still counted. Harmless for one that did not arrive.
void load_depart(struct load *load, uint32_t peer);

// A frame has come. Otherwise than SOMA_OK, SERVER_BUSY with its limit in the text, it is not
// counted, and is to be refused.
enum soma_code load_enter(struct load *load, uint32_t peer, size_t bytes, struct soma_error *err);
// One that was counted is answered.
void load_leave(struct load *load, uint32_t peer, size_t bytes);

// Connections that have had nothing in hand for so long, to be closed: at most max of them to
// ret_peers; how many. From now on their requests are refused, so that what is on its way while the
// connection ends is not done, and may be sent again.
size_t load_take_idle(struct load *load, int64_t idle_ms, uint32_t *ret_peers, size_t max);

#endif
