// Between the messages of vectors.proto and the domain's values. Everything made is in the arena.
#ifndef SERVICES_VECTOR_MESSAGES_H
#define SERVICES_VECTOR_MESSAGES_H

#include "rpc/call.h"
#include "soma/v1/vectors.pb-c.h"
#include "store/records.h"
#include "vectors/collection.h"
#include "vectors/filter.h"
#include "vectors/write.h"

// count pointers to zeroed messages of size bytes each; NULL: no memory.
void *messages_new(struct arena *arena, size_t count, size_t size);

// A name as the caller wrote it becomes a full one in the caller's namespace. FIELD_REQUIRED,
// FIELD_TOO_LONG, FIELD_INVALID; the first, which may be an alias or a uid too, also
// COLLECTION_NOT_FOUND.
enum soma_code take_collection_ref(struct rpc_call *call, const char **collection,
                                   struct soma_error *err);
enum soma_code take_collection_name(struct rpc_call *call, const char **name, const char *field,
                                    struct soma_error *err);

// 1 to LIMIT_RECORD_ID_BYTES each, LIMIT_BATCH_RECORDS at most.
enum soma_code check_record_ids(const char *const *ids, size_t count, struct soma_error *err);

enum soma_code fields_from_messages(Pb__MetadataField *const *messages, size_t count,
                                    struct arena *arena, const struct metadata_field **ret_fields,
                                    struct soma_error *err);
enum soma_code inputs_from_messages(Pb__Record *const *messages, size_t count, struct arena *arena,
                                    struct record_input **ret_inputs, struct soma_error *err);

// *ret_filter is NULL where the text is empty.
enum soma_code filter_from_text(const char *where, struct arena *arena,
                                const struct filter **ret_filter, struct soma_error *err);

// Absent: documents and metadata.
struct record_parts parts_from_message(const Pb__Include *include);

// NULL: the defaults. FIELD_OUT_OF_RANGE.
enum soma_code index_from_message(const Pb__IndexSettings *message,
                                  struct index_settings *ret_settings, struct soma_error *err);
// What makes a collection, of the messages that have it.
struct collection_values {
    uint32_t dimension;
    Pb__Metric metric; // UNSPECIFIED: cosine
    Pb__MetadataField *const *metadata;
    size_t n_metadata;
    const Pb__IndexSettings *index_settings;
};
// A row without a name, made now.
enum soma_code collection_from_values(const struct collection_values *values, struct arena *arena,
                                      struct collection_row *ret_row, struct soma_error *err);

// The transaction is the one that the row was read in.
enum soma_code message_from_collection(const struct collection_row *row, struct store_txn *txn,
                                       struct vectors *vectors, struct arena *arena,
                                       Pb__Collection **ret_message, struct soma_error *err);
// One metadata field.
enum soma_code message_from_item(struct metadata_item item, struct arena *arena,
                                 Pb__MetadataField **ret_message, struct soma_error *err);
enum soma_code message_from_record(const struct record_row *row, struct arena *arena,
                                   Pb__Record **ret_message, struct soma_error *err);

#endif
