#include "vectors/collection.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "vectors/collection_private.h"
#include "vectors/index/graph.h"

// --- the table

static struct collection **slot_of(struct vectors *vectors, const char *uid)
{
    uint32_t hash = 2166136261u; // FNV-1a
    for (; *uid; uid++)
        hash = (hash ^ (unsigned char)*uid) * 16777619u;
    return &vectors->slots[hash % COLLECTION_SLOTS];
}

struct collection *collection_find(struct vectors *vectors, const char *uid)
{
    struct collection *collection = *slot_of(vectors, uid);
    while (collection && strcmp(collection->uid, uid) != 0)
        collection = collection->next;
    return collection;
}

static struct collection *collection_add(struct vectors *vectors, const char *uid)
{
    struct collection *collection = calloc(1, sizeof *collection);
    if (!collection)
        return NULL;
    // No reader asks for a state before the one that will be loaded, so what comes before is moot.
    collection->filters = filter_index_new(0, vectors->budget_bytes / FILTER_LOG_SHARE);
    if (!collection->filters) {
        free(collection);
        return NULL;
    }
    memcpy(collection->uid, uid, ID_SIZE);
    collection->pending_end = &collection->pending;
    struct collection **slot = slot_of(vectors, uid);
    collection->next = *slot;
    *slot = collection;
    return collection;
}

static void collection_free(struct collection *collection)
{
    rows_free(collection->rows);
    filter_index_free(collection->filters);
    pending_free(collection->pending);
    free(collection);
}

static void collection_remove(struct vectors *vectors, struct collection *collection)
{
    struct collection **at = slot_of(vectors, collection->uid);
    while (*at != collection)
        at = &(*at)->next;
    *at = collection->next;
    collection->is_dropped = true;
    if (!collection->user_count)
        collection_free(collection);
}

void collection_unuse(struct vectors *vectors, struct collection *collection)
{
    collection->user_count--;
    collection->used_at = ++vectors->clock;
    if (collection->is_dropped && !collection->user_count)
        collection_free(collection);
}

enum soma_code vectors_open(struct store *store, size_t budget_bytes, struct vectors **ret_vectors,
                            struct soma_error *err)
{
    struct vectors *vectors = calloc(1, sizeof *vectors);
    if (!vectors)
        return error_set_no_memory(err);
    vectors->store = store;
    vectors->budget_bytes = budget_bytes;
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_mutex_init(&vectors->lock, NULL);
    pthread_cond_init(&vectors->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    *ret_vectors = vectors;
    return SOMA_OK;
}

void vectors_close(struct vectors *vectors)
{
    if (!vectors)
        return;
    for (size_t i = 0; i < COLLECTION_SLOTS; i++) {
        while (vectors->slots[i])
            collection_remove(vectors, vectors->slots[i]);
    }
    pthread_cond_destroy(&vectors->changed);
    pthread_mutex_destroy(&vectors->lock);
    free(vectors);
}

// False: the deadline is past.
bool vectors_wait(struct vectors *vectors, struct mono_time deadline)
{
    int64_t left_ms = clock_left_ms(deadline);
    if (left_ms > 1000) // wakes now and then, so that a far deadline does not overflow
        left_ms = 1000;
    else if (left_ms == 0)
        return false;
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += left_ms * 1000000;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    pthread_cond_timedwait(&vectors->changed, &vectors->lock, &until);
    return true;
}

// --- the budget

size_t row_bytes(uint32_t dim)
{
    return dim * sizeof(float) + ROW_OVERHEAD_BYTES;
}

size_t vectors_used_bytes(const struct vectors *vectors)
{
    size_t bytes = vectors->reserved_bytes;
    for (size_t i = 0; i < COLLECTION_SLOTS; i++) {
        for (const struct collection *at = vectors->slots[i]; at; at = at->next)
            bytes +=
                (at->rows ? atomic_load(&at->rows->bytes) : 0) + filter_index_bytes(at->filters);
    }
    return bytes;
}

enum soma_code vectors_over_budget(const struct vectors *vectors, size_t bytes,
                                   struct soma_error *err)
{
    return error_set(err, REASON_MEMORY_BUDGET, "collection",
                     "the collection needs %zu bytes of memory, and all collections together may"
                     " take %zu",
                     bytes, vectors->budget_bytes);
}

static struct collection *least_recently_used(const struct vectors *vectors)
{
    struct collection *found = NULL;
    for (size_t i = 0; i < COLLECTION_SLOTS; i++) {
        for (struct collection *at = vectors->slots[i]; at; at = at->next) {
            if (at->state == COLLECTION_LOADED && !at->user_count &&
                (!found || at->used_at < found->used_at))
                found = at;
        }
    }
    return found;
}

bool vectors_make_room(struct vectors *vectors, size_t more_bytes)
{
    while (vectors_used_bytes(vectors) + more_bytes > vectors->budget_bytes) {
        struct collection *victim = least_recently_used(vectors);
        if (!victim)
            return false;
        collection_remove(vectors, victim);
    }
    return true;
}

enum soma_code vectors_admit(struct vectors *vectors, uint32_t dim, int64_t record_count,
                             struct soma_error *err)
{
    size_t bytes;
    if (__builtin_mul_overflow((size_t)record_count, row_bytes(dim), &bytes))
        bytes = SIZE_MAX;
    return bytes > vectors->budget_bytes ? vectors_over_budget(vectors, bytes, err) : SOMA_OK;
}

// --- readers

// The collection, loaded or being loaded by somebody else is waited for; lock held.
static enum soma_code use_loaded(struct vectors *vectors, const char *uid,
                                 struct mono_time deadline, struct collection **ret_collection,
                                 struct soma_error *err)
{
    for (;;) {
        struct collection *collection = collection_find(vectors, uid);
        if (!collection)
            collection = collection_add(vectors, uid);
        if (!collection)
            return error_set_no_memory(err);
        if (collection->state == COLLECTION_LOADED) {
            collection->user_count++;
            *ret_collection = collection;
            return SOMA_OK;
        }
        if (collection->state == COLLECTION_EMPTY) {
            collection->state = COLLECTION_LOADING;
            collection->user_count++;
            pthread_mutex_unlock(&vectors->lock);
            enum soma_code code = collection_load(vectors, collection, err);
            pthread_mutex_lock(&vectors->lock);
            if (code) {
                if (!collection->is_dropped)
                    collection_remove(vectors, collection);
                collection_unuse(vectors, collection);
                return code;
            }
            *ret_collection = collection;
            return SOMA_OK;
        }
        if (!vectors_wait(vectors, deadline))
            return error_set(err, REASON_DEADLINE_EXCEEDED, "collection",
                             "the deadline passed while the collection was loaded into memory");
    }
}

// The caller uses the collection; lock held.
static void reader_add(struct vectors *vectors, struct collection *collection,
                       struct collection_reader *reader)
{
    *reader = (struct collection_reader){.vectors = vectors,
                                         .collection = collection,
                                         .floor = collection->published,
                                         .next = collection->readers};
    collection->readers = reader;
}

enum soma_code collection_read_begin(struct vectors *vectors, const char *uid,
                                     struct mono_time deadline,
                                     struct collection_reader *ret_reader, struct soma_error *err)
{
    struct collection *collection = NULL;
    pthread_mutex_lock(&vectors->lock);
    enum soma_code code = use_loaded(vectors, uid, deadline, &collection, err);
    if (!code && collection) {
        reader_add(vectors, collection, ret_reader);
    }
    pthread_mutex_unlock(&vectors->lock);
    return code;
}

bool collection_read_begin_loaded(struct vectors *vectors, const char *uid,
                                  struct collection_reader *ret_reader)
{
    pthread_mutex_lock(&vectors->lock);
    struct collection *collection = collection_find(vectors, uid);
    bool is_loaded = collection && collection->state == COLLECTION_LOADED;
    if (is_loaded) {
        collection->user_count++;
        reader_add(vectors, collection, ret_reader);
    }
    pthread_mutex_unlock(&vectors->lock);
    return is_loaded;
}

enum soma_code collection_read_at(struct collection_reader *reader, int64_t sequence,
                                  struct mono_time deadline, struct soma_error *err)
{
    struct vectors *vectors = reader->vectors;
    struct collection *collection = reader->collection;
    enum soma_code code = SOMA_OK;
    pthread_mutex_lock(&vectors->lock);
    while (!code && collection->state == COLLECTION_LOADED && collection->published < sequence) {
        // What is dropped is published to no more.
        if (collection->is_dropped)
            code = error_set(err, REASON_COLLECTION_NOT_FOUND, "collection",
                             "the collection was deleted meanwhile");
        else if (!vectors_wait(vectors, deadline))
            code = error_set(err, REASON_DEADLINE_EXCEEDED, NULL,
                             "the deadline passed while the collection's memory was brought up to"
                             " date");
    }
    if (!code && collection->state != COLLECTION_LOADED)
        code = error_set_no_memory(err);
    if (!code)
        reader->view.rows = rows_take(collection->rows, &reader->view.graph);
    pthread_mutex_unlock(&vectors->lock);
    return code;
}

void collection_read_end(struct collection_reader *reader)
{
    struct vectors *vectors = reader->vectors;
    row_set_release(reader->view.rows);
    graph_release(reader->view.graph);
    pthread_mutex_lock(&vectors->lock);
    struct collection_reader **at = &reader->collection->readers;
    while (*at != reader)
        at = &(*at)->next;
    *at = reader->next;
    collection_unuse(vectors, reader->collection);
    pthread_mutex_unlock(&vectors->lock);
}

struct filter_index *collection_reader_filters(const struct collection_reader *reader)
{
    return reader->collection->filters;
}

size_t vectors_spare_bytes(struct vectors *vectors)
{
    pthread_mutex_lock(&vectors->lock);
    size_t used = vectors_used_bytes(vectors);
    pthread_mutex_unlock(&vectors->lock);
    return used < vectors->budget_bytes ? vectors->budget_bytes - used : 0;
}

// --- the writer

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
static int64_t floor_of(const struct collection *collection)
{
    int64_t floor = collection->published;
    for (const struct collection_reader *at = collection->readers; at; at = at->next) {
        if (at->floor < floor)
            floor = at->floor;
    }
    return floor;
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
    pthread_mutex_unlock(&vectors->lock);
    row_changes_apply(collection->rows, changes, &no_memory);
    filter_index_apply(collection->filters, changes);
    pthread_mutex_lock(&vectors->lock);
    if (no_memory) {
        give_up(vectors, collection);
        return;
    }
    collection->published = changes->sequence;
    int64_t floor = floor_of(collection);
    pthread_mutex_unlock(&vectors->lock);
    rows_compact(collection->rows, floor);
    filter_index_trim(collection->filters, floor);
    pthread_mutex_lock(&vectors->lock);
}

void vectors_publish(struct vectors *vectors, const struct row_changes *changes)
{
    pthread_mutex_lock(&vectors->lock);
    struct collection *collection = collection_find(vectors, changes->uid);
    if (collection && collection->state == COLLECTION_LOADING) {
        if (!pending_add(vectors, collection, changes))
            collection_remove(vectors, collection);
    } else if (collection && collection->state == COLLECTION_LOADED) {
        collection->user_count++;
        publish_loaded(vectors, collection, changes);
        if (!vectors_make_room(vectors, 0))
            filter_index_drop(collection->filters);
        collection_unuse(vectors, collection);
    }
    pthread_cond_broadcast(&vectors->changed);
    pthread_mutex_unlock(&vectors->lock);
}

void vectors_drop(struct vectors *vectors, const char *uid)
{
    pthread_mutex_lock(&vectors->lock);
    struct collection *collection = collection_find(vectors, uid);
    if (collection)
        collection_remove(vectors, collection);
    pthread_cond_broadcast(&vectors->changed);
    pthread_mutex_unlock(&vectors->lock);
}

int64_t vectors_memory_bytes(struct vectors *vectors, const char *uid)
{
    pthread_mutex_lock(&vectors->lock);
    const struct collection *collection = collection_find(vectors, uid);
    size_t bytes =
        collection && collection->rows && collection->state == COLLECTION_LOADED
            ? atomic_load(&collection->rows->bytes) + filter_index_bytes(collection->filters)
            : 0;
    pthread_mutex_unlock(&vectors->lock);
    return (int64_t)bytes;
}

int64_t vectors_memory_bytes_all(struct vectors *vectors)
{
    pthread_mutex_lock(&vectors->lock);
    size_t bytes = vectors_used_bytes(vectors);
    pthread_mutex_unlock(&vectors->lock);
    return (int64_t)bytes;
}
