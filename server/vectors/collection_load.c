// Bringing a collection into memory while the writer goes on.
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "measures/measures.h"
#include "store/records.h"
#include "vectors/collection_private.h"
#include "vectors/collection_replay.h"
#include "vectors/index/graph.h"
#include "vectors/index_files.h"
#include "vectors/indexer.h"

enum {
    CATCH_UP_ROUNDS = 32
};

// --- changes that come meanwhile

static char *put(char *at, const void *bytes, size_t length)
{
    return (char *)memcpy(at, bytes, length) + length;
}

bool pending_add(const struct vectors *vectors, struct collection *collection,
                 const struct row_changes *changes)
{
    size_t vector_bytes = changes->dim * sizeof(float);
    size_t bytes = sizeof(struct pending_change);
    for (size_t i = 0; i < changes->count; i++) {
        bytes += sizeof(struct row_change) + strlen(changes->changes[i].id) + 1;
        bytes += changes->changes[i].vector ? vector_bytes : 0;
    }
    if (collection->pending_bytes + bytes > vectors->budget_bytes)
        return false;
    struct pending_change *pending = malloc(bytes);
    if (!pending)
        return false;
    // The rows first, then all vectors, which want the alignment, then all ids.
    struct row_change *rows = (struct row_change *)(pending + 1);
    char *at = (char *)(rows + changes->count);
    for (size_t i = 0; i < changes->count; i++) {
        const float *vector = changes->changes[i].vector;
        rows[i] = (struct row_change){.num = changes->changes[i].num};
        if (vector) {
            rows[i].vector = (const float *)(const void *)at;
            at = put(at, vector, vector_bytes);
        }
    }
    for (size_t i = 0; i < changes->count; i++) {
        rows[i].id = at;
        at = put(at, changes->changes[i].id, strlen(changes->changes[i].id) + 1);
    }
    pending->next = NULL;
    pending->changes = *changes;
    pending->changes.changes = rows;
    pending->changes.metadata_changes = NULL; // what is loaded has no bitmaps yet
    pending->changes.metadata_count = 0;
    collection->pending_bytes += bytes;
    *collection->pending_end = pending;
    collection->pending_end = &pending->next;
    return true;
}

void pending_free(struct pending_change *pending)
{
    while (pending) {
        struct pending_change *next = pending->next;
        free(pending);
        pending = next;
    }
}

static struct pending_change *pending_take(struct collection *collection)
{
    struct pending_change *taken = collection->pending;
    collection->pending = NULL;
    collection->pending_end = &collection->pending;
    return taken;
}

// --- loading

struct load {
    struct vectors *vectors;
    struct collection *collection;
    struct collection_row row;
    struct rows *rows;
    size_t reserved_bytes;
    size_t dead_nodes;
    int64_t file_sequence;
    bool no_memory, is_over, is_from_file;
    bool was_cleared; // meanwhile
};

static enum soma_code reserve(struct load *load, struct soma_error *err)
{
    struct vectors *vectors = load->vectors;
    size_t bytes = rows_estimate(vectors, &load->row);
    pthread_mutex_lock(&vectors->lock);
    bool fits = vectors_make_room(vectors, bytes);
    if (fits) {
        vectors->reserved_bytes += bytes;
        load->reserved_bytes = bytes;
    }
    pthread_mutex_unlock(&vectors->lock);
    return fits ? SOMA_OK : vectors_over_budget(vectors, bytes, err);
}

// Long ids take more than was reserved.
static bool reserve_more(struct load *load)
{
    struct vectors *vectors = load->vectors;
    size_t taken = rows_all_bytes(load->rows);
    if (taken <= load->reserved_bytes + SLACK_BYTES)
        return true;
    size_t more = taken - load->reserved_bytes;
    pthread_mutex_lock(&vectors->lock);
    bool fits = vectors_make_room(vectors, more);
    if (fits) {
        vectors->reserved_bytes += more;
        load->reserved_bytes += more;
    }
    pthread_mutex_unlock(&vectors->lock);
    return fits;
}

static bool add_row(void *context, const struct record_row *row)
{
    struct load *load = context;
    load->no_memory = !rows_put(load->rows, row->num, row->id, row->embedding, load->row.sequence);
    load->is_over = !load->no_memory && !reserve_more(load);
    return !load->no_memory && !load->is_over;
}

static enum soma_code read_from_store(struct load *load, struct store_txn *txn,
                                      struct soma_error *err)
{
    load->rows = rows_new(load->row.dimension, load->row.metric == METRIC_COSINE,
                          (size_t)load->row.record_count);
    if (!load->rows)
        return error_set_no_memory(err);
    load->rows->directory = vectors_directory(load->vectors, &load->row.index);
    enum soma_code code =
        records_scan_embeddings(txn, load->row.partition, load->row.dimension, add_row, load, err);
    if (!code && load->is_over)
        return vectors_over_budget(load->vectors, rows_all_bytes(load->rows), err);
    return !code && load->no_memory ? error_set_no_memory(err) : code;
}

// From the index's file and what was written since; false: it is of no use.
static bool read_from_file(struct load *load, struct store_txn *txn)
{
    int64_t sequence = 0;
    load->rows = index_file_load(load->vectors, load->collection, &load->row, &sequence);
    if (!load->rows)
        return false;
    load->file_sequence = sequence;
    if (collection_replay(load->rows, sequence, txn, &load->row, NULL) == SOMA_OK &&
        rows_living_count(load->rows) == (size_t)load->row.record_count)
        return true;
    log_warning("VECTORS-INDEX", "the index of collection %s does not lead to the database's state",
                load->collection->uid);
    rows_free(load->rows);
    load->rows = NULL;
    index_file_remove(load->vectors, load->collection->uid);
    return false;
}

static void take_settings(struct load *load)
{
    struct collection *collection = load->collection;
    if (load->vectors->flat_rows)
        load->row.index.flat_rows = load->vectors->flat_rows;
    collection->settings = load->row.index;
    collection->metric = (enum metric)load->row.metric;
}

static enum soma_code read_rows(struct load *load, struct store_txn *txn, struct soma_error *err)
{
    struct arena arena;
    arena_init(&arena, 4 << 20); // for the collection's metadata
    enum soma_code code = collections_get(txn, load->collection->uid, &arena, &load->row, err);
    arena_fini(&arena);
    if (!code) {
        take_settings(load);
        code = reserve(load, err);
    }
    if (code)
        return code;
    load->is_from_file = read_from_file(load, txn);
    if (!load->is_from_file)
        code = read_from_store(load, txn, err);
    if (code)
        return code;
    // A file's graph holds nodes whose rows nobody saw any more.
    if (load->rows->graph)
        load->dead_nodes = graph_dead_count(load->rows->graph, 0);
    load->rows->expected_count = 0; // all are there, and chunks grow with what lives
    indexer_make_graph(load->collection, load->rows);
    return SOMA_OK;
}

static void apply_pending(struct load *load, const struct pending_change *pending,
                          int64_t *sequence)
{
    for (const struct pending_change *at = pending; at; at = at->next) {
        if (at->changes.sequence <= *sequence)
            continue;
        row_changes_apply(load->rows, &at->changes, &load->no_memory);
        *sequence = at->changes.sequence;
        if (at->changes.is_clear) {
            load->row.partition = at->changes.partition;
            load->was_cleared = true;
        }
    }
}

// Applies what came during the loading until there is nothing more, and then, in the same hold of
// the lock, hands the rows to the writer. A writer that is always faster is held up in the end.
static enum soma_code catch_up(struct load *load, struct soma_error *err)
{
    struct vectors *vectors = load->vectors;
    struct collection *collection = load->collection;
    int64_t sequence = load->row.sequence;
    struct pending_change *pending;
    pthread_mutex_lock(&vectors->lock);
    for (int round = 0; !load->no_memory && (pending = pending_take(collection)); round++) {
        bool lets_go = round < CATCH_UP_ROUNDS;
        if (lets_go)
            pthread_mutex_unlock(&vectors->lock);
        apply_pending(load, pending, &sequence);
        pending_free(pending);
        if (lets_go)
            pthread_mutex_lock(&vectors->lock);
    }
    if (load->no_memory) {
        pthread_mutex_unlock(&vectors->lock);
        return error_set_no_memory(err);
    }
    bool is_dropped = collection->is_dropped, fell_behind = collection->fell_behind;
    vectors->reserved_bytes -= load->reserved_bytes;
    load->reserved_bytes = 0;
    if (!is_dropped) {
        collection->rows = load->rows;
        collection->published = sequence;
        collection->partition = load->row.partition;
        collection->is_outdated = load->was_cleared;
        collection->pending_bytes = 0;
        collection->state = COLLECTION_LOADED;
        collection->file_sequence = load->file_sequence;
        collection->changed = row_set_waiting_count(load->rows->set);
        indexer_note(vectors, collection, load->rows->killed_count + load->dead_nodes);
    }
    pthread_mutex_unlock(&vectors->lock);
    if (fell_behind)
        return error_set(
            err, REASON_DEADLINE_EXCEEDED, "collection",
            "more is written than memory can keep aside while the collection is loaded");
    return is_dropped ? error_set(err, REASON_COLLECTION_NOT_FOUND, "collection",
                                  "the collection was deleted meanwhile")
                      : SOMA_OK;
}

enum soma_code collection_load(struct vectors *vectors, struct collection *collection,
                               struct soma_error *err)
{
    struct load load = {.vectors = vectors, .collection = collection};
    struct store_txn *txn;
    int64_t begun_us = clock_mono_us();
    enum soma_code code = store_read_begin(vectors->store, &txn, err);
    if (!code) {
        code = read_rows(&load, txn, err);
        store_read_end(txn);
    }
    if (!code)
        code = catch_up(&load, err);
    if (code) {
        rows_free(load.rows);
    } else {
        measure_observe(MEASURE_CACHE_LOADS, clock_mono_us() - begun_us);
        measure_add(MEASURE_CACHE_READS,
                    load.is_from_file ? COLLECTION_FROM_FILE : COLLECTION_FROM_DATABASE, 1);
    }
    pthread_mutex_lock(&vectors->lock);
    vectors->reserved_bytes -= load.reserved_bytes;
    pthread_cond_broadcast(&vectors->changed);
    pthread_mutex_unlock(&vectors->lock);
    return code;
}
