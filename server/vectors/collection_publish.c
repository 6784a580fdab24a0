// What the writer thread does to collections in memory after each commit.
#include <string.h>

#include "base/log.h"
#include "vectors/collection_private.h"
#include "vectors/index_files.h"
#include "vectors/indexer.h"

void row_changes_apply(struct rows *rows, const struct row_changes *changes, bool *ret_no_memory)
{
    if (changes->is_clear)
        rows_kill_all(rows, changes->sequence);
    for (size_t i = 0; i < changes->count; i++) {
        const struct row_change *change = &changes->changes[i];
        if (!change->vector)
            rows_kill(rows, change->num, changes->sequence);
        else if (!rows_put(rows, change->num, change->id, change->vector, changes->sequence))
            *ret_no_memory = true;
    }
}

// Rows that died at or before it are seen by nobody; lock held.
int64_t collection_floor(const struct collection *collection)
{
    int64_t floor = collection->published;
    for (const struct collection_reader *at = collection->readers; at; at = at->next) {
        if (at->floor < floor)
            floor = at->floor;
    }
    return floor;
}

// Of no use any more, and neither is the file that may be being written of it.
static void forget(struct vectors *vectors, struct collection *collection)
{
    collection->is_deleted = true;
    collection_remove(vectors, collection);
}

// Memory could not follow the database: what is there is given up, and loaded anew by the next
// reader. Readers that wait are told; the caller uses the collection.
static void give_up(struct vectors *vectors, struct collection *collection)
{
    log_warning("VECTORS-NO-MEMORY", "collection %s is dropped from memory: out of memory",
                collection->uid);
    rows_free(collection->rows);
    collection->rows = NULL;
    collection->state = COLLECTION_EMPTY;
    collection_remove(vectors, collection);
}

// Applies to a loaded collection, which the caller uses; lock held, and let go while rows are
// copied.
static void publish_loaded(struct vectors *vectors, struct collection *collection,
                           const struct row_changes *changes)
{
    bool no_memory = false;
    size_t killed_before = collection->rows->killed_count;
    pthread_mutex_unlock(&vectors->lock);
    row_changes_apply(collection->rows, changes, &no_memory);
    indexer_make_graph(collection, collection->rows);
    filter_index_apply(collection->filters, changes);
    pthread_mutex_lock(&vectors->lock);
    if (no_memory) {
        give_up(vectors, collection);
        return;
    }
    if (changes->is_clear) {
        collection->partition = changes->partition;
        collection->file_sequence = 0; // it is removed
        collection->is_outdated = true;
    }
    collection->published = changes->sequence;
    collection->changed += changes->count;
    indexer_note(vectors, collection, collection->rows->killed_count - killed_before);
    int64_t floor = collection_floor(collection);
    pthread_mutex_unlock(&vectors->lock);
    rows_compact(collection->rows, floor);
    filter_index_trim(collection->filters, floor);
    pthread_mutex_lock(&vectors->lock);
}

// A loaded collection. What was cleared is loaded anew: the graph counts records from the first
// number that it saw. Under readers it follows like any other change, and is given up with them.
static void follow(struct vectors *vectors, struct collection *collection,
                   const struct row_changes *changes)
{
    // One that was loaded between the commit and now has the change already.
    if (changes->sequence <= collection->published)
        return;
    if (changes->is_clear && collection_is_idle(collection)) {
        forget(vectors, collection);
        return;
    }
    collection->user_count++;
    publish_loaded(vectors, collection, changes);
    if (!vectors_make_room(vectors, 0))
        filter_index_drop(collection->filters);
    collection_unuse(vectors, collection);
}

void vectors_publish(struct vectors *vectors, const struct row_changes *changes)
{
    if (changes->is_clear)
        index_file_remove(vectors, changes->uid);
    pthread_mutex_lock(&vectors->lock);
    struct collection *collection = collection_find(vectors, changes->uid);
    if (collection && collection->state == COLLECTION_LOADED)
        follow(vectors, collection, changes);
    else if (collection && collection->state == COLLECTION_LOADING &&
             !pending_add(vectors, collection, changes)) {
        collection->fell_behind = true;
        collection_remove(vectors, collection);
    }
    pthread_cond_broadcast(&vectors->changed);
    pthread_mutex_unlock(&vectors->lock);
}

void vectors_drop(struct vectors *vectors, const char *uid)
{
    pthread_mutex_lock(&vectors->lock);
    struct collection *collection = collection_find(vectors, uid);
    if (collection)
        forget(vectors, collection);
    for (struct collection *at = vectors->leaving; at; at = at->next)
        at->is_deleted |= strcmp(at->uid, uid) == 0;
    pthread_cond_broadcast(&vectors->changed);
    pthread_mutex_unlock(&vectors->lock);
    index_file_remove(vectors, uid);
}
