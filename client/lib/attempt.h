// One attempt of a call: the frame out, what comes back, and what follows from it: the end, another
// piece, another attempt.
#ifndef LIB_ATTEMPT_H
#define LIB_ATTEMPT_H

#include "lib/call.h"

// The call has a place in its lane. False where no exchange was begun: the call's end is settled,
// and its place is not given on yet.
bool attempt_launch(struct soma_call *call);

// exchange_done of every connection.
void attempt_done(void *user, enum exchange_end end, const uint8_t *reply, size_t length);

// Fills the error of a call that waited in vain, or was given up.
void attempt_give_up(struct soma_call *call);

#endif
