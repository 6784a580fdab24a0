// What collections in memory are made of: for collection.c and collection_load.c.
#ifndef VECTORS_COLLECTION_PRIVATE_H
#define VECTORS_COLLECTION_PRIVATE_H

#include <limits.h>
#include <pthread.h>

#include "vectors/collection.h"
#include "vectors/filter_index.h"

enum {
    COLLECTION_SLOTS = 1024, // of the hash table by uid
    SLACK_BYTES = 64 << 10,  // of a collection: blocks that are not full yet
    FIXED_BYTES = 2048       // of a collection, whatever it holds, about
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
    bool is_dropped;              // out of the table, among those that leave until its last user
    bool is_outdated;             // was cleared under readers: given up when they are gone
    bool fell_behind;             // more was written during the loading than may be kept aside
    unsigned user_count;          // readers, the loader, a publish in progress, indexers
    uint64_t used_at;             // vectors.clock of the latest use
    int64_t published;            // sequence that memory shows
    struct rows *rows;            // NULL unless LOADED; the loader's own until then
    struct filter_index *filters; // has a lock of its own
    struct collection_reader *readers;
    struct pending_change *pending; // oldest first
    struct pending_change **pending_end;
    size_t pending_bytes;

    // The indexers'; settings and metric stand since the loading.
    struct index_settings settings;
    enum metric metric;
    int64_t partition;      // at `published`
    unsigned indexer_count; // of user_count
    bool has_graph;
    bool is_deleted;  // from the database, as it was: a file of it is of no use
    bool is_taken;    // by an indexer that must be alone
    bool has_waiting; // rows may wait for the graph
    bool is_sweeping, has_parked;
    size_t killed;           // rows that died and are not known to be swept
    int64_t swept_floor;     // of the latest sweep: another one with the same would find nothing
    int64_t parked_until_ms; // when to look again whether searches still hold swept nodes
    size_t node_count;       // of the graph, lately
    size_t changed;          // rows since the file was written
    int64_t file_sequence;
    int64_t rate_since_ms;
    uint32_t rate_rows;
    double rows_per_second;
};

struct vectors {
    struct store *store;
    size_t budget_bytes;
    struct spread spread;
    pthread_mutex_t lock;
    pthread_cond_t changed; // something was published, loaded or dropped
    uint64_t clock;         // counts uses
    size_t reserved_bytes;  // of loads in progress
    struct collection *slots[COLLECTION_SLOTS];
    struct collection *leaving; // out of the table, but still used

    char directory[PATH_MAX]; // of the indexes' files; "": none are kept
    uint32_t flat_rows;
    pthread_cond_t work; // there is something for the indexers
    pthread_t *indexers; // owned
    unsigned indexer_count;
    bool is_stopping;
    size_t work_slot; // where they look next
};

enum {
    // Of the budget: what the log of metadata changes may take for readers of an older state.
    FILTER_LOG_SHARE = 16
};

// All of these with the lock held.
struct collection *collection_find(struct vectors *vectors, const char *uid);
void collection_unuse(struct vectors *vectors, struct collection *collection);
// The same without counting as a use.
void collection_let_go(struct vectors *vectors, struct collection *collection);
// Nobody reads it or changes it; indexers may be at work.
bool collection_is_idle(const struct collection *collection);
// Is a file of it being written after it left the table? Then its successor writes none.
bool collection_is_leaving_file(const struct vectors *vectors, const char *uid);
// Out of the table; freed with its last user.
void collection_remove(struct vectors *vectors, struct collection *collection);
// Rows that died at or before it are seen by nobody.
int64_t collection_floor(const struct collection *collection);
size_t collection_bytes(const struct collection *collection);
size_t vectors_used_bytes(const struct vectors *vectors);
// Drops the least recently used idle collections until so many bytes more fit; false: they do not.
bool vectors_make_room(struct vectors *vectors, size_t more_bytes);
bool vectors_wait(struct vectors *vectors, struct mono_time deadline);
void vectors_wait_on(struct vectors *vectors, pthread_cond_t *condition, int64_t wait_ms);

// Without the lock.
void row_changes_apply(struct rows *rows, const struct row_changes *changes, bool *ret_no_memory);
// Where the rows' vectors are to be, by the collection's settings; NULL: in memory.
const char *vectors_directory(const struct vectors *vectors, const struct index_settings *settings);
// What the collection will take, graph included.
size_t rows_estimate(const struct vectors *vectors, const struct collection_row *row);
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
