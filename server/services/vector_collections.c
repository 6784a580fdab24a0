// The methods on collections themselves, and the removal of what deleted ones leave behind.
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "services/vector_messages.h"
#include "services/vector_private.h"
#include "store/restores.h"
#include "wire/limits.h"

enum {
    PURGE_RECORDS = 500, // in one operation, so that other writes wait little
    PURGE_RETRY_MS = 10000,
    PAGE_DEFAULT = 100
};

// --- removal of dead partitions

static enum soma_code purge_apply(struct write_op *op, struct store_txn *txn,
                                  struct soma_error *err)
{
    struct purge *purge = (struct purge *)op;
    enum soma_code code = restores_sweep(txn, clock_wall_now().ms - RESTORE_KEPT_MS, err);
    return code ? code : collections_purge(txn, PURGE_RECORDS, &purge->is_done, err);
}

static void purge_finish(struct write_op *op, const struct soma_error *err)
{
    struct purge *purge = (struct purge *)op;
    if (!err && !purge->is_done) {
        writer_submit(purge->service->rooms.writer, &purge->op);
        return;
    }
    purge->is_running = false;
    purge->has_failed = err != NULL;
    purge->retry_at = clock_deadline_after(PURGE_RETRY_MS);
    if (err && err->code != SOMA_UNAVAILABLE)
        log_warning("VECTORS-PURGE", "deleted records stay for now: %s", err->text);
}

void purge_start(struct purge *purge)
{
    if (purge->is_running)
        return;
    purge->is_running = true;
    purge->is_done = false;
    purge->op = (struct write_op){.apply = purge_apply, .finish = purge_finish, .makes_room = true};
    writer_submit(purge->service->rooms.writer, &purge->op);
}

void purge_retry(struct purge *purge)
{
    if (purge->has_failed && clock_left_ms(purge->retry_at) == 0)
        purge_start(purge);
}

// --- create, update, delete, clear: on the writer

// A checked request, and what the write leaves for memory.
struct collection_write {
    struct collection_row row; // create: as wanted
    const char *collection;    // full, or a uid; so is the new name
    const char *new_name;      // "": kept
    struct metadata patch;
    bool exist_ok;
    struct row_changes changes;
    bool is_gone;
};

static enum soma_code submit(struct vector_service *service, struct rpc_call *call,
                             struct collection_write *wanted, mutation_apply *apply,
                             mutation_committed *committed, struct soma_error *err)
{
    struct arena *arena = rpc_call_arena(call);
    struct collection_write *write = arena_alloc(arena, sizeof *write);
    if (!write)
        return error_set_no_memory(err);
    *write = *wanted;
    mutation_submit(service->rooms.writer, call, apply, committed, service, write);
    return SOMA_OK;
}

// A write that changed no record moves memory's sequence on all the same.
static void note_changes(struct collection_write *write, const struct collection_row *row,
                         bool is_clear)
{
    write->changes = (struct row_changes){.dim = row->dimension,
                                          .sequence = row->sequence,
                                          .is_clear = is_clear,
                                          .partition = row->partition};
    memcpy(write->changes.uid, row->uid, sizeof write->changes.uid);
}

static void publish(struct mutation *mutation)
{
    struct vector_service *service = mutation->service;
    const struct collection_write *write = mutation->value;
    if (write->is_gone)
        vectors_drop(service->rooms.vectors, write->changes.uid);
    else if (write->changes.sequence)
        vectors_publish(service->rooms.vectors, &write->changes);
    if (write->is_gone || write->changes.is_clear)
        purge_start(&service->purge);
    else
        purge_retry(&service->purge);
}

// Finds the collection of that name for exist_ok.
static enum soma_code take_existing(struct collection_write *write, struct store_txn *txn,
                                    struct arena *arena, bool *ret_exists, struct soma_error *err)
{
    struct collection_row row;
    struct soma_error not_found;
    enum soma_code code = collections_find(txn, write->row.name, arena, &row, &not_found);
    // A uid that happens to be asked for as a name is another collection.
    *ret_exists = !code && strcmp(row.name, write->row.name) == 0;
    if (code && code != SOMA_NOT_FOUND) {
        *err = not_found;
        return code;
    }
    if (!*ret_exists)
        return SOMA_OK;
    if (row.dimension != write->row.dimension || row.metric != write->row.metric)
        return error_set(err, REASON_COLLECTION_DIFFERS, "name",
                         "collection '%s' exists with dimension %u and another metric or dimension"
                         " than asked for",
                         namespace_plain(row.name), row.dimension);
    write->row = row;
    return SOMA_OK;
}

static enum soma_code apply_create(struct mutation *mutation, struct store_txn *txn,
                                   const ProtobufCMessage **ret_reply, struct soma_error *err)
{
    struct collection_write *write = mutation->value;
    struct vector_service *service = mutation->service;
    struct arena *arena = rpc_call_arena(mutation->call);
    Pb__CreateCollectionResponse *reply = arena_alloc(arena, sizeof *reply);
    if (!reply)
        return error_set_no_memory(err);
    pb__create_collection_response__init(reply);
    bool exists = false;
    enum soma_code code = SOMA_OK;
    if (write->exist_ok)
        code = take_existing(write, txn, arena, &exists, err);
    if (!code && !exists)
        code = collections_insert(txn, &write->row, err);
    if (!code)
        code = message_from_collection(&write->row, txn, service->rooms.vectors, arena,
                                       &reply->collection, err);
    reply->created = !exists;
    *ret_reply = &reply->base;
    return code;
}

enum soma_code vector_create_collection(struct vector_service *service, struct rpc_call *call,
                                        const ProtobufCMessage *message, struct soma_error *err)
{
    const Pb__CreateCollectionRequest *request = (const Pb__CreateCollectionRequest *)message;
    struct collection_write write = {.exist_ok = request->exist_ok};
    const struct collection_values values = {request->dimension, request->metric, request->metadata,
                                             request->n_metadata, request->index_settings};
    const char *name = request->name;
    enum soma_code code = take_collection_name(call, &name, "name", err);
    if (!code)
        code = collection_from_values(&values, rpc_call_arena(call), &write.row, err);
    if (code)
        return code;
    snprintf(write.row.name, sizeof write.row.name, "%s", name);
    return submit(service, call, &write, apply_create, publish, err);
}

static enum soma_code apply_update(struct mutation *mutation, struct store_txn *txn,
                                   const ProtobufCMessage **ret_reply, struct soma_error *err)
{
    struct collection_write *write = mutation->value;
    struct vector_service *service = mutation->service;
    struct arena *arena = rpc_call_arena(mutation->call);
    struct collection_row row;
    struct metadata merged;
    Pb__UpdateCollectionResponse *reply = arena_alloc(arena, sizeof *reply);
    if (!reply)
        return error_set_no_memory(err);
    pb__update_collection_response__init(reply);
    enum soma_code code = collections_find(txn, write->collection, arena, &row, err);
    if (!code)
        code = metadata_merge(row.metadata, write->patch, arena, &merged, err);
    if (code)
        return code;
    bool is_renamed = *write->new_name && strcmp(write->new_name, row.name) != 0;
    if (is_renamed)
        snprintf(row.name, sizeof row.name, "%s", write->new_name);
    if (is_renamed || !metadata_is_equal(row.metadata, merged)) {
        row.metadata = merged;
        row.sequence++;
        code = collections_save(txn, &row, err);
        note_changes(write, &row, false);
    }
    if (code && is_renamed && err && err->field[0])
        snprintf(err->field, sizeof err->field, "new_name");
    *ret_reply = &reply->base;
    return code ? code
                : message_from_collection(&row, txn, service->rooms.vectors, arena,
                                          &reply->collection, err);
}

enum soma_code vector_update_collection(struct vector_service *service, struct rpc_call *call,
                                        const ProtobufCMessage *message, struct soma_error *err)
{
    const Pb__UpdateCollectionRequest *request = (const Pb__UpdateCollectionRequest *)message;
    struct collection_write write = {.collection = request->collection,
                                     .new_name = request->new_name};
    struct arena *arena = rpc_call_arena(call);
    const struct metadata_field *fields;
    enum soma_code code = take_collection_ref(call, &write.collection, err);
    if (!code && *request->new_name)
        code = take_collection_name(call, &write.new_name, "new_name", err);
    if (!code)
        code = fields_from_messages(request->metadata, request->n_metadata, arena, &fields, err);
    if (!code)
        code = metadata_encode(fields, request->n_metadata, true, arena, &write.patch, err);
    return code ? code : submit(service, call, &write, apply_update, publish, err);
}

static enum soma_code apply_delete(struct mutation *mutation, struct store_txn *txn,
                                   const ProtobufCMessage **ret_reply, struct soma_error *err)
{
    struct collection_write *write = mutation->value;
    struct arena *arena = rpc_call_arena(mutation->call);
    struct collection_row row;
    mutation->op.makes_room = true;
    Pb__DeleteCollectionResponse *reply = arena_alloc(arena, sizeof *reply);
    if (!reply)
        return error_set_no_memory(err);
    pb__delete_collection_response__init(reply);
    enum soma_code code = collections_find(txn, write->collection, arena, &row, err);
    if (code == SOMA_NOT_FOUND) // or a restore's uid
        code = restores_get(txn, write->collection, arena, &row, err);
    if (!code)
        code = collections_delete(txn, &row, err);
    if (code)
        return code;
    note_changes(write, &row, false);
    write->is_gone = true;
    reply->deleted_records = row.record_count;
    *ret_reply = &reply->base;
    return SOMA_OK;
}

enum soma_code vector_delete_collection(struct vector_service *service, struct rpc_call *call,
                                        const ProtobufCMessage *message, struct soma_error *err)
{
    const Pb__DeleteCollectionRequest *request = (const Pb__DeleteCollectionRequest *)message;
    struct collection_write write = {.collection = request->collection};
    enum soma_code code = take_collection_ref(call, &write.collection, err);
    return code ? code : submit(service, call, &write, apply_delete, publish, err);
}

static enum soma_code apply_clear(struct mutation *mutation, struct store_txn *txn,
                                  const ProtobufCMessage **ret_reply, struct soma_error *err)
{
    struct collection_write *write = mutation->value;
    struct arena *arena = rpc_call_arena(mutation->call);
    struct collection_row row;
    mutation->op.makes_room = true;
    Pb__ClearCollectionResponse *reply = arena_alloc(arena, sizeof *reply);
    if (!reply)
        return error_set_no_memory(err);
    pb__clear_collection_response__init(reply);
    enum soma_code code = collections_find(txn, write->collection, arena, &row, err);
    if (code)
        return code;
    reply->deleted_records = row.record_count;
    if (row.record_count) {
        row.sequence++;
        code = collections_clear(txn, &row, err);
        if (!code)
            code = collections_save_counters(txn, &row, err);
        note_changes(write, &row, true);
    }
    reply->sequence = row.sequence;
    *ret_reply = &reply->base;
    return code;
}

enum soma_code vector_clear_collection(struct vector_service *service, struct rpc_call *call,
                                       const ProtobufCMessage *message, struct soma_error *err)
{
    const Pb__ClearCollectionRequest *request = (const Pb__ClearCollectionRequest *)message;
    struct collection_write write = {.collection = request->collection};
    enum soma_code code = take_collection_ref(call, &write.collection, err);
    return code ? code : submit(service, call, &write, apply_clear, publish, err);
}

// --- get, list: on a worker

enum soma_code vector_get_collection(struct vector_service *service, struct rpc_call *call,
                                     const ProtobufCMessage *message, struct soma_error *err)
{
    const Pb__GetCollectionRequest *request = (const Pb__GetCollectionRequest *)message;
    struct arena *arena = rpc_call_arena(call);
    struct store_txn *txn;
    struct collection_row row;
    Pb__GetCollectionResponse response = PB__GET_COLLECTION_RESPONSE__INIT;
    const char *collection = request->collection;
    enum soma_code code = take_collection_ref(call, &collection, err);
    if (!code)
        code = store_read_begin(service->rooms.store, &txn, err);
    if (code)
        return code;
    code = collections_find(txn, collection, arena, &row, err);
    if (!code)
        code = message_from_collection(&row, txn, service->rooms.vectors, arena,
                                       &response.collection, err);
    store_read_end(txn);
    if (!code)
        rpc_call_reply(call, &response.base);
    return code;
}

// As many as fit in the page and in a reply; the one more that is read says whether there is a next
// page.
static enum soma_code fill_page(struct vector_service *service, struct store_txn *txn,
                                const struct name_range *range, size_t page, struct arena *arena,
                                Pb__ListCollectionsResponse *response, struct soma_error *err)
{
    struct collection_row *rows = arena_alloc(arena, (page + 1) * sizeof *rows);
    size_t count = 0, bytes = 0;
    response->collections = arena_calloc(arena, page, sizeof *response->collections);
    if (!rows || !response->collections)
        return error_set_no_memory(err);
    enum soma_code code = collections_list(txn, range, page + 1, arena, rows, &count, err);
    for (size_t i = 0; !code && i < count && i < page && bytes < LIMIT_FRAME_BYTES / 4; i++) {
        code = message_from_collection(&rows[i], txn, service->rooms.vectors, arena,
                                       &response->collections[i], err);
        response->n_collections = i + 1;
        if (!code)
            bytes += protobuf_c_message_get_packed_size(&response->collections[i]->base);
    }
    if (!code && count > response->n_collections)
        response->next_cursor = response->collections[response->n_collections - 1]->name;
    return code;
}

enum soma_code vector_list_collections(struct vector_service *service, struct rpc_call *call,
                                       const ProtobufCMessage *message, struct soma_error *err)
{
    const Pb__ListCollectionsRequest *request = (const Pb__ListCollectionsRequest *)message;
    struct arena *arena = rpc_call_arena(call);
    size_t page = request->page_size ? request->page_size : PAGE_DEFAULT;
    if (page > LIMIT_COLLECTION_PAGE)
        return error_set(err, REASON_FIELD_OUT_OF_RANGE, "page_size",
                         "a page has at most %d collections", LIMIT_COLLECTION_PAGE);
    const char *cursor = request->cursor;
    if (*cursor && take_collection_name(call, &cursor, "cursor", NULL))
        return error_set(err, REASON_CURSOR_INVALID, "cursor", "the cursor is not of this method");
    Pb__ListCollectionsResponse response = PB__LIST_COLLECTIONS_RESPONSE__INIT;
    struct name_range range;
    name_range_init(&range, rpc_call_space(call), request->cursor);
    struct store_txn *txn;
    enum soma_code code = store_read_begin(service->rooms.store, &txn, err);
    if (code)
        return code;
    code = fill_page(service, txn, &range, page, arena, &response, err);
    store_read_end(txn);
    if (code)
        return code;
    rpc_call_reply(call, &response.base);
    return SOMA_OK;
}
