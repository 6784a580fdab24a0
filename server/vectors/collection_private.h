// What collections in memory are made of: for collection.c and collection_load.c.
#ifndef VECTORS_COLLECTION_PRIVATE_H
#define VECTORS_COLLECTION_PRIVATE_H

#include <pthread.h>

#include "vectors/collection.h"
#include "vectors/filter_index.h"

enum {
    COLLECTION_SLOTS = 1024 // of the hash table by uid
};

enum collection_state {
    COLLECTION_EMPTY,   // not in memory
    COLLECTION_LOADING, // one thread reads it from the store
    COLLECTION_LOADED
};

// A change that came while the collection was being loaded: a copy, in one block.
struct pending_change {
    struct pending_change *next;
    struct row_changes changes;
};

// Guarded by vectors.lock, but for what `rows` points to (rows.h says who touches that).
struct collection {
    struct collection *next; // in its slot
    char uid[ID_SIZE];
    enum collection_state state;
    bool is_dropped;              // out of the table; freed with its last user
    unsigned user_count;          // readers, the loader, a publish in progress
    uint64_t used_at;             // vectors.clock of the latest use
    int64_t published;            // sequence that memory shows
    struct rows *rows;            // NULL unless LOADED; the loader's own until then
    struct filter_index *filters; // has a lock of its own
    struct collection_reader *readers;
    struct pending_change *pending; // oldest first
    struct pending_change **pending_end;
    size_t pending_bytes;
};

struct vectors {
    struct store *store;
    size_t budget_bytes;
    pthread_mutex_t lock;
    pthread_cond_t changed; // something was published, loaded or dropped
    uint64_t clock;         // counts uses
    size_t reserved_bytes;  // of loads in progress
    struct collection *slots[COLLECTION_SLOTS];
};

enum {
    // Of the budget: what the log of metadata changes may take for readers of an older state.
    FILTER_LOG_SHARE = 16
};

// All of these with the lock held.
struct collection *collection_find(struct vectors *vectors, const char *uid);
void collection_unuse(struct vectors *vectors, struct collection *collection);
size_t vectors_used_bytes(const struct vectors *vectors);
// Drops the least recently used idle collections until so many bytes more fit; false: they do not.
bool vectors_make_room(struct vectors *vectors, size_t more_bytes);
bool vectors_wait(struct vectors *vectors, struct mono_time deadline);

// Without the lock.
void row_changes_apply(struct rows *rows, const struct row_changes *changes, bool *ret_no_memory);
size_t row_bytes(uint32_t dim);
enum soma_code vectors_over_budget(const struct vectors *vectors, size_t bytes,
                                   struct soma_error *err);

// Keeps a copy of a change for the end of the loading; lock held. False: no memory, or too much of
// it.
bool pending_add(const struct vectors *vectors, struct collection *collection,
                 const struct row_changes *changes);
void pending_free(struct pending_change *pending);

// Loads a collection whose state the caller has set to LOADING and whose user it is; takes the lock
// itself. It is LOADED afterwards, or EMPTY with an error.
enum soma_code collection_load(struct vectors *vectors, struct collection *collection,
                               struct soma_error *err);

#endif
