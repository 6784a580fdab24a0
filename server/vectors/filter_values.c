#include "vectors/filter_values.h"

#include <roaring/roaring.h>
#include <stdlib.h>
#include <string.h>

#include "vectors/metadata_order.h"

enum {
    SLOTS_MIN = 64,
    UNSORTED_MIN = 1024,      // newest values that a range test looks through one by one
    ROARING_BYTES = 128,      // of an empty bitmap with its first container
    RECORD_BYTES_IN_MANY = 2, // at most, of one record in a bitmap
};

void filter_values_init(struct filter_values *values)
{
    *values = (struct filter_values){.bytes = sizeof *values};
}

static void posting_free(struct posting *posting)
{
    if (posting->many)
        roaring_bitmap_free(posting->many);
    free(posting);
}

void filter_values_fini(struct filter_values *values)
{
    for (size_t i = 0; i < values->size; i++) {
        if (values->slots[i])
            posting_free(values->slots[i]);
    }
    free(values->slots);
    free(values->ordered);
    *values = (struct filter_values){0};
}

// --- the table

static uint64_t hash_bytes(uint64_t hash, const void *bytes, size_t length)
{
    const unsigned char *at = bytes;
    for (size_t i = 0; i < length; i++)
        hash = (hash ^ at[i]) * 1099511628211u; // FNV-1a
    return hash;
}

static size_t home_of(const struct filter_values *values, const struct metadata_value *value,
                      bool is_element)
{
    uint64_t hash = 14695981039346656037u ^ ((uint64_t)value->type << 1 | is_element);
    if (value->type == METADATA_STRING)
        hash = hash_bytes(hash, value->text, value->text_length);
    else if (value->type == METADATA_BOOL)
        hash = hash_bytes(hash, &(uint8_t){value->truth}, 1);
    else
        hash = hash_bytes(hash, &value->integer, sizeof value->integer); // or the double's bits
    return (size_t)(hash ^ hash >> 32) & (values->size - 1);
}

static struct posting **slot_of(const struct filter_values *values,
                                const struct metadata_value *value, bool is_element)
{
    size_t at = home_of(values, value, is_element);
    while (values->slots[at] && (values->slots[at]->is_element != is_element ||
                                 values->slots[at]->value.type != value->type ||
                                 metadata_compare(&values->slots[at]->value, value) != ORDER_EQUAL))
        at = (at + 1) & (values->size - 1);
    return &values->slots[at];
}

static struct posting *posting_find(const struct filter_values *values, struct metadata_value value,
                                    bool is_element)
{
    struct metadata_value canonical = metadata_canonical(value);
    return values->size ? *slot_of(values, &canonical, is_element) : NULL;
}

static bool slots_reserve(struct filter_values *values)
{
    if (values->used + 1 <= values->size / 4 * 3)
        return true;
    size_t size = values->size ? values->size * 2 : SLOTS_MIN;
    struct filter_values grown = {.size = size, .slots = calloc(size, sizeof *grown.slots)};
    if (!grown.slots)
        return false;
    for (size_t i = 0; i < values->size; i++) {
        struct posting *posting = values->slots[i];
        if (posting)
            *slot_of(&grown, &posting->value, posting->is_element) = posting;
    }
    values->bytes += (size - values->size) * sizeof *values->slots;
    free(values->slots);
    values->slots = grown.slots;
    values->size = size;
    return true;
}

static bool ordered_reserve(struct filter_values *values)
{
    if (values->ordered_count < values->ordered_room)
        return true;
    size_t room = values->ordered_room ? values->ordered_room * 2 : SLOTS_MIN;
    struct posting **grown = realloc(values->ordered, room * sizeof *grown);
    if (!grown)
        return false;
    values->bytes += (room - values->ordered_room) * sizeof *grown;
    values->ordered = grown;
    values->ordered_room = room;
    return true;
}

// The value's posting, made where there is none; NULL: out of memory.
static struct posting *posting_make(struct filter_values *values, struct metadata_value value,
                                    bool is_element)
{
    struct posting *posting = posting_find(values, value, is_element);
    if (posting)
        return posting;
    if (!slots_reserve(values) || !ordered_reserve(values))
        return NULL;
    struct metadata_value canonical = metadata_canonical(value);
    size_t text_bytes = canonical.type == METADATA_STRING ? canonical.text_length + 1 : 0;
    posting = calloc(1, sizeof *posting + text_bytes);
    if (!posting)
        return NULL;
    posting->value = canonical;
    posting->is_element = is_element;
    if (text_bytes)
        posting->value.text = memcpy(posting + 1, canonical.text, canonical.text_length);
    *slot_of(values, &canonical, is_element) = posting;
    values->used++;
    values->empty_count++;
    values->bytes += sizeof *posting + text_bytes;
    if (!is_element && canonical.type != METADATA_BOOL)
        values->ordered[values->ordered_count++] = posting;
    return posting;
}

// --- records

static uint32_t *few_find(struct posting *posting, uint32_t record)
{
    for (uint32_t i = 0; i < posting->count; i++) {
        if (posting->few[i] == record)
            return &posting->few[i];
    }
    return NULL;
}

static bool posting_put(struct filter_values *values, struct posting *posting, uint32_t record)
{
    if (!posting->many && few_find(posting, record))
        return true;
    if (!posting->many && posting->count == POSTING_FEW) {
        posting->many = roaring_bitmap_of_ptr(POSTING_FEW, posting->few);
        if (!posting->many)
            return false;
        values->bytes += ROARING_BYTES;
    }
    if (posting->many && !roaring_bitmap_add_checked(posting->many, record))
        return true;
    if (posting->many)
        values->bytes += RECORD_BYTES_IN_MANY;
    else
        posting->few[posting->count] = record;
    values->empty_count -= posting->count == 0;
    posting->count++;
    return true;
}

static void posting_take(struct filter_values *values, struct posting *posting, uint32_t record)
{
    uint32_t *few = posting->many ? NULL : few_find(posting, record);
    bool was_there =
        posting->many ? roaring_bitmap_remove_checked(posting->many, record) : few != NULL;
    if (!was_there)
        return;
    posting->count--;
    values->empty_count += posting->count == 0;
    if (posting->many)
        values->bytes -= RECORD_BYTES_IN_MANY;
    else
        *few = posting->few[posting->count];
}

bool filter_values_add(struct filter_values *values, struct metadata_item item, uint32_t record)
{
    bool is_element = metadata_type_is_list(item.type);
    struct metadata_value value;
    while (metadata_value_next(&item, &value)) {
        struct posting *posting = posting_make(values, value, is_element);
        if (!posting || !posting_put(values, posting, record))
            return false;
    }
    return true;
}

bool filter_values_add_value(struct filter_values *values, struct metadata_value value,
                             uint32_t record)
{
    struct posting *posting = posting_make(values, value, false);
    return posting && posting_put(values, posting, record);
}

void filter_values_remove(struct filter_values *values, struct metadata_item item, uint32_t record)
{
    bool is_element = metadata_type_is_list(item.type);
    struct metadata_value value;
    while (metadata_value_next(&item, &value)) {
        struct posting *posting = posting_find(values, value, is_element);
        if (posting)
            posting_take(values, posting, record);
    }
}

// --- order

static int compare_postings(const void *a, const void *b)
{
    const struct posting *const *left = a, *const *right = b;
    return metadata_sort(&(*left)->value, &(*right)->value);
}

static size_t merge_sorted(struct posting *const *a, size_t a_count, struct posting *const *b,
                           size_t b_count, struct posting **ret_merged)
{
    size_t at = 0, i = 0, j = 0;
    while (i < a_count || j < b_count) {
        bool is_left = j == b_count || (i < a_count && compare_postings(&a[i], &b[j]) <= 0);
        ret_merged[at++] = is_left ? a[i++] : b[j++];
    }
    return at;
}

bool filter_values_settle(struct filter_values *values)
{
    size_t fresh = values->ordered_count - values->sorted_count;
    if (fresh <= UNSORTED_MIN || fresh <= values->sorted_count / 8)
        return true;
    struct posting **merged = malloc(values->ordered_room * sizeof *merged);
    if (!merged)
        return false;
    struct posting **newest = values->ordered + values->sorted_count;
    qsort(newest, fresh, sizeof *newest, compare_postings);
    values->sorted_count =
        merge_sorted(values->ordered, values->sorted_count, newest, fresh, merged);
    free(values->ordered);
    values->ordered = merged;
    return true;
}

// Where the first value stands that is not before this one (is_after: that is after it).
static size_t find_bound(const struct filter_values *values, const struct metadata_value *value,
                         bool is_after)
{
    size_t from = 0, to = values->sorted_count;
    while (from < to) {
        size_t middle = from + (to - from) / 2;
        int sign = metadata_sort(&values->ordered[middle]->value, value);
        if (sign < 0 || (is_after && sign == 0))
            from = middle + 1;
        else
            to = middle;
    }
    return from;
}

// --- tests

typedef void posting_visit(const struct posting *posting, void *context);

static void visit_equal(const struct filter_values *values, const struct filter_node *leaf,
                        posting_visit *visit, void *context)
{
    for (size_t i = 0; i < leaf->value_count; i++) {
        const struct posting *posting =
            posting_find(values, leaf->values[i], leaf->test == FILTER_CONTAINS);
        if (posting)
            visit(posting, context);
    }
}

// The sorted values that pass stand together; they end where the class of the value does.
static void visit_range(const struct filter_values *values, const struct filter_node *leaf,
                        posting_visit *visit, void *context)
{
    struct metadata_value value = metadata_canonical(leaf->values[0]);
    size_t from = 0, to = values->sorted_count;
    if (leaf->test == FILTER_LESS || leaf->test == FILTER_LESS_OR_EQUAL)
        to = find_bound(values, &value, leaf->test == FILTER_LESS_OR_EQUAL);
    else
        from = find_bound(values, &value, leaf->test == FILTER_GREATER);
    struct metadata_value first_text = {.type = METADATA_STRING, .text = ""};
    size_t texts = find_bound(values, &first_text, false);
    if (value.type == METADATA_STRING)
        from = from < texts ? texts : from;
    else
        to = to > texts ? texts : to;
    for (size_t i = from; i < to; i++)
        visit(values->ordered[i], context);
    for (size_t i = values->sorted_count; i < values->ordered_count; i++) {
        if (filter_value_passes(&values->ordered[i]->value, leaf))
            visit(values->ordered[i], context);
    }
}

static void visit_passing(const struct filter_values *values, const struct filter_node *leaf,
                          posting_visit *visit, void *context)
{
    if (leaf->test == FILTER_IN || leaf->test == FILTER_CONTAINS)
        visit_equal(values, leaf, visit, context);
    else
        visit_range(values, leaf, visit, context);
}

static bool set_bit(uint32_t record, void *bits)
{
    ((uint64_t *)bits)[record / 64] |= (uint64_t)1 << record % 64;
    return true;
}

static void collect_posting(const struct posting *posting, void *bits)
{
    if (posting->many)
        roaring_iterate(posting->many, set_bit, bits);
    for (uint32_t i = 0; !posting->many && i < posting->count; i++)
        set_bit(posting->few[i], bits);
}

void filter_values_collect(const struct filter_values *values, const struct filter_node *leaf,
                           uint64_t *bits)
{
    visit_passing(values, leaf, collect_posting, bits);
}

static void add_count(const struct posting *posting, void *sum)
{
    *(uint64_t *)sum += posting->count;
}

uint64_t filter_values_estimate(const struct filter_values *values, const struct filter_node *leaf)
{
    uint64_t sum = 0;
    visit_passing(values, leaf, add_count, &sum);
    return sum;
}
