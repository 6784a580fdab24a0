#include "vectors/index.h"

#include "vectors/index/graph.h"

enum {
    // A walk that only counts matches looks at about ten nodes for each that it passes, passes ef ×
    // rows / matches of them, and takes five times as long for a code as a look at one after the
    // other does. So it pays where matches² > 50 × ef × rows.
    WALK_COST = 50,
    // A look at fewer codes takes longer than the same rows in float32.
    CODES_MIN = 32,
    QUERIES_A_PART = 4 // of those that are spread over threads
};

enum plan {
    PLAN_EXACT,
    PLAN_CODES,
    PLAN_WALK
};

static uint32_t ef_of(const struct index_view *view, const struct index_search *search)
{
    return search->ef ? search->ef : view->graph->settings.ef_search;
}

// A walk through most of the graph would only be a slow way to look at everything; so would one
// that takes longer than looking at all that match.
static enum plan plan_of(const struct index_view *view, const struct index_search *search)
{
    if (search->is_exact || !view->graph)
        return PLAN_EXACT;
    size_t nodes = atomic_load(&view->graph->live_count), ef = ef_of(view, search);
    if (!search->only)
        return ef < nodes / 2 ? PLAN_WALK : PLAN_EXACT;
    double count = (double)search->only->count;
    if (ef < nodes / 2 && count * count > (double)WALK_COST * (double)ef * (double)nodes)
        return PLAN_WALK;
    return search->only->count >= CODES_MIN ? PLAN_CODES : PLAN_EXACT;
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

static enum soma_code search_exactly(const struct index_view *view,
                                     const struct index_search *search, struct topk *topks,
                                     struct soma_error *err)
{
    for (size_t i = 0; i < search->query_count; i++)
        topks[i].count = 0;
    return exact_search(view->rows, search, false, topks, NULL, err);
}

// Records are looked for in the graph first: one that gets into it meanwhile is missed by both, and
// then all rows are looked at, as for a reader of a state that the graph no longer shows.
static enum soma_code search_codes(const struct index_view *view, const struct index_search *search,
                                   struct topk *topks, enum plan *ret_plan, struct soma_error *err)
{
    uint32_t seen;
    size_t waiting = 0;
    enum soma_code code = SOMA_OK;
    for (size_t i = 0; i < search->query_count; i++)
        topks[i].count = 0;
    if (!graph_scan(view->graph, search, topks, &seen))
        return error_set_no_memory(err);
    if (search->has_waiting)
        code = exact_search(view->rows, search, true, topks, &waiting, err);
    *ret_plan = PLAN_CODES;
    if (code || seen + waiting == search->only->count)
        return code;
    *ret_plan = PLAN_EXACT;
    return search_exactly(view, search, topks, err);
}

// What the walk could not find.
static enum soma_code search_one(const struct index_view *view, const struct index_search *search,
                                 size_t query, struct topk *topk, struct soma_error *err)
{
    struct index_search one = *search;
    enum plan plan;
    one.queries += query * search->dim;
    one.query_count = 1;
    return search->only ? search_codes(view, &one, topk, &plan, err)
                        : search_exactly(view, &one, topk, err);
}

static enum soma_code walk_one(const struct index_view *view, const struct index_search *search,
                               size_t query, struct topk *topk, struct soma_error *err)
{
    bool is_fit;
    if (!graph_search(view->graph, search, query, topk, &is_fit))
        return error_set_no_memory(err);
    if (clock_left_ms(search->deadline) == 0)
        return error_set(err, REASON_DEADLINE_EXCEEDED, NULL,
                         "the deadline passed during the search");
    return !is_fit || is_short(search, topk) ? search_one(view, search, query, topk, err) : SOMA_OK;
}

// The walks of a search, for all threads that take part in it.
struct walks {
    const struct index_view *view;
    const struct index_search *search;
    struct topk *topks;
    atomic_bool has_failed; // who sets it writes what follows
    enum soma_code code;
    struct soma_error err;
};

static void walk_part(void *context, size_t part)
{
    struct walks *walks = context;
    size_t end = (part + 1) * QUERIES_A_PART;
    if (end > walks->search->query_count)
        end = walks->search->query_count;
    for (size_t i = part * QUERIES_A_PART; i < end && !atomic_load(&walks->has_failed); i++) {
        struct soma_error err = {0};
        enum soma_code code = walk_one(walks->view, walks->search, i, &walks->topks[i], &err);
        if (code && !atomic_exchange(&walks->has_failed, true)) {
            walks->code = code;
            walks->err = err;
        }
    }
}

static enum soma_code search_graph(const struct index_view *view, const struct index_search *search,
                                   struct topk *topks, struct soma_error *err)
{
    struct walks walks = {.view = view, .search = search, .topks = topks};
    enum soma_code code = SOMA_OK;
    if (search->has_waiting)
        code = exact_search(view->rows, search, true, topks, NULL, err);
    if (code)
        return code;
    spread_run(search->spread, (search->query_count + QUERIES_A_PART - 1) / QUERIES_A_PART,
               walk_part, &walks);
    if (walks.code && err)
        *err = walks.err;
    return walks.code;
}

enum soma_code index_search(const struct index_view *view, const struct index_search *search,
                            struct topk *topks, struct index_report *ret_report,
                            struct soma_error *err)
{
    static const char *const names[] = {
        [PLAN_EXACT] = "exact", [PLAN_CODES] = "codes", [PLAN_WALK] = "hnsw"};
    enum plan plan = plan_of(view, search);
    enum soma_code code = SOMA_OK;
    struct index_search wanted = *search;
    wanted.has_waiting = has_waiting(view->rows);
    if (plan == PLAN_WALK)
        code = search_graph(view, &wanted, topks, err);
    else if (plan == PLAN_CODES)
        code = search_codes(view, &wanted, topks, &plan, err);
    else
        code = exact_search(view->rows, search, false, topks, NULL, err);
    *ret_report = (struct index_report){.kind = names[plan],
                                        .ef = plan == PLAN_WALK ? ef_of(view, search) : 0};
    return code;
}
