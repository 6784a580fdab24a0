// Records by filter alone: how many, which values of a key they hold, and in which order they come.
// Each in the transaction of a snapshot, with the bitmaps of a collection that is in memory.
#ifndef VECTORS_SELECTION_H
#define VECTORS_SELECTION_H

#include "vectors/query_filter.h"
#include "wire/limits.h"

// What is selected from; open until selection_close, and not to be moved.
struct selection {
    struct vectors *vectors;
    struct store_txn *txn;
    struct collection_row row;
    struct collection_reader reader;
    bool has_reader;
    bool is_filtered; // otherwise all records are meant, and matches is empty
    struct filter_matches matches;
};

struct selection_request {
    const char *collection; // name or uid
    const struct filter *filter;
    struct document_filter *documents;
    int64_t min_sequence;
    struct mono_time deadline;
};

// COLLECTION_NOT_FOUND, SEQUENCE_AHEAD, DEADLINE_EXCEEDED, FILTER_TOO_COSTLY. Nothing is open after
// an error.
enum soma_code selection_open(struct store *store, struct vectors *vectors,
                              const struct selection_request *request, struct arena *arena,
                              struct selection *ret_selection, struct soma_error *err);
void selection_close(struct selection *selection);

int64_t selection_count(const struct selection *selection);
static inline bool selection_has(const struct selection *selection, int64_t num)
{
    return !selection->is_filtered || num_set_has(&selection->matches.set, num);
}

// --- facets

struct facet {
    struct metadata_value value; // the text is in the arena
    int64_t count;
};

struct facets {
    struct facet *top; // [count], most frequent first, then in the order of values
    size_t count;
    size_t value_count; // different values there are
    int64_t without;    // records without the key
};

enum soma_code selection_facets(const struct selection *selection, const char *key, size_t limit,
                                struct mono_time deadline, struct arena *arena,
                                struct facets *ret_facets, struct soma_error *err);

// --- order

enum {
    ORDER_TEXT_BYTES = 256,                          // of a string that count in the order
    ORDER_CURSOR_BYTES = 1024 + 2 * ORDER_TEXT_BYTES // as text, with the NUL
};

// Where a record stands.
struct order_place {
    struct metadata_value value; // METADATA_REMOVE: it has none
    char text[ORDER_TEXT_BYTES]; // of value, cut
    char id[LIMIT_RECORD_ID_BYTES + 1];
    int64_t num;
};

struct order_request {
    const char *key; // "": by id
    bool is_descending;
    const struct order_place *after; // NULL: from the first
    size_t count;                    // places wanted
    struct mono_time deadline;
};

// The first places behind `after`, in order. ret_places has room for count; *ret_has_more.
enum soma_code selection_order(const struct selection *selection,
                               const struct order_request *request, struct order_place *ret_places,
                               size_t *ret_count, bool *ret_has_more, struct soma_error *err);

// A place as text and back; false: the text is none.
void order_place_print(const struct order_place *place, char ret_text[ORDER_CURSOR_BYTES]);
bool order_place_parse(const char *text, struct order_place *ret_place);

#endif
