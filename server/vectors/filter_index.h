// Bitmaps over a loaded collection's metadata: which records hold which value of a key.
//
// A key is indexed when a filter first asks for it. The bitmaps show the newest state; what changed
// after a reader's sequence is in a log, which takes the reader's answer back to its own state, and
// brings a key that was built from an older snapshot up to date. So an answer is exactly that of
// the database at the reader's sequence (docs/adr/0004). All of it is a cache: where the log grew
// too long, memory is short or the collection was cleared, the reader looks at the records
// themselves.
//
// The writer changes it, any thread reads; its own lock is held for no longer than some hundred
// records or one filter take.
#ifndef VECTORS_FILTER_INDEX_H
#define VECTORS_FILTER_INDEX_H

#include "store/store.h"
#include "vectors/collection.h"
#include "vectors/filter.h"

struct filter_index;

enum {
    FILTER_INDEX_KEYS = 64 // of one collection; filters on more look at the records
};

// sequence: the collection's state is that of now. log_max_bytes bounds the log. NULL: out of
// memory.
struct filter_index *filter_index_new(int64_t sequence, size_t log_max_bytes);
void filter_index_free(struct filter_index *index);

// Any thread.
size_t filter_index_bytes(const struct filter_index *index);

// The writer, after its commit, before memory publishes the sequence. Cannot fail: what finds no
// memory is dropped, and built again when it is asked for.
void filter_index_apply(struct filter_index *index, const struct row_changes *changes);
// No reader needs what changed at or before floor.
void filter_index_trim(struct filter_index *index, int64_t floor);

// Forgets the bitmaps; filters look at the records until they are built again.
void filter_index_drop(struct filter_index *index);

// What a filter found. Empty: {0}.
struct filter_matches {
    struct num_set set;
    uint64_t estimate; // from the values' counts, before any record was looked at
};
void filter_matches_fini(struct filter_matches *matches);

enum filter_answer {
    FILTER_ANSWERED,
    FILTER_KEYS_MISSING, // filter_index_build can help
    FILTER_UNANSWERED    // it cannot: look at the records
};

// The records that match at the sequence, which a reader holds (collection_read_begin). first: the
// partition's first number.
enum filter_answer filter_index_find(struct filter_index *index, const struct filter *filter,
                                     int64_t sequence, int64_t first,
                                     struct filter_matches *ret_matches);

// Reads the partition once, as the transaction sees it at the sequence, and indexes the filter's
// keys that are not. max_bytes: what all keys together may take; a key that needs more is not tried
// again. DEADLINE_EXCEEDED, and the store's errors.
enum soma_code filter_index_build(struct filter_index *index, const struct filter *filter,
                                  struct store_txn *txn, int64_t partition, int64_t sequence,
                                  size_t max_bytes, struct mono_time deadline,
                                  struct soma_error *err);

#endif
