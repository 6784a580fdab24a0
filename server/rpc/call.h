// A call: one request in the server's hands, from its frame to its reply.
//
// Owned by the listener; lent to whoever works on it, one thread at a time. Answered exactly once,
// by one of the three functions at the end, from any thread; after that the pointer is dead. What a
// handler allocates in the arena, domain values and the reply included, lives until then.
#ifndef RPC_CALL_H
#define RPC_CALL_H

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/error.h"
#include "rpc/gate.h"

struct rpc_call;

enum {
    REQUEST_ID_BYTES = 16,
    FINGERPRINT_BYTES = 16
};

struct arena *rpc_call_arena(struct rpc_call *call);

// Full method path, "soma.v1.JobService/SubmitJob".
const char *rpc_call_method(const struct rpc_call *call);

// When the caller gives up.
struct mono_time rpc_call_deadline(const struct rpc_call *call);

// Where the caller named no deadline, ours is moved to this one if it is later: a long poll's time
// is what the caller asked for.
void rpc_call_extend(struct rpc_call *call, struct mono_time deadline);

// The 16 bytes that make this request one, or NULL where the caller sent none.
const uint8_t *rpc_call_request_id(const struct rpc_call *call);

// Under which the server keeps what became of a request that has an id: the id in the default
// namespace, in another one what namespace and id make. So that nobody hears of, or takes, an id of
// another namespace; the time in its first bytes stays, and with it the order.
void rpc_call_request_key(const struct rpc_call *call, uint8_t ret_key[REQUEST_ID_BYTES]);

// A hash of method, namespace and message: two requests with one id but other content differ here.
void rpc_call_fingerprint(const struct rpc_call *call, uint8_t ret_fingerprint[FINGERPRINT_BYTES]);

// Nobody waits for the answer any more: the deadline is past or the peer is gone. Answering is
// still a duty, and cheap.
bool rpc_call_is_expired(const struct rpc_call *call);

// The job that calls, by its own token; NULL: somebody else does.
const struct rpc_caller *rpc_call_job(const struct rpc_call *call);

// Bits of enum scope that the caller has not; 0 for the owner of the socket.
uint32_t rpc_call_withheld(const struct rpc_call *call);

// The namespace that it works in.
const char *rpc_call_space(const struct rpc_call *call);

// Nobody was asked: whoever may open the socket calls, in any namespace that it names.
bool rpc_call_is_owner(const struct rpc_call *call);

// Whether it would be admitted again: a long poll outlives a token. UNAUTHENTICATED.
bool rpc_call_is_admitted(const struct rpc_call *call, struct soma_error *err);

// It waits for something to happen: how long it takes says nothing of the server.
void rpc_call_note_parked(struct rpc_call *call);

// Calls that take longer are lines in the log, CALL-SLOW; 0: none is. For all calls from now on.
void rpc_call_set_slow(int64_t ms);

// The nng pipe that it came through; parked calls are counted and dropped by it.
uint32_t rpc_call_peer(const struct rpc_call *call);

// One pointer that goes with the call, NULL at first; parking's.
void **rpc_call_slot(struct rpc_call *call);

// Whether the reply is small enough to be sent: MESSAGE_TOO_LARGE where it is not.
enum soma_code rpc_call_check_reply(struct rpc_call *call, const ProtobufCMessage *message,
                                    struct soma_error *err);

void rpc_call_reply(struct rpc_call *call, const ProtobufCMessage *message);
// The message is packed already, as a stored reply is.
void rpc_call_reply_packed(struct rpc_call *call, const void *message, size_t length);
void rpc_call_fail(struct rpc_call *call, const struct soma_error *err);

#endif
