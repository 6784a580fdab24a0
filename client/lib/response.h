// A reply's frame, decoded into the call's result.
#ifndef LIB_RESPONSE_H
#define LIB_RESPONSE_H

#include "lib/call.h"

// SOMA_OK: the message was added to the call's replies. Otherwise the call's error is what the
// server said, or REPLY_INVALID.
enum soma_code response_take(struct soma_call *call, const uint8_t *frame, size_t length);

struct arena *response_arena(struct soma_call *call);

#endif
