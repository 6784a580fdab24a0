#include "vectors/index/graph.h"

#include <stdlib.h>

#include "vectors/index/walk.h"

// Of addresses that one graph reserves, about; fewer where a process may have fewer.
static const size_t ADDRESS_BYTES = (size_t)64 << 30, ADDRESS_BYTES_MIN = (size_t)256 << 20;

void index_settings_complete(struct index_settings *settings)
{
    if (!settings->quantization)
        settings->quantization = QUANTIZATION_INT8;
    if (!settings->m)
        settings->m = INDEX_M_DEFAULT;
    if (!settings->ef_construction)
        settings->ef_construction = INDEX_EF_CONSTRUCTION_DEFAULT;
    if (!settings->ef_search)
        settings->ef_search = INDEX_EF_SEARCH_DEFAULT;
    if (!settings->rerank)
        settings->rerank = RERANK_MEMORY;
    if (!settings->flat_rows)
        settings->flat_rows = INDEX_FLAT_ROWS_DEFAULT;
}

static void release_regions(struct graph *graph)
{
    struct region *regions[] = {&graph->codes,    &graph->links,  &graph->uppers,
                                &graph->upper_at, &graph->levels, &graph->states,
                                &graph->rows,     &graph->places, &graph->nodes_of};
    for (size_t i = 0; i < sizeof regions / sizeof regions[0]; i++)
        region_release(regions[i]);
}

static bool reserve_in(struct graph *graph, size_t bytes)
{
    size_t link_bytes = sizeof(uint32_t) * graph->settings.m;
    size_t max = bytes / (graph->format.stride + link_bytes * LINKS_PER_M);
    size_t rows = bytes < ADDRESS_BYTES ? bytes / 16 / sizeof(uint32_t) : UINT32_MAX;
    graph->max_nodes = max > GRAPH_NODES_MAX ? GRAPH_NODES_MAX : (uint32_t)max;
    max = graph->max_nodes;
    return region_reserve(&graph->codes, graph->format.stride, max) &&
           region_reserve(&graph->links, link_bytes * LINKS_PER_M, max) &&
           region_reserve(&graph->uppers, link_bytes, max) &&
           region_reserve(&graph->upper_at, sizeof(uint32_t), max) &&
           region_reserve(&graph->levels, 1, max) && region_reserve(&graph->states, 1, max) &&
           region_reserve(&graph->rows, sizeof(struct row *), max) &&
           region_reserve(&graph->places, sizeof(uint32_t), max) &&
           region_reserve(&graph->nodes_of, sizeof(uint32_t), rows);
}

static bool reserve(struct graph *graph)
{
    for (size_t bytes = ADDRESS_BYTES; bytes >= ADDRESS_BYTES_MIN; bytes /= 4) {
        if (reserve_in(graph, bytes))
            return true;
        release_regions(graph);
    }
    return false;
}

size_t graph_node_bytes(const struct index_settings *settings, uint32_t dim)
{
    size_t upper_links = settings->m + settings->m / (settings->m - 1);
    return code_bytes(settings->quantization, dim) +
           (settings->m * LINKS_PER_M + upper_links / 8) * sizeof(uint32_t) + 3 * sizeof(uint32_t) +
           2 + sizeof(struct row *);
}

struct graph *graph_new(const struct index_settings *settings, bool is_dot, uint32_t dim)
{
    struct graph *graph = calloc(1, sizeof *graph);
    if (!graph)
        return NULL;
    atomic_init(&graph->refs, 1);
    atomic_init(&graph->entry, NO_NODE);
    graph->settings = *settings;
    code_format_init(&graph->format, settings->quantization, is_dot, dim);
    pthread_mutex_init(&graph->alloc_lock, NULL);
    pthread_mutex_init(&graph->scratch_lock, NULL);
    pthread_rwlock_init(&graph->work_lock, NULL);
    for (int i = 0; i < GRAPH_STRIPES; i++)
        pthread_mutex_init(&graph->stripes[i], NULL);
    if (!reserve(graph)) {
        graph_release(graph);
        return NULL;
    }
    atomic_store(&graph->bytes, sizeof *graph);
    return graph;
}

void graph_hold(struct graph *graph)
{
    atomic_fetch_add_explicit(&graph->refs, 1, memory_order_relaxed);
}

void graph_release(struct graph *graph)
{
    if (!graph || atomic_fetch_sub_explicit(&graph->refs, 1, memory_order_acq_rel) > 1)
        return;
    release_regions(graph);
    for (int i = 0; i < GRAPH_STRIPES; i++)
        pthread_mutex_destroy(&graph->stripes[i]);
    pthread_rwlock_destroy(&graph->work_lock);
    pthread_mutex_destroy(&graph->scratch_lock);
    pthread_mutex_destroy(&graph->alloc_lock);
    scratches_free(graph);
    free(graph->free_nodes);
    free(graph->doomed);
    free(graph);
}

void graph_work_begin(struct graph *graph)
{
    pthread_rwlock_rdlock(&graph->work_lock);
}

void graph_work_end(struct graph *graph)
{
    pthread_rwlock_unlock(&graph->work_lock);
}

void graph_move(struct graph *graph, struct row *old, struct row *new)
{
    uint32_t node = atomic_load_explicit(&old->node, memory_order_relaxed);
    if (node >= ROW_PASSED)
        return;
    struct row *_Atomic *rows = (struct row * _Atomic *)(void *)graph->rows.base;
    struct row *expected = old; // the number may be another row's by now
    atomic_compare_exchange_strong(&rows[node], &expected, new);
}

// --- numbers for new nodes

// Level n with the probability m^-n: -ln(U) / ln(m) (the paper's section 4). U comes from the
// number alone, so that a build can be repeated.
static int level_of_new(const struct graph *graph, uint32_t node)
{
    uint64_t mixed = (node + 1) * 0x9e3779b97f4a7c15u; // splitmix64
    mixed = (mixed ^ mixed >> 30) * 0xbf58476d1ce4e5b9u;
    mixed = (mixed ^ mixed >> 27) * 0x94d049bb133111ebu;
    mixed ^= mixed >> 31;
    int level = 0;
    uint64_t bound = UINT64_MAX / graph->settings.m;
    while (level < GRAPH_LEVELS_MAX - 1 && mixed < bound) {
        bound /= graph->settings.m;
        level++;
    }
    return level;
}

bool graph_region_grow(struct graph *graph, struct region *region, size_t count)
{
    size_t before = region->committed;
    bool has_grown = region_grow(region, count);
    atomic_fetch_add(&graph->bytes, region->committed - before);
    return has_grown;
}

// Room for one node more, of that level; alloc_lock held.
static bool add_node(struct graph *graph, uint32_t node, int level)
{
    size_t count = (size_t)node + 1;
    if (node >= graph->max_nodes || !graph_region_grow(graph, &graph->codes, count) ||
        !graph_region_grow(graph, &graph->links, count) ||
        !graph_region_grow(graph, &graph->upper_at, count) ||
        !graph_region_grow(graph, &graph->levels, count) ||
        !graph_region_grow(graph, &graph->states, count) ||
        !graph_region_grow(graph, &graph->rows, count) ||
        !graph_region_grow(graph, &graph->places, count) ||
        !graph_region_grow(graph, &graph->uppers, (size_t)graph->upper_count + (size_t)level))
        return false;
    graph->levels.base[node] = (uint8_t)level;
    ((uint32_t *)(void *)graph->upper_at.base)[node] = graph->upper_count;
    graph->upper_count += (uint32_t)level;
    return true;
}

// A number that is used again keeps its level: levels do not depend on what nodes stand for.
bool graph_node_take(struct graph *graph, uint32_t *ret_node)
{
    bool is_there = true;
    pthread_mutex_lock(&graph->alloc_lock);
    if (graph->free_count) {
        *ret_node = graph->free_nodes[--graph->free_count];
    } else {
        uint32_t node = atomic_load_explicit(&graph->count, memory_order_relaxed);
        is_there = add_node(graph, node, level_of_new(graph, node));
        if (is_there) {
            *ret_node = node;
            atomic_store_explicit(&graph->count, node + 1, memory_order_release);
        }
    }
    pthread_mutex_unlock(&graph->alloc_lock);
    return is_there;
}

bool graph_nodes_give_back(struct graph *graph, const uint32_t *nodes, uint32_t count)
{
    pthread_mutex_lock(&graph->alloc_lock);
    uint32_t room = graph->free_count + count;
    uint32_t *grown = graph->free_nodes;
    if (room > graph->free_room)
        grown = realloc(graph->free_nodes, room * sizeof *grown);
    if (grown) {
        graph->free_nodes = grown;
        graph->free_room = room > graph->free_room ? room : graph->free_room;
        for (uint32_t i = count; i-- > 0;) // the lowest comes first
            grown[graph->free_count++] = nodes[i];
    }
    pthread_mutex_unlock(&graph->alloc_lock);
    return grown != NULL;
}
