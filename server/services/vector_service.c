#include "services/vector_service.h"

#include <stdlib.h>

#include "services/vector_private.h"

static void run(struct rpc_call *call, const ProtobufCMessage *message, void *service,
                vector_method *method)
{
    struct soma_error err = {0};
    rpc_call_arena(call)->budget += VALUES_BYTES_MAX;
    if (method(service, call, message, &err) != SOMA_OK)
        rpc_call_fail(call, &err);
}

// The handler with the signature that protoc-c wants, and the work that it hands to a worker.
#define METHOD(name, Name)                                                                         \
    static void work_##name(struct rpc_call *call, const ProtobufCMessage *message, void *service) \
    {                                                                                              \
        run(call, message, service, vector_##name);                                                \
    }                                                                                              \
    static void handle_##name(Pb__VectorService_Service *service,                                  \
                              const Pb__##Name##Request *request,                                  \
                              Pb__##Name##Response_Closure closure, void *call)                    \
    {                                                                                              \
        (void)closure;                                                                             \
        workers_run(((struct vector_service *)service)->rooms.workers, call, &request->base,       \
                    work_##name, service);                                                         \
    }

METHOD(create_collection, CreateCollection)
METHOD(get_collection, GetCollection)
METHOD(list_collections, ListCollections)
METHOD(update_collection, UpdateCollection)
METHOD(delete_collection, DeleteCollection)
METHOD(clear_collection, ClearCollection)
METHOD(upsert_records, UpsertRecords)
METHOD(insert_records, InsertRecords)
METHOD(update_records, UpdateRecords)
METHOD(get_records, GetRecords)
METHOD(delete_records, DeleteRecords)
METHOD(count_records, CountRecords)
METHOD(query_records, QueryRecords)
METHOD(scan_records, ScanRecords)
METHOD(facet_records, FacetRecords)
METHOD(set_alias, SetAlias)
METHOD(remove_alias, RemoveAlias)
METHOD(clone_collection, CloneCollection)
METHOD(check_collection, CheckCollection)
METHOD(read_snapshot, ReadSnapshot)
METHOD(restore_snapshot, RestoreSnapshot)

enum soma_code vector_service_new(const struct vector_service_rooms *rooms,
                                  struct vector_service **ret_service, struct soma_error *err)
{
    struct vector_service *service = calloc(1, sizeof *service);
    if (!service)
        return error_set_no_memory(err);
    service->base = (Pb__VectorService_Service)PB__VECTOR_SERVICE__INIT(handle_);
    service->rooms = *rooms;
    service->purge.service = service;
    purge_start(&service->purge);
    *ret_service = service;
    return SOMA_OK;
}

void vector_service_free(struct vector_service *service)
{
    free(service);
}

ProtobufCService *vector_service_base(struct vector_service *service)
{
    return &service->base.base;
}
