// Copies of whole collections.
#ifndef STORE_COPIES_H
#define STORE_COPIES_H

#include "store/collections.h"

// Inserts ret_copy as collections_insert does, and gives it all records of from, at sequence 1.
// COLLECTION_EXISTS, COLLECTION_LIMIT.
enum soma_code copies_make(struct store_txn *txn, const struct collection_row *from,
                           struct collection_row *copy, struct soma_error *err);

#endif
