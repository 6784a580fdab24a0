// What the files of the vector service share.
#ifndef SERVICES_VECTOR_PRIVATE_H
#define SERVICES_VECTOR_PRIVATE_H

#include "services/mutation.h"
#include "services/vector_service.h"
#include "soma/v1/vectors.pb-c.h"

enum {
    // What a call's arena may hold beside the request: the domain values and the reply.
    VALUES_BYTES_MAX = 128 << 20
};

// Removes the records of dead partitions, some in each write operation, until none is left.
struct purge {
    struct write_op op;
    struct vector_service *service;
    bool is_running; // the writer thread's, once the server has started
    bool is_done;    // of the operation in hand
    bool has_failed; // and is due again from then on:
    struct mono_time retry_at;
};

struct vector_service {
    Pb__VectorService_Service base; // first: the dispatcher's pointer leads back here
    struct vector_service_rooms rooms;
    struct purge purge;
};

// A method on a worker: answers the call or hands it to the writer, or returns an error and the
// call is failed with it.
typedef enum soma_code vector_method(struct vector_service *service, struct rpc_call *call,
                                     const ProtobufCMessage *message, struct soma_error *err);

vector_method vector_create_collection, vector_get_collection, vector_list_collections,
    vector_update_collection, vector_delete_collection, vector_clear_collection,
    vector_upsert_records, vector_insert_records, vector_update_records, vector_get_records,
    vector_delete_records, vector_count_records, vector_query_records, vector_scan_records,
    vector_facet_records, vector_set_alias, vector_remove_alias, vector_clone_collection,
    vector_check_collection, vector_read_snapshot, vector_restore_snapshot;

// The members that say which records are meant, which several requests have in common.
struct selected {
    const char *collection, *where, *where_document;
    int64_t min_sequence;
};

struct selection;

// Checks and opens; selection_close is due after SOMA_OK.
enum soma_code vector_select(struct vector_service *service, struct rpc_call *call,
                             const struct selected *wanted, struct selection *ret_selection,
                             struct soma_error *err);

// On the writer thread, or before it has anything else to do.
void purge_start(struct purge *purge);
// On the writer thread after a write, which is a sign that another may go well: starts one that
// failed a while ago.
void purge_retry(struct purge *purge);

#endif
