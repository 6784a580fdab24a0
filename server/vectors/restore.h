// Bringing a collection back from the pages of a snapshot (services/vector_snapshots.c makes them):
// records at the places that they had, later pages over earlier ones, and at the end the list of
// the places that there are. Nobody sees the collection before the last step.
#ifndef VECTORS_RESTORE_H
#define VECTORS_RESTORE_H

#include "vectors/write.h"

enum {
    RESTORE_REMOVED_MAX = 5000 // surplus records that one step removes
};

// The records of a page, prepared, and where each belongs: 1 to 2^36, ascending.
struct restore_page {
    struct write_batch batch;
    const int64_t *places;
};

// Places that there are, as runs: how many are missing, how many are there, and so on.
struct place_runs {
    const uint64_t *lengths;
    size_t count;
};

// FIELD_INVALID where places do not ascend or runs end too far.
enum soma_code restore_check(const int64_t *places, size_t count, struct place_runs present,
                             struct soma_error *err);

// On the writer thread; row is of restores_find, and its counters are saved. MEMORY_BUDGET.
enum soma_code restore_apply(struct vectors *vectors, struct store_txn *txn,
                             const struct restore_page *page, struct collection_row *row,
                             struct soma_error *err);

// Removes what is no longer present, some in each step; *ret_is_done: nothing was left, and all
// that is present is there. SNAPSHOT_INCOMPLETE.
enum soma_code restore_settle(struct store_txn *txn, struct place_runs present,
                              struct collection_row *row, struct arena *arena, bool *ret_is_done,
                              struct soma_error *err);

#endif
