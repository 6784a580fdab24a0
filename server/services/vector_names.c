// The methods on other names of collections, and on copies: on the writer.
#include <stdio.h>
#include <string.h>

#include "services/vector_messages.h"
#include "services/vector_private.h"
#include "store/aliases.h"
#include "store/copies.h"
#include "wire/limits.h"

// A checked request.
struct naming {
    const char *name;       // the alias, or the copy's name; full, as the other one
    const char *collection; // or uid
};

static enum soma_code submit(struct vector_service *service, struct rpc_call *call,
                             const struct naming *wanted, mutation_apply *apply,
                             struct soma_error *err)
{
    struct naming *naming = arena_alloc(rpc_call_arena(call), sizeof *naming);
    if (!naming)
        return error_set_no_memory(err);
    *naming = *wanted;
    mutation_submit(service->rooms.writer, call, apply, NULL, service, naming);
    return SOMA_OK;
}

// --- aliases

static enum soma_code apply_set(struct mutation *mutation, struct store_txn *txn,
                                const ProtobufCMessage **ret_reply, struct soma_error *err)
{
    const struct naming *naming = mutation->value;
    struct vector_service *service = mutation->service;
    struct arena *arena = rpc_call_arena(mutation->call);
    struct collection_row row;
    bool had = false;
    Pb__SetAliasResponse *reply = arena_alloc(arena, sizeof *reply);
    char *previous = arena_calloc(arena, 1, ID_SIZE);
    if (!reply || !previous)
        return error_set_no_memory(err);
    pb__set_alias_response__init(reply);
    enum soma_code code = collections_find(txn, naming->collection, arena, &row, err);
    if (!code)
        code = aliases_find(txn, naming->name, previous, &had, err);
    if (!code)
        code = aliases_set(txn, naming->name, row.uid, err);
    if (!code)
        code = message_from_collection(&row, txn, service->rooms.vectors, arena, &reply->collection,
                                       err);
    reply->previous_uid = previous;
    *ret_reply = &reply->base;
    return code;
}

enum soma_code vector_set_alias(struct vector_service *service, struct rpc_call *call,
                                const ProtobufCMessage *message, struct soma_error *err)
{
    const Pb__SetAliasRequest *request = (const Pb__SetAliasRequest *)message;
    struct naming naming = {request->alias, request->collection};
    enum soma_code code = take_collection_name(call, &naming.name, "alias", err);
    if (!code)
        code = take_collection_ref(call, &naming.collection, err);
    return code ? code : submit(service, call, &naming, apply_set, err);
}

static enum soma_code apply_remove(struct mutation *mutation, struct store_txn *txn,
                                   const ProtobufCMessage **ret_reply, struct soma_error *err)
{
    const struct naming *naming = mutation->value;
    Pb__RemoveAliasResponse *reply = arena_alloc(rpc_call_arena(mutation->call), sizeof *reply);
    if (!reply)
        return error_set_no_memory(err);
    pb__remove_alias_response__init(reply);
    *ret_reply = &reply->base;
    return aliases_remove(txn, naming->name, err);
}

enum soma_code vector_remove_alias(struct vector_service *service, struct rpc_call *call,
                                   const ProtobufCMessage *message, struct soma_error *err)
{
    const Pb__RemoveAliasRequest *request = (const Pb__RemoveAliasRequest *)message;
    struct naming naming = {request->alias, NULL};
    enum soma_code code = take_collection_name(call, &naming.name, "alias", err);
    return code ? code : submit(service, call, &naming, apply_remove, err);
}

// --- copies

static enum soma_code apply_clone(struct mutation *mutation, struct store_txn *txn,
                                  const ProtobufCMessage **ret_reply, struct soma_error *err)
{
    const struct naming *naming = mutation->value;
    struct vector_service *service = mutation->service;
    struct arena *arena = rpc_call_arena(mutation->call);
    struct collection_row from, copy;
    Pb__CloneCollectionResponse *reply = arena_alloc(arena, sizeof *reply);
    if (!reply)
        return error_set_no_memory(err);
    pb__clone_collection_response__init(reply);
    enum soma_code code = collections_find(txn, naming->collection, arena, &from, err);
    if (!code && from.record_count > LIMIT_CLONE_RECORDS)
        return error_set(err, REASON_CLONE_TOO_LARGE, "collection",
                         "the collection has %lld records; %d at most are copied in one step",
                         (long long)from.record_count, LIMIT_CLONE_RECORDS);
    if (code)
        return code;
    copy = from;
    snprintf(copy.name, sizeof copy.name, "%s", naming->name);
    copy.created_unix_ms = clock_wall_now().ms;
    code = copies_make(txn, &from, &copy, err);
    if (code && err && strcmp(err->field, "name") == 0)
        snprintf(err->field, sizeof err->field, "new_name");
    *ret_reply = &reply->base;
    return code ? code
                : message_from_collection(&copy, txn, service->rooms.vectors, arena,
                                          &reply->collection, err);
}

enum soma_code vector_clone_collection(struct vector_service *service, struct rpc_call *call,
                                       const ProtobufCMessage *message, struct soma_error *err)
{
    const Pb__CloneCollectionRequest *request = (const Pb__CloneCollectionRequest *)message;
    struct naming naming = {request->new_name, request->collection};
    enum soma_code code = take_collection_ref(call, &naming.collection, err);
    if (!code)
        code = take_collection_name(call, &naming.name, "new_name", err);
    return code ? code : submit(service, call, &naming, apply_clone, err);
}
