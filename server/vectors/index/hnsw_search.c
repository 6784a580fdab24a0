// Searching a graph: a walk on codes, or a look at all codes that a filter leaves, then float32 for
// the best of them, deeper the coarser the codes turn out to be.
#include <math.h>
#include <stdlib.h>

#include "vectors/index.h"
#include "vectors/index/numbers.h"
#include "vectors/index/walk.h"

enum {
    COMPARED_AT_ONCE = 8,
    ASKED_LINES = 4 // of each; what follows comes by itself
};

// --- searches under way, so that nodes are not used again under them

static unsigned search_begin(struct graph *graph)
{
    for (;;) {
        unsigned epoch = atomic_load(&graph->epoch);
        atomic_fetch_add(&graph->active[epoch % 2], 1);
        if (atomic_load(&graph->epoch) == epoch)
            return epoch % 2;
        atomic_fetch_sub(&graph->active[epoch % 2], 1);
    }
}

static void search_end(struct graph *graph, unsigned parity)
{
    atomic_fetch_sub(&graph->active[parity], 1);
}

// --- comparing exactly

struct ranking {
    const struct graph *graph;
    const struct index_search *search;
    const float *query;
    struct topk *topk;
    struct row *rows[COMPARED_AT_ONCE];
    float coded[COMPARED_AT_ONCE]; // distances by the codes
    uint32_t count;
    double overrated; // most by which a code's distance exceeded the true one
};

// A code's distance in the metric's terms.
static double coded_distance(enum metric metric, float coded)
{
    if (metric == METRIC_COSINE) // the graph's vectors have length 1: |q - x|² = 2 - 2 q·x
        return (double)coded / 2;
    return metric == METRIC_DOT ? 1 + (double)coded : (double)coded;
}

static void rank(struct ranking *ranking)
{
    const struct index_search *search = ranking->search;
    const struct kernels *kernels = ranking->graph->format.kernels;
    kernel_rows_fn *kernel =
        search->metric == METRIC_L2 ? kernels->squared_distance_rows : kernels->dot_rows;
    const float *vectors[COMPARED_AT_ONCE];
    float results[COMPARED_AT_ONCE];
    for (uint32_t i = 0; i < ranking->count; i++)
        vectors[i] = ranking->rows[i]->vector;
    kernel(ranking->query, vectors, ranking->count, search->dim, results);
    for (uint32_t i = 0; i < ranking->count; i++) {
        const struct row *row = ranking->rows[i];
        double distance = index_distance(search, ranking->query, row->vector, results[i]);
        double more = coded_distance(search->metric, ranking->coded[i]) - distance;
        if (more > ranking->overrated)
            ranking->overrated = more;
        // It may have been indexed between the search of what is not, and this one.
        if (!search->has_waiting || !topk_has(ranking->topk, row->num))
            topk_offer(ranking->topk, distance, row->num, row->id);
    }
    ranking->count = 0;
}

// Can a candidate of that distance by its code still be among the nearest, as far as codes have
// been wrong until now?
static bool may_be_near(const struct ranking *ranking, float coded)
{
    const struct topk *topk = ranking->topk;
    return topk->count < topk->k ||
           (topk->k && coded_distance(ranking->search->metric, coded) - ranking->overrated <=
                           topk->hits[0].distance);
}

// Of the pool, nearest first; false: the pool ended before it was clear that nothing behind it may
// be near.
static bool rank_pool(struct ranking *ranking, const struct scratch *scratch)
{
    for (uint32_t i = 0; i < scratch->pool_count; i++) {
        const struct candidate *candidate = &scratch->pool[i];
        if (!ranking->count && !may_be_near(ranking, candidate->distance))
            return true;
        struct row *row = graph_row(ranking->graph, candidate->node);
        if (!row || !row_is_alive(row, ranking->search->sequence))
            continue;
        for (size_t at = 0; at < ASKED_LINES; at++)
            __builtin_prefetch((const char *)row->vector + at * 64);
        ranking->rows[ranking->count] = row;
        ranking->coded[ranking->count++] = candidate->distance;
        if (ranking->count == COMPARED_AT_ONCE)
            rank(ranking);
    }
    rank(ranking);
    return scratch->pool_count &&
           !may_be_near(ranking, scratch->pool[scratch->pool_count - 1].distance);
}

// --- the walk

static void walk(struct graph *graph, struct scratch *scratch, const struct index_search *search,
                 uint32_t ef)
{
    uint32_t entry = atomic_load_explicit(&graph->entry, memory_order_acquire);
    if (entry == NO_NODE || entry >= scratch->node_limit)
        return;
    struct candidate start = walk_down(graph, scratch, entry, 0);
    scratch->sequence = search->sequence;
    if (search->only)
        walk_matching(graph, scratch, start, ef, search->only, search->deadline);
    else
        walk_level(graph, scratch, start, 0, ef);
}

static uint32_t ef_of(const struct graph *graph, const struct index_search *search, uint32_t k)
{
    uint32_t ef = search->ef ? search->ef : graph->settings.ef_search;
    return ef > k ? ef : k;
}

bool graph_search(struct graph *graph, const struct index_search *search, size_t query,
                  struct topk *topk, bool *ret_is_fit)
{
    struct scratch *scratch;
    const float *vector = search->queries + query * search->dim;
    uint32_t ef = ef_of(graph, search, topk->k);
    unsigned parity = search_begin(graph);
    bool is_ok = scratch_take(graph, vector, ef, &scratch);
    *ret_is_fit = is_ok && scratch;
    if (*ret_is_fit) {
        struct ranking ranking = {.graph = graph, .search = search, .query = vector, .topk = topk};
        scratch->pool_count = 0;
        walk(graph, scratch, search, ef);
        rank_pool(&ranking, scratch);
        scratch_give_back(graph, scratch);
    }
    search_end(graph, parity);
    return is_ok;
}

// --- all that match, by their codes

enum {
    ROOM_MIN = 16,
    DEEPER = 4 // times, where codes are too coarse
};

// Leaves the nearest `room` by their codes in the pool.
static void scan_codes(const struct graph *graph, struct scratch *scratch, const uint32_t *nodes,
                       uint32_t count, uint32_t room)
{
    struct code_run run = {.numbers = nodes, .known_count = count};
    scratch->pool_count = 0;
    for (uint32_t i = 0; i < count; i++) {
        float distance = code_run_next(&graph->format, &scratch->query, graph->codes.base, &run);
        if (scratch->pool_count < room || distance < scratch->pool[room - 1].distance)
            pool_put(scratch, room, (struct candidate){distance, nodes[i]});
    }
}

static bool scan_one(struct graph *graph, const struct index_search *search, size_t query,
                     const uint32_t *nodes, uint32_t count, struct topk *topk, bool *ret_is_fit)
{
    const float *vector = search->queries + query * search->dim;
    struct ranking ranking = {.graph = graph, .search = search, .query = vector, .topk = topk};
    bool is_done = false;
    for (uint64_t room = (uint64_t)topk->k * 2 + ROOM_MIN; !is_done; room *= DEEPER) {
        struct scratch *scratch;
        uint32_t fitting = room < count ? (uint32_t)room : count;
        if (!scratch_take(graph, vector, fitting, &scratch))
            return false;
        *ret_is_fit = scratch != NULL;
        if (!scratch)
            return true;
        scan_codes(graph, scratch, nodes, count, fitting);
        topk->count = 0;
        is_done = rank_pool(&ranking, scratch) || fitting == count;
        scratch_give_back(graph, scratch);
    }
    return true;
}

bool graph_scan(struct graph *graph, const struct index_search *search, struct topk *topks,
                uint32_t *ret_count)
{
    uint32_t *nodes = malloc(search->only->count * sizeof *nodes);
    if (!nodes)
        return false;
    unsigned parity = search_begin(graph);
    uint32_t count = numbers_resolve(graph, search->only, search->sequence, nodes);
    bool is_ok = true, goes_on = count > 0;
    for (size_t i = 0; i < search->query_count && is_ok && goes_on; i++) {
        is_ok = scan_one(graph, search, i, nodes, count, &topks[i], &goes_on);
        goes_on = goes_on && clock_left_ms(search->deadline) > 0;
    }
    search_end(graph, parity);
    free(nodes);
    *ret_count = goes_on ? count : 0;
    return is_ok;
}
