// RestoreSnapshot: a worker checks and hashes a page, the writer puts it in its place.
#include <stdio.h>

#include "services/vector_messages.h"
#include "services/vector_private.h"
#include "store/restores.h"
#include "vectors/restore.h"
#include "wire/limits.h"

struct restoring {
    const char *space;
    const char *uid;            // "": a new one begins
    const char *finish_name;    // "": more follows
    struct collection_row made; // as the first page wants it
    struct restore_page page;
    struct place_runs present;
};

// --- on the writer

static enum soma_code find_or_begin(struct restoring *restoring, struct store_txn *txn,
                                    struct arena *arena, struct collection_row *row,
                                    struct soma_error *err)
{
    if (*restoring->uid)
        return restores_find(txn, restoring->space, restoring->uid, arena, row, err);
    *row = restoring->made;
    enum soma_code code = restores_sweep(txn, row->created_unix_ms - RESTORE_KEPT_MS, err);
    return code ? code : restores_begin(txn, restoring->space, row, err);
}

static enum soma_code finish(struct restoring *restoring, struct store_txn *txn,
                             struct arena *arena, struct collection_row *row, bool *ret_is_finished,
                             struct soma_error *err)
{
    enum soma_code code = restore_settle(txn, restoring->present, row, arena, ret_is_finished, err);
    if (code)
        return code;
    if (!*ret_is_finished)
        return collections_save_counters(txn, row, err);
    snprintf(row->name, sizeof row->name, "%s", restoring->finish_name);
    code = collections_save(txn, row, err);
    if (code && err && err->field[0])
        snprintf(err->field, sizeof err->field, "finish_name");
    return code;
}

static enum soma_code apply_page(struct mutation *mutation, struct store_txn *txn,
                                 const ProtobufCMessage **ret_reply, struct soma_error *err)
{
    struct restoring *restoring = mutation->value;
    struct vector_service *service = mutation->service;
    struct arena *arena = rpc_call_arena(mutation->call);
    struct collection_row row;
    bool is_finished = false;
    Pb__RestoreSnapshotResponse *reply = arena_alloc(arena, sizeof *reply);
    if (!reply)
        return error_set_no_memory(err);
    pb__restore_snapshot_response__init(reply);
    enum soma_code code = find_or_begin(restoring, txn, arena, &row, err);
    // What a page was checked for depends on both.
    if (!code && (row.dimension != restoring->page.batch.dim ||
                  row.metric != (int)restoring->page.batch.metric))
        code = error_set(err, REASON_DIMENSION_MISMATCH, "page.collection",
                         "the restore began with another dimension or metric");
    if (!code)
        code = restore_apply(service->rooms.vectors, txn, &restoring->page, &row, err);
    if (!code && *restoring->finish_name)
        code = finish(restoring, txn, arena, &row, &is_finished, err);
    if (code)
        return code;
    reply->uid = arena_string(arena, row.uid);
    reply->record_count = row.record_count;
    reply->finished = is_finished;
    *ret_reply = &reply->base;
    return reply->uid ? SOMA_OK : error_set_no_memory(err);
}

// A new restore may have swept old ones away.
static void purge_swept(struct mutation *mutation)
{
    struct vector_service *service = mutation->service;
    const struct restoring *restoring = mutation->value;
    if (!*restoring->uid)
        purge_start(&service->purge);
}

// --- on a worker

static enum soma_code check_page(const Pb__SnapshotPage *page, struct arena *arena,
                                 struct restoring *restoring, struct soma_error *err)
{
    struct record_input *inputs = NULL;
    struct write_batch *batch = &restoring->page.batch;
    if (page->n_places != page->n_records || page->n_records > LIMIT_BATCH_RECORDS)
        return error_set(err, REASON_FIELD_INVALID, "places",
                         "%zu places for %zu records; there is one for each, %d at most",
                         page->n_places, page->n_records, LIMIT_BATCH_RECORDS);
    if (page->n_embeddings != page->n_records * batch->dim)
        return error_set(err, REASON_DIMENSION_MISMATCH, "embeddings",
                         "%zu records of dimension %u are %zu numbers, not %zu", page->n_records,
                         batch->dim, page->n_records * batch->dim, page->n_embeddings);
    restoring->page.places = page->places;
    restoring->present = (struct place_runs){page->present, page->n_present};
    enum soma_code code = restore_check(page->places, page->n_places, restoring->present, err);
    if (!code)
        code = inputs_from_messages(page->records, page->n_records, arena, &inputs, err);
    if (!code)
        code = write_prepare(batch, inputs, page->n_records, page->embeddings, arena, err);
    return code;
}

static enum soma_code check_request(const Pb__RestoreSnapshotRequest *request,
                                    struct rpc_call *call, struct restoring *restoring,
                                    struct soma_error *err)
{
    struct arena *arena = rpc_call_arena(call);
    if (!request->page || !request->page->collection)
        return error_set(err, REASON_FIELD_REQUIRED, "page.collection", "there is no page");
    const Pb__Collection *wanted = request->page->collection;
    const struct collection_values values = {wanted->dimension, wanted->metric, wanted->metadata,
                                             wanted->n_metadata, wanted->index_settings};
    enum soma_code code = SOMA_OK;
    restoring->space = rpc_call_space(call);
    restoring->uid = request->uid;
    restoring->finish_name = request->finish_name;
    if (*request->finish_name)
        code = take_collection_name(call, &restoring->finish_name, "finish_name", err);
    if (!code && *request->finish_name && !request->page->is_last)
        code = error_set(err, REASON_SNAPSHOT_INCOMPLETE, "page", "this is not the last page");
    if (code)
        return code;
    code = collection_from_values(&values, arena, &restoring->made, err);
    if (code) {
        error_prefix_field(err, "page.collection");
        return code;
    }
    restoring->page.batch = (struct write_batch){.mode = WRITE_UPSERT,
                                                 .dim = restoring->made.dimension,
                                                 .metric = (enum metric)restoring->made.metric};
    code = check_page(request->page, arena, restoring, err);
    if (code)
        error_prefix_field(err, "page");
    return code;
}

enum soma_code vector_restore_snapshot(struct vector_service *service, struct rpc_call *call,
                                       const ProtobufCMessage *message, struct soma_error *err)
{
    struct arena *arena = rpc_call_arena(call);
    struct restoring *restoring = arena_calloc(arena, 1, sizeof *restoring);
    if (!restoring)
        return error_set_no_memory(err);
    enum soma_code code =
        check_request((const Pb__RestoreSnapshotRequest *)message, call, restoring, err);
    if (!code)
        mutation_submit(service->rooms.writer, call, apply_page, purge_swept, service, restoring);
    return code;
}
