// A collection's embeddings in memory: rows of float32 in chunks, each row with the sequence at
// which it was born and the one at which it died. A row that is alive at sequence S:
// born <= S < dead.
//
// One thread at a time changes them (the writer, or the loader before anybody looks), any number
// read. A chunk's rows never move and its arrays never grow, so readers need no lock: they hold a
// row_set, an immutable list of chunks. Only the tail chunk gets rows; what comes after the set was
// taken was born later than its reader's sequence. Compaction puts new chunks in the place of
// sparse ones and publishes a new set.
#ifndef VECTORS_ROWS_H
#define VECTORS_ROWS_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vectors/row_map.h"

struct file_map;
struct graph;
struct text_block;

enum {
    ROW_ALIGNMENT = 64,
    // What a row takes beside its vector: its head, a short id and its place in the map.
    ROW_OVERHEAD_BYTES = 112,
    ROW_ID_BYTES = 24 // of these for an id
};

// Values of row.node that are no node of the graph.
#define ROW_WAITING UINT32_MAX       // not yet indexed: searched exactly
#define ROW_UNFIT   (UINT32_MAX - 1) // never indexed, as its numbers are too large for codes: exactly
#define ROW_PASSED  (UINT32_MAX - 2) // died before it was indexed

struct row {
    int64_t num; // the record's number
    int64_t born;
    _Atomic int64_t dead; // INT64_MAX: alive
    const char *id;       // in the chunk's texts
    const float *vector;  // float[dim], in the chunk
    _Atomic uint32_t node;
};

// Rows as they lie in a mapped file.
struct mapped_rows {
    struct file_map *map;
    size_t count;
    int64_t sequence;        // at which they count as born
    const int64_t *nums;     // [count]
    const uint64_t *id_ends; // [count]: where the id ends in ids, behind its NUL
    const char *ids;
    size_t id_bytes;
    const float *vectors; // float[count][dim]
};

struct row_chunk {
    atomic_uint refs;
    uint32_t capacity;
    atomic_uint count;        // rows there are; those below never change but for `dead` and `node`
    atomic_uint claimed;      // rows that the graph's builders have taken, from the first on
    atomic_uint settled;      // rows whose node is no longer ROW_WAITING, and noted (numbers.h)
    atomic_uint alone;        // of these, ROW_UNFIT
    uint32_t dead_count;      // the changer's
    int64_t last_dead;        // the changer's: the latest `dead`
    struct file_map *map;     // owned reference; NULL: vectors and texts are the chunk's own
    float *vectors;           // float[capacity][dim]
    size_t file_bytes;        // of vectors, where they are an unnamed file's; else 0
    struct row *rows;         // [capacity]
    struct text_block *texts; // newest first
    size_t bytes;             // of all of this that is memory's
};

// A set holds the one that came after it, so that a row which the graph points to, and which may
// have moved meanwhile, stays as long as the reader.
struct row_set {
    atomic_uint refs;
    struct row_set *newer; // owned reference; NULL: this is the latest
    uint32_t count;
    struct row_chunk *chunks[]; // owned references; NULL: an empty place
};

struct rows {
    uint32_t dim;
    bool is_normalised;    // rows are kept with length 1
    const char *directory; // borrowed: vectors are in files there; NULL: in memory
    size_t expected_count; // of a loading that goes on; else 0
    pthread_mutex_t lock;  // guards `set` and `graph` for who takes them; the changer reads freely
    struct row_set *set;
    struct graph *graph;    // owned reference; NULL: there is none, and all is searched exactly
    uint32_t tail;          // place of the chunk that gets rows; UINT32_MAX: none
    struct row_map map;     // the changer's
    atomic_size_t bytes;    // of memory; readable from any thread
    atomic_size_t id_bytes; // of living rows
    size_t killed_count;    // rows that ever died; the changer's
};

// expected_count sizes the first chunks. NULL: out of memory.
struct rows *rows_new(uint32_t dim, bool is_normalised, size_t expected_count);
// Readers may still hold sets. Takes NULL.
void rows_free(struct rows *rows);

// Fills rows that are empty; the mapping stays as long as one of the rows. False: out of memory, or
// ids do not end where they should; nothing is changed.
bool rows_adopt(struct rows *rows, const struct mapped_rows *mapped);

// Adds a row, and lets the record's row before it die at the same sequence. vector may be
// unaligned. False: out of memory, nothing is changed.
bool rows_put(struct rows *rows, int64_t num, const char *id, const void *vector, int64_t sequence);
// Lets the record's row die; harmless where there is none.
void rows_kill(struct rows *rows, int64_t num, int64_t sequence);
void rows_kill_all(struct rows *rows, int64_t sequence);

// Copies living rows out of sparse chunks, a bounded number a call; rows that died at or before
// floor are dropped. Out of memory: it is left for later.
void rows_compact(struct rows *rows, int64_t floor);

size_t rows_living_count(const struct rows *rows);
// With the graph; from any thread.
size_t rows_all_bytes(struct rows *rows);
// Rows that are not in the graph, and of which it is not known that they never will be.
size_t row_set_waiting_count(const struct row_set *set);

// A reference to the chunks of now; given back by row_set_release (which takes NULL).
struct row_set *rows_take_set(struct rows *rows);
void row_set_release(struct row_set *set);
// The same with the graph over them, given back by graph_release.
struct row_set *rows_take(struct rows *rows, struct graph **ret_graph);
// The changer's; takes the reference. NULL: everything is searched exactly from now on.
void rows_set_graph(struct rows *rows, struct graph *graph);

static inline bool row_is_alive(const struct row *row, int64_t sequence)
{
    return row->born <= sequence &&
           sequence < atomic_load_explicit(&row->dead, memory_order_relaxed);
}

#endif
