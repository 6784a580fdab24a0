// Records with everything that belongs to them, as it lies there: for who checks or copies a
// collection, and must see what is damaged instead of failing on it.
#ifndef STORE_WHOLE_RECORDS_H
#define STORE_WHOLE_RECORDS_H

#include "store/records.h"

struct whole_record {
    struct record_row row; // embedding is not NULL only where it has dimension numbers
    const uint8_t *hash;   // of the content; NULL: it has another length than RECORD_HASH_BYTES
};

// False ends the scan; the members live until the function returns.
typedef bool whole_record_visit(void *context, const struct whole_record *record);

// Those with after < num <= last, in the order of their numbers.
enum soma_code whole_records_scan(struct store_txn *txn, int64_t after, int64_t last,
                                  uint32_t dimension, whole_record_visit *visit, void *context,
                                  struct soma_error *err);

// How many rows a partition has of each kind.
struct whole_counts {
    int64_t records, documents;
    int64_t texts;      // documents that full text knows
    int64_t embeddings; // without a record
};

enum soma_code whole_records_count(struct store_txn *txn, int64_t partition,
                                   struct whole_counts *ret_counts, struct soma_error *err);

#endif
