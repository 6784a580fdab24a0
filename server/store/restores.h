// Collections that are being restored. Until a restore is finished its collection's name is a '.'
// and its uid, which no request can name: it is not found, listed or counted.
#ifndef STORE_RESTORES_H
#define STORE_RESTORES_H

#include "store/collections.h"

enum {
    RESTORE_KEPT_MS = 24 * 3600 * 1000 // since it began, unless it is finished
};

// As collections_insert, but for the name. COLLECTION_LIMIT: too many restores are under way.
enum soma_code restores_begin(struct store_txn *txn, const char *space, struct collection_row *row,
                              struct soma_error *err);

// COLLECTION_NOT_FOUND: no restore of the namespace has this uid, or it is finished.
enum soma_code restores_find(struct store_txn *txn, const char *space, const char *uid,
                             struct arena *arena, struct collection_row *ret_row,
                             struct soma_error *err);

// The same by a full name that has the uid where the plain name would be; field "collection".
enum soma_code restores_get(struct store_txn *txn, const char *full_name, struct arena *arena,
                            struct collection_row *ret_row, struct soma_error *err);

// Deletes those that began before the time.
enum soma_code restores_sweep(struct store_txn *txn, int64_t before_unix_ms,
                              struct soma_error *err);

#endif
