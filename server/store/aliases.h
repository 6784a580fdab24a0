// Other names of collections. Reading functions take any transaction, the others the writer's.
#ifndef STORE_ALIASES_H
#define STORE_ALIASES_H

#include "base/id.h"
#include "store/store.h"

#include "base/arena.h"

// The uid that the name stands for; *ret_found false: it is no alias.
enum soma_code aliases_find(struct store_txn *txn, const char *name, char ret_uid[ID_SIZE],
                            bool *ret_found, struct soma_error *err);
// All of a collection, by name; texts in the arena.
enum soma_code aliases_list(struct store_txn *txn, const char *uid, struct arena *arena,
                            const char ***ret_names, size_t *ret_count, struct soma_error *err);

// Makes the name stand for the collection from now on, whatever it stood for. COLLECTION_EXISTS
// where a collection has it as its own, ALIAS_LIMIT.
enum soma_code aliases_set(struct store_txn *txn, const char *name, const char *uid,
                           struct soma_error *err);
// ALIAS_NOT_FOUND.
enum soma_code aliases_remove(struct store_txn *txn, const char *name, struct soma_error *err);
// Those of a collection that is deleted.
enum soma_code aliases_remove_all(struct store_txn *txn, const char *uid, struct soma_error *err);

#endif
