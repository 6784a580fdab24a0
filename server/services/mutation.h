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
    const ProtobufCMessage *reply; // what apply left
    const void
        *replayed; // the stored reply of an earlier delivery, in the arena; NULL: first delivery
    size_t replayed_length;
};

// Hands the call to the writer; the reply comes from there. service and value are for the two
// callbacks.
void mutation_submit(struct writer *writer, struct rpc_call *call, mutation_apply *apply,
                     mutation_committed *committed, void *service, void *value);

#endif
