#include "vectors/selection.h"

#include <stdlib.h>
#include <string.h>

#include "store/records.h"
#include "vectors/filter_values.h"
#include "vectors/metadata_order.h"
#include "vectors/query.h"

enum {
    ROWS_BETWEEN_CLOCKS = 4096
};

static enum soma_code find_matches(struct selection *selection,
                                   const struct selection_request *request, struct soma_error *err)
{
    const struct filter_search search = {.vectors = selection->vectors,
                                         .reader =
                                             selection->has_reader ? &selection->reader : NULL,
                                         .txn = selection->txn,
                                         .row = &selection->row,
                                         .filter = request->filter,
                                         .documents = request->documents,
                                         .deadline = request->deadline};
    const char *source;
    enum soma_code code = SOMA_OK;
    if (selection->has_reader)
        code =
            collection_read_at(&selection->reader, selection->row.sequence, request->deadline, err);
    return code ? code : filter_search_run(&search, &selection->matches, &source, err);
}

// The collection's uid as its namespace's callers may name it.
static enum soma_code name_by_uid(struct arena *arena, const struct collection_row *row,
                                  const char **ret_name, struct soma_error *err)
{
    char space[NAMESPACE_SIZE];
    namespace_of(row->name, space);
    *ret_name = namespace_join(arena, space, row->uid);
    return *ret_name ? SOMA_OK : error_set_no_memory(err);
}

enum soma_code selection_open(struct store *store, struct vectors *vectors,
                              const struct selection_request *request, struct arena *arena,
                              struct selection *ret_selection, struct soma_error *err)
{
    struct selection *selection = ret_selection;
    struct collection_row row;
    const char *name = request->collection;
    *selection = (struct selection){.vectors = vectors,
                                    .is_filtered = request->filter || request->documents};
    if (request->filter) {
        struct store_txn *txn;
        enum soma_code code =
            collection_snapshot(store, request->collection, 0, arena, &txn, &row, err);
        if (code)
            return code;
        store_read_end(txn);
        code = name_by_uid(arena, &row, &name, err);
        if (code)
            return code;
        selection->has_reader = collection_read_begin_loaded(vectors, row.uid, &selection->reader);
    }
    enum soma_code code = collection_snapshot(store, name, request->min_sequence, arena,
                                              &selection->txn, &selection->row, err);
    if (!code && selection->is_filtered)
        code = find_matches(selection, request, err);
    if (code)
        selection_close(selection);
    return code;
}

void selection_close(struct selection *selection)
{
    if (selection->txn)
        store_read_end(selection->txn);
    if (selection->has_reader)
        collection_read_end(&selection->reader);
    filter_matches_fini(&selection->matches);
    selection->txn = NULL;
    selection->has_reader = false;
}

int64_t selection_count(const struct selection *selection)
{
    return selection->is_filtered ? (int64_t)selection->matches.set.count
                                  : selection->row.record_count;
}

// --- facets

struct faceting {
    const struct selection *selection;
    const char *key;
    struct mono_time deadline;
    struct filter_values values;
    int64_t without;
    size_t seen;
    bool is_late, no_memory;
};

static bool add_record(void *context, const struct record_row *row)
{
    struct faceting *faceting = context;
    struct metadata_item item;
    if (++faceting->seen % ROWS_BETWEEN_CLOCKS == 0)
        faceting->is_late = clock_left_ms(faceting->deadline) == 0;
    if (!selection_has(faceting->selection, row->num))
        return !faceting->is_late;
    if (!metadata_find(row->metadata, faceting->key, strlen(faceting->key), &item)) {
        faceting->without++;
        return !faceting->is_late;
    }
    // A value counts once for a record, alone or in a list.
    struct metadata_value value;
    while (!faceting->no_memory && metadata_value_next(&item, &value))
        faceting->no_memory =
            !filter_values_add_value(&faceting->values, value, (uint32_t)faceting->seen);
    return !faceting->is_late && !faceting->no_memory;
}

static int compare_facets(const void *a, const void *b)
{
    const struct facet *left = a, *right = b;
    if (left->count != right->count)
        return left->count > right->count ? -1 : 1;
    return metadata_sort(&left->value, &right->value);
}

// The most frequent, with their texts copied.
static bool take_top(const struct filter_values *values, size_t limit, struct arena *arena,
                     struct facets *facets)
{
    struct facet *all = malloc((values->used + 1) * sizeof *all);
    if (!all)
        return false;
    for (size_t i = 0; i < values->size; i++) {
        if (values->slots[i])
            all[facets->value_count++] =
                (struct facet){values->slots[i]->value, values->slots[i]->count};
    }
    qsort(all, facets->value_count, sizeof *all, compare_facets);
    facets->count = facets->value_count < limit ? facets->value_count : limit;
    facets->top = arena_calloc(arena, facets->count + 1, sizeof *facets->top);
    bool is_done = facets->top != NULL;
    for (size_t i = 0; i < facets->count && is_done; i++) {
        facets->top[i] = all[i];
        if (all[i].value.type != METADATA_STRING)
            continue;
        facets->top[i].value.text = arena_copy(arena, all[i].value.text, all[i].value.text_length);
        is_done = facets->top[i].value.text != NULL;
    }
    free(all);
    return is_done;
}

enum soma_code selection_facets(const struct selection *selection, const char *key, size_t limit,
                                struct mono_time deadline, struct arena *arena,
                                struct facets *ret_facets, struct soma_error *err)
{
    struct faceting faceting = {.selection = selection, .key = key, .deadline = deadline};
    struct facets facets = {0};
    filter_values_init(&faceting.values);
    enum soma_code code =
        records_scan_metadata(selection->txn, selection->row.partition, add_record, &faceting, err);
    if (!code && faceting.is_late)
        code = error_set(err, REASON_DEADLINE_EXCEEDED, NULL,
                         "the deadline passed while values were counted");
    if (!code && (faceting.no_memory || !take_top(&faceting.values, limit, arena, &facets)))
        code = error_set_no_memory(err);
    filter_values_fini(&faceting.values);
    facets.without = faceting.without;
    if (!code)
        *ret_facets = facets;
    return code;
}
