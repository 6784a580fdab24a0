// Records and their embeddings and documents.
//
// A record's number is its partition's × 2^36 plus a counter from 1; it keeps it for life, and no
// other record gets it. Reading functions take any transaction, the others the writer's. All row
// by row: the caller has a batch's transaction, and no statement grows with a batch.
#ifndef STORE_RECORDS_H
#define STORE_RECORDS_H

#include "base/arena.h"
#include "store/store.h"
#include "vectors/metadata.h"

enum {
    RECORD_HASH_BYTES = 16,
    PARTITION_SHIFT = 36,
    PARTITION_MAX = (1 << 27) - 1
};

struct record_row {
    int64_t num;
    const char *id;
    struct metadata metadata;
    const char *document; // NULL: it has none; ends in NUL
    size_t document_length;
    const float *embedding; // float[dimension], bit by bit as it was given
};

// Which members of a record_row are read; the others are NULL or empty.
struct record_parts {
    bool metadata, document, embedding;
};

enum soma_code records_find(struct store_txn *txn, int64_t partition, const char *id,
                            int64_t *ret_num, uint8_t ret_hash[RECORD_HASH_BYTES], bool *ret_found,
                            struct soma_error *err);

enum soma_code records_has(struct store_txn *txn, int64_t num, bool *ret_has,
                           struct soma_error *err);

// Of a record that exists, into the arena; DATA_DAMAGED where one of its rows is missing or its
// embedding has another length than dimension.
enum soma_code records_read(struct store_txn *txn, int64_t num, struct record_parts parts,
                            uint32_t dimension, struct arena *arena, struct record_row *ret_row,
                            struct soma_error *err);

enum soma_code records_insert(struct store_txn *txn, int64_t partition,
                              const struct record_row *row, const uint8_t hash[RECORD_HASH_BYTES],
                              int64_t sequence, uint32_t dimension, struct soma_error *err);

// Writes metadata and document; the embedding where it is not NULL.
enum soma_code records_replace(struct store_txn *txn, const struct record_row *row,
                               const uint8_t hash[RECORD_HASH_BYTES], int64_t sequence,
                               uint32_t dimension, struct soma_error *err);

enum soma_code records_delete(struct store_txn *txn, int64_t num, struct soma_error *err);

// One record of a scan; the row's members live until the function returns. false ends the scan.
typedef bool record_visit(void *context, const struct record_row *row);

// All records of a partition in the order of their numbers, id and metadata.
enum soma_code records_scan_metadata(struct store_txn *txn, int64_t partition, record_visit *visit,
                                     void *context, struct soma_error *err);

// Those whose id comes after the given one, in the order of their ids (by bytes), id and metadata.
enum soma_code records_scan_ids(struct store_txn *txn, int64_t partition, const char *after_id,
                                record_visit *visit, void *context, struct soma_error *err);

// All in the order of their numbers, id and embedding.
enum soma_code records_scan_embeddings(struct store_txn *txn, int64_t partition, uint32_t dimension,
                                       record_visit *visit, void *context, struct soma_error *err);

// Those behind the first `after` places of the partition that changed after the sequence `since`
// (-1: all), in the order of their numbers.
typedef bool record_sequence_visit(void *context, int64_t num, int64_t sequence);
enum soma_code records_scan_sequences(struct store_txn *txn, int64_t partition, int64_t after,
                                      int64_t since, record_sequence_visit *visit, void *context,
                                      struct soma_error *err);

// Removes up to max_records records of a partition that nobody reads any more.
enum soma_code records_purge(struct store_txn *txn, int64_t partition, int64_t max_records,
                             int64_t *ret_removed, struct soma_error *err);

#endif
