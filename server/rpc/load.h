// What is in hand: the bytes of all frames, and the requests of each peer, long polls included. So
// that no peer, and not all of them together, takes the memory or the places of everybody.
#ifndef RPC_LOAD_H
#define RPC_LOAD_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

struct load;

// NULL: no memory.
struct load *load_new(void);
void load_free(struct load *load);

// A frame has come. Otherwise than SOMA_OK, SERVER_BUSY with its limit in the text, it is not
// counted, and is to be refused. Any thread.
enum soma_code load_enter(struct load *load, uint32_t peer, size_t bytes, struct soma_error *err);
// One that was counted is answered. Any thread.
void load_leave(struct load *load, uint32_t peer, size_t bytes);

#endif
