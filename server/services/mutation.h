// A mutating call on its way through the writer: the request id looked up, the change, the reply
// stored, all in one transaction.
#ifndef SERVICES_MUTATION_H
#define SERVICES_MUTATION_H

#include "rpc/call.h"
#include "store/writer.h"

struct mutation;

// On the writer thread: makes the change and leaves the reply, in the call's arena, in *ret_reply.
typedef enum soma_code mutation_apply(struct mutation *mutation, struct store_txn *txn,
                                      const ProtobufCMessage **ret_reply, struct soma_error *err);

// On the writer thread, after the commit and before the reply; not for a replayed reply. Publishes
// to memory, wakes others.
typedef void mutation_committed(struct mutation *mutation);

struct mutation {
    struct write_op op;
    struct rpc_call *call;
    mutation_apply *apply;
    mutation_committed *committed; // NULL: nothing to do
    void *service;
    void *value;                   // the checked request as a domain value, in the call's arena
    const ProtobufCMessage *reply; // what apply left; NULL: an earlier delivery did the work
    // With a request id: the reply's bytes, of now or of the earlier delivery, in the arena.
    const void *packed;
    size_t packed_length;
    uint8_t fingerprint[FINGERPRINT_BYTES]; // of method and message
    uint8_t key[REQUEST_ID_BYTES];          // of rpc_call_request_key
};

// Hands the call to the writer; the reply comes from there. A call that has expired by then changes
// nothing. service and value are for the two callbacks.
void mutation_submit(struct writer *writer, struct rpc_call *call, mutation_apply *apply,
                     mutation_committed *committed, void *service, void *value);

enum {
    MUTATION_ARENA_BYTES = 8192
};

// The same for an apply that refuses before its first change, if at all (write_op.refuses_first),
// and after it takes no more than MUTATION_ARENA_BYTES from the arena, the packed reply included.
void mutation_submit_bare(struct writer *writer, struct rpc_call *call, mutation_apply *apply,
                          mutation_committed *committed, void *service, void *value);

#endif
