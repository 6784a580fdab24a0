// The audit of refused calls: a line of the log for each, CALL-REFUSED. Whoever reaches a listener
// can have calls refused as fast as they can be sent, so there are at most so many lines a second;
// how many calls have none is said, and soma_rpc_calls_total counts each by its code.
//
// Thread-safe; one for the whole program, as the log is.
#ifndef RPC_REFUSALS_H
#define RPC_REFUSALS_H

#include "rpc/call.h"

enum {
    REFUSAL_LINES_MAX = 100, // a second
};

// The call is answered with err. Nothing where that refuses nobody.
void refusals_note(const struct rpc_call *call, const struct soma_error *err);

// Says how many have had no line until now; otherwise the next refused call does.
void refusals_tell(void);

#endif
