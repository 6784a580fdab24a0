#include "vectors/index.h"

#include "vectors/index/graph.h"

enum {
    // Of so many rows one may be found: fewer, and comparing with each of them is cheaper than a
    // walk that passes through the others.
    MATCHES_ONE_IN = 8
};

// A walk through most of the graph would only be a slow way to look at everything.
static bool is_worth_a_walk(const struct index_view *view, const struct index_search *search)
{
    if (search->is_exact || !view->graph)
        return false;
    size_t nodes = atomic_load(&view->graph->live_count);
    size_t ef = search->ef ? search->ef : view->graph->settings.ef_search;
    return ef < nodes / 2 && (!search->only || search->only->count >= nodes / MATCHES_ONE_IN);
}

static bool has_waiting(const struct row_set *rows)
{
    for (uint32_t i = 0; i < rows->count; i++) {
        struct row_chunk *chunk = rows->chunks[i];
        if (chunk && (atomic_load(&chunk->settled) < atomic_load(&chunk->count) ||
                      atomic_load(&chunk->alone)))
            return true;
    }
    return false;
}

// Fewer than there must be: dead rows took their places, or the graph has come apart.
static bool is_short(const struct index_search *search, const struct topk *topk)
{
    size_t due = topk->k;
    if (search->only && search->only->count < due)
        due = search->only->count;
    return topk->count < due && !topk->was_cut;
}

static enum soma_code search_one_exactly(const struct index_view *view,
                                         const struct index_search *search, size_t query,
                                         struct topk *topk, struct soma_error *err)
{
    struct index_search one = *search;
    one.queries += query * search->dim;
    one.query_count = 1;
    topk->count = 0;
    return exact_search(view->rows, &one, false, topk, err);
}

static enum soma_code search_graph(const struct index_view *view, const struct index_search *search,
                                   struct topk *topks, struct soma_error *err)
{
    enum soma_code code = SOMA_OK;
    if (search->has_waiting)
        code = exact_search(view->rows, search, true, topks, err);
    for (size_t i = 0; i < search->query_count && !code; i++) {
        bool is_fit;
        if (!graph_search(view->graph, search, i, &topks[i], &is_fit))
            return error_set_no_memory(err);
        if (clock_left_ms(search->deadline) == 0)
            return error_set(err, REASON_DEADLINE_EXCEEDED, NULL,
                             "the deadline passed during the search");
        if (!is_fit || is_short(search, &topks[i]))
            code = search_one_exactly(view, search, i, &topks[i], err);
    }
    return code;
}

enum soma_code index_search(const struct index_view *view, const struct index_search *search,
                            struct topk *topks, struct index_report *ret_report,
                            struct soma_error *err)
{
    bool is_walk = is_worth_a_walk(view, search);
    struct index_search walk = *search;
    walk.has_waiting = has_waiting(view->rows);
    enum soma_code code = is_walk ? search_graph(view, &walk, topks, err)
                                  : exact_search(view->rows, search, false, topks, err);
    *ret_report = (struct index_report){.kind = "exact"};
    if (is_walk)
        *ret_report = (struct index_report){
            .kind = "hnsw", .ef = search->ef ? search->ef : view->graph->settings.ef_search};
    return code;
}
