// Batches of records on their way into a collection: checked and hashed by whoever has the time
// (write_prepare, no database), then written in one transaction (write_apply, the writer).
//
// Unchanged content is recognised by its hash and costs one look-up. A batch is refused whole where
// anything in it is invalid; a record that cannot be written for what the collection holds is
// reported, and the rest is written.
#ifndef VECTORS_WRITE_H
#define VECTORS_WRITE_H

#include "store/records.h"
#include "vectors/collection.h"

enum write_mode {
    WRITE_UPSERT, // whole records, new or not
    WRITE_INSERT, // whole records, new ones only
    WRITE_UPDATE  // merged into records that exist
};

// A record as it came in; borrows everything.
struct record_input {
    const char *id;       // "": derived from the content (not in an update)
    const char *document; // NULL: none (in an update: kept)
    const struct metadata_field *fields;
    size_t field_count;
};

struct write_record {
    const char *id;
    const char *document; // NULL: none
    struct metadata metadata;
    const float *embedding; // NULL: kept
    uint8_t hash[RECORD_HASH_BYTES];
    bool is_skipped; // a later record of the batch has this id
};

struct write_batch {
    enum write_mode mode;
    const char *collection; // name or uid
    uint32_t dim;
    enum metric metric;
    struct write_record *records;
    size_t count;
    bool has_derived_ids;
};

struct write_failure {
    uint32_t index;
    enum soma_code code;
    const char *reason; // static
    const char *text;   // static
};

struct write_result {
    int64_t inserted, updated, unchanged, skipped;
    struct write_failure *failures;
    size_t failure_count;
    // For vectors_publish, and the sequence after the write; changes.count may be 0 where the
    // sequence grew all the same.
    struct row_changes changes;
    bool has_changed;
};

// Checks the inputs and fills the batch's records, all memory from the arena. The batch has mode,
// collection, dim and metric already; embeddings is float[count][dim], or NULL in an update that
// keeps them. Errors name fields like records[3].id and embeddings[3].
enum soma_code write_prepare(struct write_batch *batch, const struct record_input *inputs,
                             size_t count, const float *embeddings, struct arena *arena,
                             struct soma_error *err);

// On the writer thread. COLLECTION_NOT_FOUND, DIMENSION_MISMATCH where the collection is another by
// now, MEMORY_BUDGET.
enum soma_code write_apply(struct vectors *vectors, struct store_txn *txn,
                           const struct write_batch *batch, struct arena *arena,
                           struct write_result *ret_result, struct soma_error *err);

struct filter;

struct delete_request {
    const char *collection;
    const char *const *ids; // count of them; 0: by filter
    size_t count;
    const struct filter *filter;
    bool is_dry_run;
};

struct delete_result {
    int64_t matched, deleted, missing;
    struct row_changes changes;
    bool has_changed;
};

// On the writer thread.
enum soma_code write_delete(struct store_txn *txn, const struct delete_request *request,
                            struct arena *arena, struct delete_result *ret_result,
                            struct soma_error *err);

// Of a record's content: dimension, embedding, document and whether there is one, metadata.
void record_hash(const struct write_record *record, uint32_t dim,
                 uint8_t ret_hash[RECORD_HASH_BYTES]);

#endif
