// The values of one metadata key, each with the records that hold it: up to a few record numbers in
// place, more as a compressed bitmap (CRoaring; Lemire et al., "Roaring Bitmaps: Implementation of
// an Optimized Software Library", 2018). Values that are equal in a filter are one value here.
//
// Record numbers are those within the partition. Not thread-safe: filter_index guards it.
#ifndef VECTORS_FILTER_VALUES_H
#define VECTORS_FILTER_VALUES_H

#include "vectors/filter_nodes.h"

struct roaring_bitmap_s;

enum {
    POSTING_FEW = 4
};

// The records that hold a value.
struct posting {
    struct metadata_value value; // canonical; a text stands behind the posting
    bool is_element;             // of lists; otherwise of fields that are none
    uint32_t count;
    struct roaring_bitmap_s *many; // NULL: count of few
    uint32_t few[POSTING_FEW];
};

struct filter_values {
    struct posting **slots; // hash table, a power of two in size
    size_t size, used;
    struct posting **ordered; // those that have an order: sorted, but for the newest
    size_t ordered_count, sorted_count, ordered_room;
    size_t empty_count; // postings without records
    size_t bytes;       // of memory, rather too much than too little
};

void filter_values_init(struct filter_values *values);
void filter_values_fini(struct filter_values *values);

// The record holds the field from now on, or no longer. Doing it twice does no harm. False: out of
// memory, the values are incomplete.
bool filter_values_add(struct filter_values *values, struct metadata_item item, uint32_t record);
// One value, as if of a field that is no list.
bool filter_values_add_value(struct filter_values *values, struct metadata_value value,
                             uint32_t record);
void filter_values_remove(struct filter_values *values, struct metadata_item item, uint32_t record);

// Sorts what is new, if that is much; after additions. False: out of memory, nothing is lost.
bool filter_values_settle(struct filter_values *values);

// Sets the bits of the records that pass the leaf's test, as if it were not negated.
void filter_values_collect(const struct filter_values *values, const struct filter_node *leaf,
                           uint64_t *bits);
// At most how many those are; looks at no record.
uint64_t filter_values_estimate(const struct filter_values *values, const struct filter_node *leaf);

#endif
