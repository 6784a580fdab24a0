// The methods that write records. A worker checks, encodes and hashes; the writer only looks up and
// stores.
#include <string.h>

#include "services/vector_messages.h"
#include "services/vector_private.h"
#include "vectors/query.h"
#include "wire/limits.h"

// --- upsert, insert, update

struct record_write {
    struct write_batch batch;
    struct write_result result;
    // Why it is refused as things are now; a delivery of it before this one may have been taken.
    bool is_refused;
    struct soma_error refusal;
};

// The members that the three requests have in common.
struct record_request {
    enum write_mode mode;
    const char *collection;
    Pb__Record *const *records;
    size_t record_count;
    const float *embeddings;
    size_t number_count;
};

static enum soma_code check_numbers(const struct record_request *request, uint32_t dim,
                                    struct soma_error *err)
{
    bool are_kept = request->mode == WRITE_UPDATE && !request->number_count;
    if (are_kept || request->number_count == request->record_count * dim)
        return SOMA_OK;
    return error_set(err, REASON_DIMENSION_MISMATCH, "embeddings",
                     "%zu records of dimension %u are %zu numbers, not %zu", request->record_count,
                     dim, request->record_count * dim, request->number_count);
}

static enum soma_code prepare(struct vector_service *service, const struct record_request *request,
                              struct rpc_call *call, struct write_batch *batch,
                              struct soma_error *err)
{
    struct arena *arena = rpc_call_arena(call);
    const char *collection = request->collection;
    struct record_input *inputs = NULL;
    struct collection_row row;
    struct store_txn *txn;
    enum soma_code code = take_collection_ref(call, &collection, err);
    if (!code)
        code = inputs_from_messages(request->records, request->record_count, arena, &inputs, err);
    if (!code)
        code = collection_snapshot(service->rooms.store, collection, 0, arena, &txn, &row, err);
    if (code)
        return code;
    store_read_end(txn);
    code = check_numbers(request, row.dimension, err);
    if (code)
        return code;
    batch->mode = request->mode;
    batch->collection = collection;
    batch->dim = row.dimension;
    batch->metric = (enum metric)row.metric;
    return write_prepare(batch, inputs, request->record_count,
                         request->number_count ? request->embeddings : NULL, arena, err);
}

static enum soma_code reply_counts(const struct record_write *write, struct arena *arena,
                                   Pb__WriteCounts **ret_counts, struct soma_error *err)
{
    Pb__WriteCounts *counts = arena_alloc(arena, sizeof *counts);
    if (!counts)
        return error_set_no_memory(err);
    pb__write_counts__init(counts);
    counts->inserted = write->result.inserted;
    counts->updated = write->result.updated;
    counts->unchanged = write->result.unchanged;
    counts->skipped = write->result.skipped;
    counts->failed = (int64_t)write->result.failure_count;
    *ret_counts = counts;
    return SOMA_OK;
}

static enum soma_code reply_errors(const struct record_write *write, struct arena *arena,
                                   Pb__RecordError ***ret_errors, struct soma_error *err)
{
    Pb__RecordError **errors =
        messages_new(arena, write->result.failure_count, sizeof(Pb__RecordError));
    if (!errors)
        return error_set_no_memory(err);
    for (size_t i = 0; i < write->result.failure_count; i++) {
        const struct write_failure *failure = &write->result.failures[i];
        pb__record_error__init(errors[i]);
        errors[i]->index = failure->index;
        errors[i]->id = write->batch.records[failure->index].id;
        errors[i]->code = (int32_t)failure->code;
        errors[i]->reason = failure->reason;
        errors[i]->message = failure->text;
    }
    *ret_errors = errors;
    return SOMA_OK;
}

// All ids, where some were derived.
static enum soma_code reply_ids(const struct record_write *write, struct arena *arena,
                                size_t *ret_count, const char ***ret_ids, struct soma_error *err)
{
    if (!write->batch.has_derived_ids)
        return SOMA_OK;
    const char **ids = arena_alloc(arena, write->batch.count * sizeof *ids);
    if (!ids)
        return error_set_no_memory(err);
    for (size_t i = 0; i < write->batch.count; i++)
        ids[i] = write->batch.records[i].id;
    *ret_ids = ids;
    *ret_count = write->batch.count;
    return SOMA_OK;
}

static enum soma_code apply_write(struct mutation *mutation, struct store_txn *txn,
                                  struct soma_error *err)
{
    struct vector_service *service = mutation->service;
    struct record_write *write = mutation->value;
    if (write->is_refused) {
        *err = write->refusal;
        return err->code;
    }
    return write_apply(service->rooms.vectors, txn, &write->batch, rpc_call_arena(mutation->call),
                       &write->result, err);
}

static enum soma_code apply_upsert(struct mutation *mutation, struct store_txn *txn,
                                   const ProtobufCMessage **ret_reply, struct soma_error *err)
{
    const struct record_write *write = mutation->value;
    struct arena *arena = rpc_call_arena(mutation->call);
    Pb__UpsertRecordsResponse *reply = arena_alloc(arena, sizeof *reply);
    if (!reply)
        return error_set_no_memory(err);
    pb__upsert_records_response__init(reply);
    enum soma_code code = apply_write(mutation, txn, err);
    if (!code)
        code = reply_counts(write, arena, &reply->counts, err);
    if (!code)
        code = reply_errors(write, arena, &reply->errors, err);
    if (!code)
        code = reply_ids(write, arena, &reply->n_ids, &reply->ids, err);
    reply->n_errors = write->result.failure_count;
    reply->sequence = write->result.changes.sequence;
    *ret_reply = &reply->base;
    return code;
}

static enum soma_code apply_insert(struct mutation *mutation, struct store_txn *txn,
                                   const ProtobufCMessage **ret_reply, struct soma_error *err)
{
    const struct record_write *write = mutation->value;
    struct arena *arena = rpc_call_arena(mutation->call);
    Pb__InsertRecordsResponse *reply = arena_alloc(arena, sizeof *reply);
    if (!reply)
        return error_set_no_memory(err);
    pb__insert_records_response__init(reply);
    enum soma_code code = apply_write(mutation, txn, err);
    if (!code)
        code = reply_counts(write, arena, &reply->counts, err);
    if (!code)
        code = reply_errors(write, arena, &reply->errors, err);
    if (!code)
        code = reply_ids(write, arena, &reply->n_ids, &reply->ids, err);
    reply->n_errors = write->result.failure_count;
    reply->sequence = write->result.changes.sequence;
    *ret_reply = &reply->base;
    return code;
}

static enum soma_code apply_update(struct mutation *mutation, struct store_txn *txn,
                                   const ProtobufCMessage **ret_reply, struct soma_error *err)
{
    const struct record_write *write = mutation->value;
    struct arena *arena = rpc_call_arena(mutation->call);
    Pb__UpdateRecordsResponse *reply = arena_alloc(arena, sizeof *reply);
    if (!reply)
        return error_set_no_memory(err);
    pb__update_records_response__init(reply);
    enum soma_code code = apply_write(mutation, txn, err);
    if (!code)
        code = reply_counts(write, arena, &reply->counts, err);
    if (!code)
        code = reply_errors(write, arena, &reply->errors, err);
    reply->n_errors = write->result.failure_count;
    reply->sequence = write->result.changes.sequence;
    *ret_reply = &reply->base;
    return code;
}

static void publish_write(struct mutation *mutation)
{
    struct vector_service *service = mutation->service;
    const struct record_write *write = mutation->value;
    if (write->result.has_changed)
        vectors_publish(service->rooms.vectors, &write->result.changes);
    purge_retry(&service->purge);
}

static enum soma_code submit_write(struct vector_service *service, struct rpc_call *call,
                                   const struct record_request *request, mutation_apply *apply,
                                   struct soma_error *err)
{
    struct record_write *write = arena_calloc(rpc_call_arena(call), 1, sizeof *write);
    if (!write)
        return error_set_no_memory(err);
    enum soma_code code = prepare(service, request, call, &write->batch, &write->refusal);
    write->is_refused = code != SOMA_OK;
    // A request that was delivered before is the writer's to answer, whatever has changed since.
    if (!code || rpc_call_request_id(call)) {
        mutation_submit(service->rooms.writer, call, apply, publish_write, service, write);
        return SOMA_OK;
    }
    *err = write->refusal;
    return code;
}

enum soma_code vector_upsert_records(struct vector_service *service, struct rpc_call *call,
                                     const ProtobufCMessage *message, struct soma_error *err)
{
    const Pb__UpsertRecordsRequest *request = (const Pb__UpsertRecordsRequest *)message;
    const struct record_request common = {WRITE_UPSERT,        request->collection,
                                          request->records,    request->n_records,
                                          request->embeddings, request->n_embeddings};
    return submit_write(service, call, &common, apply_upsert, err);
}

enum soma_code vector_insert_records(struct vector_service *service, struct rpc_call *call,
                                     const ProtobufCMessage *message, struct soma_error *err)
{
    const Pb__InsertRecordsRequest *request = (const Pb__InsertRecordsRequest *)message;
    const struct record_request common = {WRITE_INSERT,        request->collection,
                                          request->records,    request->n_records,
                                          request->embeddings, request->n_embeddings};
    return submit_write(service, call, &common, apply_insert, err);
}

enum soma_code vector_update_records(struct vector_service *service, struct rpc_call *call,
                                     const ProtobufCMessage *message, struct soma_error *err)
{
    const Pb__UpdateRecordsRequest *request = (const Pb__UpdateRecordsRequest *)message;
    const struct record_request common = {WRITE_UPDATE,        request->collection,
                                          request->records,    request->n_records,
                                          request->embeddings, request->n_embeddings};
    return submit_write(service, call, &common, apply_update, err);
}

// --- delete

struct record_delete {
    struct delete_request request;
    struct delete_result result;
};

static enum soma_code apply_delete(struct mutation *mutation, struct store_txn *txn,
                                   const ProtobufCMessage **ret_reply, struct soma_error *err)
{
    struct record_delete *delete = mutation->value;
    struct arena *arena = rpc_call_arena(mutation->call);
    mutation->op.makes_room = true;
    Pb__DeleteRecordsResponse *reply = arena_alloc(arena, sizeof *reply);
    if (!reply)
        return error_set_no_memory(err);
    pb__delete_records_response__init(reply);
    enum soma_code code = write_delete(txn, &delete->request, arena, &delete->result, err);
    reply->matched = delete->result.matched;
    reply->deleted = delete->result.deleted;
    reply->missing = delete->result.missing;
    reply->sequence = delete->result.changes.sequence;
    *ret_reply = &reply->base;
    return code;
}

static void publish_delete(struct mutation *mutation)
{
    struct vector_service *service = mutation->service;
    const struct record_delete *delete = mutation->value;
    if (delete->result.has_changed)
        vectors_publish(service->rooms.vectors, &delete->result.changes);
    purge_retry(&service->purge);
}

static enum soma_code check_selector(const Pb__DeleteRecordsRequest *request,
                                     struct soma_error *err)
{
    if (!request->n_ids && !*request->where)
        return error_set(err, REASON_EMPTY_SELECTOR, NULL,
                         "neither ids nor a filter; ClearCollection removes all records");
    if (request->n_ids && *request->where)
        return error_set(err, REASON_FIELD_INVALID, "where", "ids and a filter exclude each other");
    return check_record_ids(request->ids, request->n_ids, err);
}

enum soma_code vector_delete_records(struct vector_service *service, struct rpc_call *call,
                                     const ProtobufCMessage *message, struct soma_error *err)
{
    const Pb__DeleteRecordsRequest *request = (const Pb__DeleteRecordsRequest *)message;
    struct arena *arena = rpc_call_arena(call);
    struct record_delete *delete = arena_calloc(arena, 1, sizeof *delete);
    if (!delete)
        return error_set_no_memory(err);
    delete->request = (struct delete_request){.collection = request->collection,
                                              .ids = request->ids,
                                              .count = request->n_ids,
                                              .is_dry_run = request->dry_run};
    enum soma_code code = take_collection_ref(call, &delete->request.collection, err);
    if (!code)
        code = check_selector(request, err);
    if (!code)
        code = filter_from_text(request->where, arena, &delete->request.filter, err);
    if (!code)
        mutation_submit(service->rooms.writer, call, apply_delete, publish_delete, service, delete);
    return code;
}
