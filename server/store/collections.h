// Collections: what they are called, their shape, their counters.
//
// A collection's uid is for ever; its name and its partition (records.h) change. Reading functions
// take any transaction, the others the writer's.
#ifndef STORE_COLLECTIONS_H
#define STORE_COLLECTIONS_H

#include "base/arena.h"
#include "base/id.h"
#include "base/namespaces.h"
#include "store/store.h"
#include "vectors/index/settings.h"
#include "vectors/metadata.h"

enum {
    COLLECTION_NAME_BYTES = 255 // without its namespace
};

struct collection_row {
    char uid[ID_SIZE];
    char name[FULL_NAME_BYTES_MAX + 1]; // full: base/namespaces.h
    int64_t partition;
    uint32_t dimension;
    int metric;               // of enum Metric, never 0
    struct metadata metadata; // in the arena that the reader gave
    int64_t created_unix_ms;
    int64_t sequence;
    int64_t record_count;
    int64_t last_record; // counter behind the records' numbers
    struct index_settings index;
};

// By full name, else by alias, else by uid, which stands where the plain name would; but none that
// is being restored or of another namespace. COLLECTION_NOT_FOUND.
enum soma_code collections_find(struct store_txn *txn, const char *full_name, struct arena *arena,
                                struct collection_row *ret_row, struct soma_error *err);

// By uid alone, also one that is being restored.
enum soma_code collections_get(struct store_txn *txn, const char *uid, struct arena *arena,
                               struct collection_row *ret_row, struct soma_error *err);

// Up to count collections of the range, by name.
enum soma_code collections_list(struct store_txn *txn, const struct name_range *range, size_t count,
                                struct arena *arena, struct collection_row *ret_rows,
                                size_t *ret_count, struct soma_error *err);

enum soma_code collections_count(struct store_txn *txn, int64_t *ret_collections,
                                 int64_t *ret_records, struct soma_error *err);

// Takes name, dimension, metric, metadata, index and time from the row, and fills in the rest.
// COLLECTION_EXISTS, COLLECTION_LIMIT.
enum soma_code collections_insert(struct store_txn *txn, struct collection_row *row,
                                  struct soma_error *err);

// Stores name, metadata and counters. COLLECTION_EXISTS where another has the name.
enum soma_code collections_save(struct store_txn *txn, const struct collection_row *row,
                                struct soma_error *err);

// Only the counters.
enum soma_code collections_save_counters(struct store_txn *txn, const struct collection_row *row,
                                         struct soma_error *err);

// Leaves the partition behind, dead. The row has a new, empty one afterwards; the caller saves it.
enum soma_code collections_clear(struct store_txn *txn, struct collection_row *row,
                                 struct soma_error *err);

enum soma_code collections_delete(struct store_txn *txn, const struct collection_row *row,
                                  struct soma_error *err);

// Removes up to max_records records of dead partitions; *ret_done: none is left.
enum soma_code collections_purge(struct store_txn *txn, int64_t max_records, bool *ret_done,
                                 struct soma_error *err);

#endif
