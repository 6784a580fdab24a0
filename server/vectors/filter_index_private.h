// What the bitmaps of a collection are made of: for filter_index.c, filter_log.c and filter_find.c.
#ifndef VECTORS_FILTER_INDEX_PRIVATE_H
#define VECTORS_FILTER_INDEX_PRIVATE_H

#include <pthread.h>
#include <stdatomic.h>

#include "vectors/filter_index.h"
#include "vectors/filter_values.h"

// The records there are, one bit for each number given in the partition.
struct bit_field {
    uint64_t *words;
    size_t word_count;
};

// What one write changed: a copy, in one block with the metadata.
struct log_block {
    struct log_block *newer, *older;
    int64_t sequence;
    size_t count, bytes;
    struct metadata_change changes[];
};

struct key_index {
    char *key;
    size_t key_length;
    bool is_refused; // it took too much memory
    struct filter_values values;
};

struct filter_index {
    pthread_rwlock_t lock; // guards all but bytes
    int64_t base;          // answers can be given from this sequence on
    int64_t latest;        // sequence of the newest change
    struct key_index *keys[FILTER_INDEX_KEYS];
    size_t key_count;
    bool has_present;
    struct bit_field present;
    struct log_block *oldest, *newest;
    size_t log_bytes, log_max_bytes;
    atomic_size_t bytes;
};

// Grows it to hold the record. False: out of memory.
bool bit_field_reserve(struct bit_field *field, uint32_t record);
void bit_field_put(struct bit_field *field, uint32_t record, bool is_set);

uint32_t record_of(int64_t num);

struct key_index *key_index_find(const struct filter_index *index, const char *key, size_t length);
void key_index_free(struct key_index *key);
// False: out of memory, the key is incomplete.
bool key_index_change(struct key_index *key, const struct metadata_change *change);

// With the lock held for writing. The log: a copy of the changes at its end (false: no memory, or
// too much of it), its oldest part away, all of it away.
bool log_append(struct filter_index *index, const struct row_changes *changes);
void log_trim(struct filter_index *index, int64_t floor);
void log_clear(struct filter_index *index);

// Forgets everything; readers from the sequence on can be answered again. Lock held for writing.
void filter_index_reset(struct filter_index *index, int64_t sequence);
void filter_index_count_bytes(struct filter_index *index);

#endif
