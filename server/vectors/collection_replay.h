// Bringing rows that came from an index's file up to the database's state.
#ifndef VECTORS_COLLECTION_REPLAY_H
#define VECTORS_COLLECTION_REPLAY_H

#include "store/collections.h"
#include "vectors/rows.h"

// Applies what the transaction shows to have been written after the sequence `from`, and what is
// gone since. An embedding that is what it was costs nothing. OUT_OF_MEMORY, and what reading
// gives.
enum soma_code collection_replay(struct rows *rows, int64_t from, struct store_txn *txn,
                                 const struct collection_row *row, struct soma_error *err);

#endif
