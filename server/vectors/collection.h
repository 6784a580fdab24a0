// The collections' memory: embeddings of those that are searched, loaded from the store on first
// use, within a budget.
//
// A cache: the store is the truth, and memory can be dropped at any time. The writer thread makes
// every change after its commit (vectors_publish, vectors_drop), in the order of the commits, so a
// loaded collection's memory runs through the same sequences as the database. A reader
//     1. begins here: the collection is loaded, and rows that die from now on stay;
//     2. begins a read transaction and takes the collection's sequence S from it;
//     3. waits here until memory has published S, and gets the rows;
// and searches the rows that are alive at S: exactly the state of its transaction.
//
// While a collection is being loaded, changes are kept aside and replayed at the end. One lock
// guards the table and is held only for bookkeeping, never across SQL or copying.
#ifndef VECTORS_COLLECTION_H
#define VECTORS_COLLECTION_H

#include "base/clock.h"
#include "store/collections.h"
#include "store/store.h"
#include "vectors/index.h"

struct vectors;
struct collection;
struct filter_index;

struct vectors_options {
    size_t budget_bytes;   // bounds the memory of all collections together
    unsigned indexers;     // threads that keep graphs up; 0: none, and all is searched exactly
    const char *directory; // for the indexes' files; NULL: none are kept
    uint32_t flat_rows;    // collections with fewer rows get no graph; 0: what they say themselves
    struct spread spread;  // who helps with many queries in one call; all 0: nobody
};

// store is borrowed.
enum soma_code vectors_open(struct store *store, const struct vectors_options *options,
                            struct vectors **ret_vectors, struct soma_error *err);
// No reader is left and no writer runs. Takes NULL.
void vectors_close(struct vectors *vectors);

// Where a read found its collection: the series of MEASURE_CACHE_READS.
enum collection_source {
    COLLECTION_FROM_MEMORY,
    COLLECTION_FROM_FILE,
    COLLECTION_FROM_DATABASE,
    COLLECTION_SOURCES,
};

// A reader's hold on a collection; on the stack.
struct collection_reader {
    struct vectors *vectors;
    struct collection *collection;
    int64_t floor; // rows that died after it stay
    struct index_view view;
    struct collection_reader *next; // of the same collection, under the lock
};

// Loads the collection if it is not. COLLECTION_NOT_FOUND, MEMORY_BUDGET, OUT_OF_MEMORY,
// DEADLINE_EXCEEDED. After success collection_read_end is due, in any case.
enum soma_code collection_read_begin(struct vectors *vectors, const char *uid,
                                     struct mono_time deadline,
                                     struct collection_reader *ret_reader, struct soma_error *err);
// Only where it is loaded already; false: it is not, and nothing is due.
bool collection_read_begin_loaded(struct vectors *vectors, const char *uid,
                                  struct collection_reader *ret_reader);
// Waits until memory has reached the sequence, then leaves them in reader->view.
enum soma_code collection_read_at(struct collection_reader *reader, int64_t sequence,
                                  struct mono_time deadline, struct soma_error *err);
void collection_read_end(struct collection_reader *reader);
// The bitmaps over the collection's metadata, as long as the reader reads.
struct filter_index *collection_reader_filters(const struct collection_reader *reader);

// What a write did to one record, in memory's terms.
struct row_change {
    int64_t num;
    const char *id;
    const float *vector; // float[dim]; NULL: the record is gone
};

// The same in metadata's terms: before and after are empty where they are not there, or hold no
// field.
struct metadata_change {
    int64_t num;
    bool was_there, is_there;
    struct metadata before, after;
};

struct row_changes {
    char uid[ID_SIZE];
    uint32_t dim;
    int64_t sequence; // that the write made
    bool is_clear;    // all records are gone, and the collection has another
    int64_t partition;
    const struct row_change *changes;
    size_t count;
    // Each record at most once.
    const struct metadata_change *metadata_changes;
    size_t metadata_count;
    bool is_metadata_unknown; // too many to list
};

// On the writer thread, before the commit: would the collection with as many records as the row
// says fit into memory at all? MEMORY_BUDGET.
enum soma_code vectors_admit(struct vectors *vectors, const struct collection_row *row,
                             struct soma_error *err);
// On the writer thread, after the commit. Cannot fail: what finds no memory is dropped, and loaded
// again by the next reader.
void vectors_publish(struct vectors *vectors, const struct row_changes *changes);
// The collection was deleted; readers that hold it go on.
void vectors_drop(struct vectors *vectors, const char *uid);

const struct spread *vectors_spread(const struct vectors *vectors);

// What of the budget is not used.
size_t vectors_spare_bytes(struct vectors *vectors);
// What a collection takes now; 0: not loaded.
int64_t vectors_memory_bytes(struct vectors *vectors, const char *uid);
int64_t vectors_memory_bytes_all(struct vectors *vectors);

struct index_state {
    const char *kind;       // "exact" or "hnsw": how queries are answered
    int64_t rows_indexed;   // in the graph, those that died lately with them
    int64_t rows_waiting;   // searched exactly until the graph has them
    double rows_per_second; // that the graph takes in now
    int64_t bytes;          // of codes and links
    int64_t file_sequence;  // of the collection, when its file was written; 0: there is none
};

void vectors_index_state(struct vectors *vectors, const char *uid, struct index_state *ret_state);

#endif
