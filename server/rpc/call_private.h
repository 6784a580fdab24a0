// What a call is made of: for the rooms of rpc/ only.
#ifndef RPC_CALL_PRIVATE_H
#define RPC_CALL_PRIVATE_H

#include "rpc/call.h"
#include "soma/v1/rpc.pb-c.h"

enum {
    PEER_TEXT_SIZE = 64
};

struct rpc_call {
    struct arena arena;
    // The request's frame; the listener's, valid until the answer.
    const uint8_t *frame;
    size_t frame_length;
    // The part of it behind the header.
    const uint8_t *message;
    size_t message_length;
    const char *method; // in the arena; "" until the header is read
    const char *client; // likewise
    unsigned number;    // of the method, to be measured by; 0 until it is found
    int64_t begun_us;   // of clock_mono_us
    bool was_parked;    // its time says nothing of the server
    uint8_t request_id[REQUEST_ID_BYTES];
    bool has_request_id;
    struct mono_time deadline;
    bool deadline_is_ours;       // the caller named none
    bool must_be_admitted;       // it came to a listener that asks who calls
    struct rpc_caller caller;    // then, from the gate; of an owner the namespace alone
    const struct rpc_gate *gate; // likewise; the dispatcher's, which asked it for the token
    const char *token;           // in the arena
    uint32_t peer;
    bool is_counted; // in the load; otherwise refusal says why it is to be refused
    struct soma_error refusal;
    void *slot;
};

// A fresh call for a received frame. The arena was initialised once and is reset here;
// must_be_admitted stays.
void rpc_call_begin(struct rpc_call *call, const uint8_t *frame, size_t length, uint32_t peer);
// Gives the arena's memory back: hundreds of calls wait for a frame, and none of them needs what
// its last one took. To be called when the reply is made.
void rpc_call_end(struct rpc_call *call);

// So long after the call's begin.
struct mono_time rpc_call_deadline_after(const struct rpc_call *call, int64_t timeout_ms);

// --- what the transport does for a call (listener.c, connections.c)

// Who sent it, for the log: "127.0.0.1:4711", "uid 1000 pid 4711" (ipc).
void transport_peer(const struct rpc_call *call, char ret_text[PEER_TEXT_SIZE]);

// A reply of exactly length bytes, to be filled; NULL when there is no memory.
uint8_t *transport_reply(struct rpc_call *call, size_t length);
// Sends it; the call is over.
void transport_send(struct rpc_call *call);
// There is no reply; the call is over and its peer will time out.
void transport_abandon(struct rpc_call *call);

#endif
