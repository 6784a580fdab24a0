// Connections, from their handshake to their end: who may have one, who has it, and who has had it
// for too long without using it. Those of all listeners are numbered together, as nng does.
#ifndef RPC_CONNECTIONS_H
#define RPC_CONNECTIONS_H

#include <stdatomic.h>
#include <stdint.h>

#include "rpc/dispatch.h"
#include "rpc/parking.h"

// Of one listener.
struct connections {
    struct dispatcher *dispatcher;   // borrowed: its load and its visitors
    struct parking *parking;         // borrowed: hears who has gone
    _Atomic int64_t refusal_said_ms; // monotonic
};

// Hears of the connections of the nng socket from now on, as long as that is open; nng's error, or
// 0. A web page's are refused, and those past a limit.
int connections_watch(struct connections *connections, uint32_t socket);

// Closes those, of all listeners, that have had no request in hand for idle_ms. As it comes by
// again and again, it also tells of refused calls that the log has left out.
void connections_close_idle(struct dispatcher *dispatcher, int64_t idle_ms);

#endif
