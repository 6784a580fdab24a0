#include "services/mutation.h"

#include "base/crash_point.h"
#include "store/requests.h"

_Static_assert((int)REQUEST_ID_BYTES == (int)REQUEST_STORE_ID_BYTES, "ids of requests");
_Static_assert((int)FINGERPRINT_BYTES == (int)REQUEST_STORE_FINGERPRINT_BYTES,
               "fingerprints of requests");

// Keeps the reply under the request's id, and for mutation_finish, which sends the same bytes.
static enum soma_code keep_reply(struct mutation *mutation, struct store_txn *txn,
                                 struct soma_error *err)
{
    size_t length = protobuf_c_message_get_packed_size(mutation->reply);
    uint8_t *bytes = arena_alloc(rpc_call_arena(mutation->call), length);
    if (!bytes)
        return error_set_no_memory(err);
    protobuf_c_message_pack(mutation->reply, bytes);
    mutation->packed = bytes;
    mutation->packed_length = length;
    return request_store_insert(txn, mutation->key, mutation->fingerprint, bytes, length,
                                clock_wall_now(), err);
}

// What cannot be answered is not done. The replies of those that refuse first are small.
static enum soma_code do_it(struct mutation *mutation, struct store_txn *txn,
                            struct soma_error *err)
{
    enum soma_code code = mutation->apply(mutation, txn, &mutation->reply, err);
    if (code != SOMA_OK || mutation->op.refuses_first)
        return code;
    return rpc_call_check_reply(mutation->call, mutation->reply, err);
}

static enum soma_code apply_once(struct mutation *mutation, struct store_txn *txn,
                                 struct soma_error *err)
{
    enum soma_code code = request_store_find(txn, mutation->key, mutation->fingerprint,
                                             rpc_call_arena(mutation->call), &mutation->packed,
                                             &mutation->packed_length, err);
    if (code != SOMA_OK || mutation->packed)
        return code;
    code = do_it(mutation, txn, err);
    return code == SOMA_OK ? keep_reply(mutation, txn, err) : code;
}

static enum soma_code mutation_apply_op(struct write_op *op, struct store_txn *txn,
                                        struct soma_error *err)
{
    struct mutation *mutation = (struct mutation *)op;
    const uint8_t *id = rpc_call_request_id(mutation->call);
    if (rpc_call_is_expired(mutation->call))
        return error_set(err, REASON_DEADLINE_PAST, NULL,
                         "the deadline passed before the write was begun");
    if (op->refuses_first && !arena_reserve(rpc_call_arena(mutation->call), MUTATION_ARENA_BYTES))
        return error_set_no_memory(err);
    txn_set_request(txn, id);
    enum soma_code code = id ? apply_once(mutation, txn, err) : do_it(mutation, txn, err);
    txn_set_request(txn, NULL);
    return code;
}

static void mutation_finish(struct write_op *op, const struct soma_error *err)
{
    struct mutation *mutation = (struct mutation *)op;
    if (err) {
        rpc_call_fail(mutation->call, err);
        return;
    }
    bool is_first = mutation->reply != NULL;
    if (is_first && mutation->committed)
        mutation->committed(mutation);
    crash_point(CRASH_REPLY_DUE);
    if (mutation->packed)
        rpc_call_reply_packed(mutation->call, mutation->packed, mutation->packed_length);
    else
        rpc_call_reply(mutation->call, mutation->reply);
}

static void submit(struct writer *writer, struct rpc_call *call, mutation_apply *apply,
                   mutation_committed *committed, void *service, void *value, bool refuses_first)
{
    struct mutation *mutation = arena_alloc(rpc_call_arena(call), sizeof *mutation);
    if (!mutation) {
        struct soma_error err = {0};
        error_set_no_memory(&err);
        rpc_call_fail(call, &err);
        return;
    }
    *mutation = (struct mutation){
        .op = {.apply = mutation_apply_op,
               .finish = mutation_finish,
               .refuses_first = refuses_first},
        .call = call,
        .apply = apply,
        .committed = committed,
        .service = service,
        .value = value,
    };
    // Here, and not on the one thread that writes.
    rpc_call_fingerprint(call, mutation->fingerprint);
    rpc_call_request_key(call, mutation->key);
    writer_submit(writer, &mutation->op);
}

void mutation_submit(struct writer *writer, struct rpc_call *call, mutation_apply *apply,
                     mutation_committed *committed, void *service, void *value)
{
    submit(writer, call, apply, committed, service, value, false);
}

void mutation_submit_bare(struct writer *writer, struct rpc_call *call, mutation_apply *apply,
                          mutation_committed *committed, void *service, void *value)
{
    submit(writer, call, apply, committed, service, value, true);
}
