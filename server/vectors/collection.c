#include "vectors/collection.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "measures/measures.h"
#include "vectors/collection_private.h"
#include "vectors/index/graph.h"
#include "vectors/index_files.h"
#include "vectors/indexer.h"

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

static void unlink_from(struct collection **list, const struct collection *collection)
{
    while (*list != collection)
        list = &(*list)->next;
    *list = collection->next;
}

void collection_remove(struct vectors *vectors, struct collection *collection)
{
    unlink_from(slot_of(vectors, collection->uid), collection);
    collection->is_dropped = true;
    if (!collection->user_count) {
        collection_free(collection);
        return;
    }
    collection->next = vectors->leaving;
    vectors->leaving = collection;
}

bool collection_is_idle(const struct collection *collection)
{
    return collection->state == COLLECTION_LOADED &&
           collection->user_count == collection->indexer_count;
}

bool collection_is_leaving_file(const struct vectors *vectors, const char *uid)
{
    for (const struct collection *at = vectors->leaving; at; at = at->next) {
        if (at->is_taken && strcmp(at->uid, uid) == 0)
            return true;
    }
    return false;
}

void collection_unuse(struct vectors *vectors, struct collection *collection)
{
    collection->used_at = ++vectors->clock;
    collection_let_go(vectors, collection);
}

void collection_let_go(struct vectors *vectors, struct collection *collection)
{
    collection->user_count--;
    if (collection->is_outdated && !collection->is_dropped && collection_is_idle(collection)) {
        collection_remove(vectors, collection);
    } else if (collection->is_dropped && !collection->user_count) {
        unlink_from(&vectors->leaving, collection);
        collection_free(collection);
    }
}

enum soma_code vectors_open(struct store *store, const struct vectors_options *options,
                            struct vectors **ret_vectors, struct soma_error *err)
{
    struct vectors *vectors = calloc(1, sizeof *vectors);
    if (!vectors)
        return error_set_no_memory(err);
    vectors->store = store;
    vectors->budget_bytes = options->budget_bytes;
    vectors->flat_rows = options->flat_rows;
    vectors->spread = options->spread;
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_mutex_init(&vectors->lock, NULL);
    pthread_cond_init(&vectors->changed, &monotonic);
    pthread_cond_init(&vectors->work, &monotonic);
    pthread_condattr_destroy(&monotonic);
    if (options->directory)
        snprintf(vectors->directory, sizeof vectors->directory, "%s", options->directory);
    enum soma_code code = options->directory ? index_files_tidy(vectors, err) : SOMA_OK;
    if (!code)
        code = indexer_start(vectors, options->indexers, err);
    if (code)
        vectors_close(vectors);
    else
        *ret_vectors = vectors;
    return code;
}

void vectors_close(struct vectors *vectors)
{
    if (!vectors)
        return;
    indexer_stop(vectors);
    for (size_t i = 0; i < COLLECTION_SLOTS; i++) {
        while (vectors->slots[i])
            collection_remove(vectors, vectors->slots[i]);
    }
    pthread_cond_destroy(&vectors->changed);
    pthread_cond_destroy(&vectors->work);
    pthread_mutex_destroy(&vectors->lock);
    free(vectors);
}

void vectors_wait_on(struct vectors *vectors, pthread_cond_t *condition, int64_t wait_ms)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += wait_ms * 1000000;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    pthread_cond_timedwait(condition, &vectors->lock, &until);
}

// False: the deadline is past.
bool vectors_wait(struct vectors *vectors, struct mono_time deadline)
{
    int64_t left_ms = clock_left_ms(deadline);
    if (left_ms == 0)
        return false;
    // Wakes now and then, so that a far deadline does not overflow.
    vectors_wait_on(vectors, &vectors->changed, left_ms > 1000 ? 1000 : left_ms);
    return true;
}

// --- the budget

const char *vectors_directory(const struct vectors *vectors, const struct index_settings *settings)
{
    return settings->rerank == RERANK_DISK && vectors->directory[0] ? vectors->directory : NULL;
}

size_t rows_estimate(const struct vectors *vectors, const struct collection_row *row)
{
    bool is_on_disk = vectors_directory(vectors, &row->index) != NULL;
    size_t each = ROW_OVERHEAD_BYTES + (is_on_disk ? 0 : row->dimension * sizeof(float));
    if (row->record_count >= (int64_t)row->index.flat_rows)
        each += graph_node_bytes(&row->index, row->dimension);
    size_t bytes;
    bool is_too_much = __builtin_mul_overflow((size_t)row->record_count, each, &bytes) ||
                       __builtin_add_overflow(bytes, (size_t)FIXED_BYTES, &bytes);
    return is_too_much ? SIZE_MAX : bytes;
}

size_t collection_bytes(const struct collection *collection)
{
    return sizeof *collection + filter_index_bytes(collection->filters) +
           (collection->rows ? rows_all_bytes(collection->rows) : 0);
}

size_t vectors_used_bytes(const struct vectors *vectors)
{
    size_t bytes = vectors->reserved_bytes;
    for (size_t i = 0; i < COLLECTION_SLOTS; i++) {
        for (const struct collection *at = vectors->slots[i]; at; at = at->next)
            bytes += collection_bytes(at) + at->pending_bytes;
    }
    return bytes;
}

enum soma_code vectors_over_budget(const struct vectors *vectors, size_t bytes,
                                   struct soma_error *err)
{
    return error_set(err, REASON_MEMORY_BUDGET, "collection",
                     "the collection needs %zu bytes of memory, and all collections together may"
                     " take %zu (memory-budget)",
                     bytes, vectors->budget_bytes);
}

static struct collection *least_recently_used(const struct vectors *vectors)
{
    struct collection *found = NULL;
    for (size_t i = 0; i < COLLECTION_SLOTS; i++) {
        for (struct collection *at = vectors->slots[i]; at; at = at->next) {
            if (collection_is_idle(at) && (!found || at->used_at < found->used_at))
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
        measure_add(MEASURE_CACHE_DROPS, 0, 1);
    }
    return true;
}

// Ids have any length; how long they are is known where the rows are there.
enum soma_code vectors_admit(struct vectors *vectors, const struct collection_row *row,
                             struct soma_error *err)
{
    size_t bytes = rows_estimate(vectors, row);
    pthread_mutex_lock(&vectors->lock);
    const struct collection *collection = collection_find(vectors, row->uid);
    size_t ids = collection && collection->state == COLLECTION_LOADED
                     ? atomic_load(&collection->rows->id_bytes)
                     : 0;
    pthread_mutex_unlock(&vectors->lock);
    size_t short_ids = (size_t)row->record_count * ROW_ID_BYTES;
    if (ids > short_ids && bytes < SIZE_MAX - ids)
        bytes += ids - short_ids;
    return bytes > vectors->budget_bytes ? vectors_over_budget(vectors, bytes, err) : SOMA_OK;
}

// --- readers

// One that is in memory; lock held.
static void collection_use(struct collection *collection)
{
    collection->user_count++;
    measure_add(MEASURE_CACHE_READS, COLLECTION_FROM_MEMORY, 1);
}

// Whose loading failed; lock held.
static void give_back_unloaded(struct vectors *vectors, struct collection *collection)
{
    if (collection->is_dropped) {
        collection_let_go(vectors, collection);
        return;
    }
    collection->user_count--;
    collection_remove(vectors, collection);
}

// The collection, loaded or being loaded by somebody else is waited for; lock held.
static enum soma_code use_or_load(struct vectors *vectors, const char *uid,
                                  struct mono_time deadline, struct collection **ret_collection,
                                  bool *ret_is_retry, struct soma_error *err)
{
    for (;;) {
        struct collection *collection = collection_find(vectors, uid);
        if (!collection)
            collection = collection_add(vectors, uid);
        if (!collection)
            return error_set_no_memory(err);
        if (collection->state == COLLECTION_LOADED) {
            collection_use(collection);
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
                *ret_is_retry = collection->fell_behind;
                give_back_unloaded(vectors, collection);
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

// A loading that falls behind what is written meanwhile begins anew.
static enum soma_code use_loaded(struct vectors *vectors, const char *uid,
                                 struct mono_time deadline, struct collection **ret_collection,
                                 struct soma_error *err)
{
    for (;;) {
        bool is_retry = false;
        enum soma_code code = use_or_load(vectors, uid, deadline, ret_collection, &is_retry, err);
        if (!code || !is_retry || clock_left_ms(deadline) == 0)
            return code;
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
        collection_use(collection);
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
    indexer_note_reader_gone(vectors, reader->collection);
    collection_unuse(vectors, reader->collection);
    pthread_mutex_unlock(&vectors->lock);
}

struct filter_index *collection_reader_filters(const struct collection_reader *reader)
{
    return reader->collection->filters;
}

const struct spread *vectors_spread(const struct vectors *vectors)
{
    return &vectors->spread;
}

size_t vectors_spare_bytes(struct vectors *vectors)
{
    pthread_mutex_lock(&vectors->lock);
    size_t used = vectors_used_bytes(vectors);
    pthread_mutex_unlock(&vectors->lock);
    return used < vectors->budget_bytes ? vectors->budget_bytes - used : 0;
}

// --- what there is

int64_t vectors_memory_bytes(struct vectors *vectors, const char *uid)
{
    pthread_mutex_lock(&vectors->lock);
    const struct collection *collection = collection_find(vectors, uid);
    size_t bytes =
        collection && collection->state == COLLECTION_LOADED ? collection_bytes(collection) : 0;
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

void vectors_index_state(struct vectors *vectors, const char *uid, struct index_state *ret_state)
{
    *ret_state = (struct index_state){.kind = "exact"};
    pthread_mutex_lock(&vectors->lock);
    struct collection *collection = collection_find(vectors, uid);
    if (collection && collection->state == COLLECTION_LOADED) {
        struct graph *graph;
        struct row_set *set = rows_take(collection->rows, &graph);
        if (graph) {
            ret_state->kind = "hnsw";
            ret_state->rows_waiting = (int64_t)row_set_waiting_count(set);
            ret_state->rows_indexed = (int64_t)atomic_load(&graph->live_count);
            ret_state->bytes = (int64_t)atomic_load(&graph->bytes);
            ret_state->rows_per_second = collection->rows_per_second;
        }
        ret_state->file_sequence = collection->file_sequence;
        row_set_release(set);
        graph_release(graph);
    }
    pthread_mutex_unlock(&vectors->lock);
}
