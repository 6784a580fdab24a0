// Putting rows into a graph. Candidates are found by their codes; which of them become links is
// decided by float32, as a graph that is pruned by coarse codes caps the recall of all searches.
#include <stdlib.h>

#include "vectors/chunk.h"
#include "vectors/index/links.h"
#include "vectors/index/numbers.h"
#include "vectors/index/walk.h"

enum {
    CHOICE_GROUP = 4, // links chosen so far that a candidate is compared with at once
    // Of the candidates so many are looked at in float32, and so many for each link; those farther
    // away hardly ever become links.
    NEAREST_MIN = 64,
    NEAREST_PER_M = 4
};

float row_distance(const struct graph *graph, const float *a, const float *b)
{
    float distance;
    row_distances(graph, a, &b, 1, &distance);
    return distance;
}

void row_distances(const struct graph *graph, const float *query, const float *const *rows,
                   size_t count, float *ret_distances)
{
    const struct kernels *kernels = graph->format.kernels;
    if (!graph->format.is_dot) {
        kernels->squared_distance_rows(query, rows, count, graph->format.dim, ret_distances);
        return;
    }
    kernels->dot_rows(query, rows, count, graph->format.dim, ret_distances);
    for (size_t i = 0; i < count; i++)
        ret_distances[i] = -ret_distances[i];
}

const float *linkable_vector(const struct graph *graph, uint32_t node)
{
    uint8_t state = atomic_load_explicit(graph_state(graph, node), memory_order_acquire);
    const struct row *row = graph_row(graph, node);
    return row && state != NODE_DOOMED && state != NODE_PARKED ? row->vector : NULL;
}

static int compare_near(const void *a, const void *b)
{
    const struct near *left = a, *right = b;
    if (left->distance != right->distance)
        return left->distance < right->distance ? -1 : 1;
    return (left->node > right->node) - (left->node < right->node);
}

void near_sort(struct near *near, uint32_t count)
{
    qsort(near, count, sizeof *near, compare_near);
}

// Is the candidate nearer to none of the chosen than to the base?
static bool is_apart(const struct graph *graph, const struct near *candidate,
                     const float *const *chosen, uint32_t chosen_count)
{
    float distances[CHOICE_GROUP];
    for (uint32_t i = 0; i < chosen_count; i += CHOICE_GROUP) {
        uint32_t left = chosen_count - i;
        uint32_t some = left < CHOICE_GROUP ? left : CHOICE_GROUP;
        row_distances(graph, candidate->vector, chosen + i, some, distances);
        for (uint32_t j = 0; j < some; j++) {
            if (distances[j] < candidate->distance)
                return false;
        }
    }
    return true;
}

uint32_t links_choose(const struct graph *graph, struct near *near, uint32_t count, uint32_t room,
                      bool is_filled)
{
    const float *vectors[LINKS_PER_M * INDEX_M_MAX];
    uint32_t chosen = 0;
    for (uint32_t i = 0; i < count && chosen < room; i++) {
        if (!is_apart(graph, &near[i], vectors, chosen))
            continue;
        struct near taken = near[i]; // those passed over stay behind, in their order
        for (uint32_t at = i; at > chosen; at--)
            near[at] = near[at - 1];
        near[chosen] = taken;
        vectors[chosen++] = taken.vector;
    }
    if (is_filled)
        chosen = count < room ? count : room;
    return chosen;
}

void links_write(struct graph *graph, uint32_t node, int level, const struct near *near,
                 uint32_t count)
{
    _Atomic uint32_t *links = graph_links(graph, node, level);
    uint32_t room = graph_link_room(graph, level);
    for (uint32_t i = 0; i < room; i++)
        atomic_store_explicit(&links[i], i < count ? near[i].node : NO_NODE, memory_order_release);
}

uint32_t near_from_nodes(const struct graph *graph, const float *base, const uint32_t *nodes,
                         uint32_t count, struct near *ret_near)
{
    const float *vectors[NEAR_MAX];
    float distances[NEAR_MAX];
    uint32_t found = 0;
    for (uint32_t i = 0; i < count && found < NEAR_MAX; i++) {
        const float *vector = linkable_vector(graph, nodes[i]);
        if (!vector)
            continue;
        vectors[found] = vector;
        ret_near[found++] = (struct near){.node = nodes[i], .vector = vector};
    }
    if (found)
        row_distances(graph, base, vectors, found, distances);
    for (uint32_t i = 0; i < found; i++)
        ret_near[i].distance = distances[i];
    return found;
}

static pthread_mutex_t *stripe_of(struct graph *graph, uint32_t node)
{
    return &graph->stripes[node % GRAPH_STRIPES];
}

void links_lock(struct graph *graph, uint32_t node)
{
    pthread_mutex_lock(stripe_of(graph, node));
}

void links_unlock(struct graph *graph, uint32_t node)
{
    pthread_mutex_unlock(stripe_of(graph, node));
}

// Links node to the other one that links to it; a full list is chosen anew.
static void link_back(struct graph *graph, uint32_t node, uint32_t other, int level)
{
    uint32_t nodes[LINKS_PER_M * INDEX_M_MAX + 1];
    struct near near[LINKS_PER_M * INDEX_M_MAX + 1];
    links_lock(graph, node);
    uint32_t room = graph_link_room(graph, level);
    uint32_t count = links_read(graph, node, level, nodes);
    const float *base = linkable_vector(graph, node);
    bool is_there = false;
    for (uint32_t i = 0; i < count; i++)
        is_there |= nodes[i] == other;
    if (!is_there && count < room) {
        atomic_store_explicit(&graph_links(graph, node, level)[count], other, memory_order_release);
    } else if (!is_there && base) {
        nodes[count++] = other;
        count = near_from_nodes(graph, base, nodes, count, near);
        near_sort(near, count);
        links_write(graph, node, level, near, links_choose(graph, near, count, room, false));
    }
    links_unlock(graph, node);
}

// The new node's own list; others may have linked it on this level already.
static void link_own(struct graph *graph, uint32_t node, int level, struct near *near,
                     uint32_t count)
{
    uint32_t others[LINKS_PER_M * INDEX_M_MAX];
    links_lock(graph, node);
    uint32_t room = graph_link_room(graph, level);
    uint32_t other_count = links_read(graph, node, level, others);
    for (uint32_t i = 0; i < other_count && count < room; i++) {
        bool is_there = false;
        for (uint32_t j = 0; j < count; j++)
            is_there |= near[j].node == others[i];
        if (!is_there)
            near[count++] = (struct near){.node = others[i]};
    }
    links_write(graph, node, level, near, count);
    links_unlock(graph, node);
}

// The links of a new node out of the pool; where all rows in it are gone, the nodes all the same,
// for a node without links is never found.
static uint32_t choose_from_pool(const struct graph *graph, const struct scratch *scratch,
                                 uint32_t self, const float *vector, struct near *near)
{
    uint32_t nodes[NEAR_MAX], count = 0;
    uint32_t most = NEAREST_MIN + graph->settings.m * NEAREST_PER_M;
    for (uint32_t i = 0; i < scratch->pool_count && count < most; i++) {
        if (scratch->pool[i].node != self)
            nodes[count++] = scratch->pool[i].node;
    }
    uint32_t found = near_from_nodes(graph, vector, nodes, count, near), m = graph->settings.m;
    near_sort(near, found);
    if (found)
        return links_choose(graph, near, found, m, false);
    for (uint32_t i = 0; i < count && i < m; i++)
        near[i] = (struct near){.node = nodes[i]};
    return count < m ? count : m;
}

// Its own links on all levels come first, then those of others to it: a walk that comes down to a
// node on a higher level goes on from it below.
static void link_node(struct graph *graph, struct scratch *scratch, uint32_t node, uint32_t entry,
                      const float *vector)
{
    struct near near[NEAR_MAX];
    uint32_t chosen[GRAPH_LEVELS_MAX][INDEX_M_MAX] = {{0}}, counts[GRAPH_LEVELS_MAX] = {0};
    int level = graph_level(graph, node), top = graph_level(graph, entry);
    int highest = level < top ? level : top;
    struct candidate start = walk_down(graph, scratch, entry, level);
    for (int at = highest; at >= 0; at--) {
        walk_level(graph, scratch, start, at, graph->settings.ef_construction);
        start = scratch->pool[0];
        counts[at] = choose_from_pool(graph, scratch, node, vector, near);
        for (uint32_t i = 0; i < counts[at]; i++)
            chosen[at][i] = near[i].node;
        link_own(graph, node, at, near, counts[at]);
    }
    for (int at = 0; at <= highest; at++) {
        for (uint32_t i = 0; i < counts[at]; i++)
            link_back(graph, chosen[at][i], node, at);
    }
}

// Searches begin at a node of the highest level.
static void raise_entry(struct graph *graph, uint32_t node)
{
    pthread_mutex_lock(&graph->alloc_lock);
    uint32_t entry = atomic_load_explicit(&graph->entry, memory_order_relaxed);
    if (entry == NO_NODE || graph_level(graph, node) > graph_level(graph, entry))
        atomic_store_explicit(&graph->entry, node, memory_order_release);
    pthread_mutex_unlock(&graph->alloc_lock);
}

// Of several first nodes at once one becomes the entry, and the others link to it.
static uint32_t first_entry(struct graph *graph, uint32_t node)
{
    uint32_t entry = NO_NODE;
    bool is_first = atomic_compare_exchange_strong(&graph->entry, &entry, node);
    return is_first ? node : entry;
}

static bool make_node(struct graph *graph, struct row *row, uint32_t *ret_node)
{
    uint32_t node;
    if (!graph_node_take(graph, &node))
        return false;
    code_encode(&graph->format, row->vector, graph_code(graph, node));
    for (int level = graph_level(graph, node); level >= 0; level--)
        links_write(graph, node, level, NULL, 0);
    struct row *_Atomic *rows = (struct row * _Atomic *)(void *)graph->rows.base;
    atomic_store_explicit(&rows[node], row, memory_order_release);
    *ret_node = node;
    return true;
}

static void forget_node(struct graph *graph, uint32_t node)
{
    struct row *_Atomic *rows = (struct row * _Atomic *)(void *)graph->rows.base;
    atomic_store_explicit(&rows[node], NULL, memory_order_release);
    graph_nodes_give_back(graph, &node, 1);
}

// The number comes first, so that the scratch sees every node that may be linked by now.
bool graph_insert(struct graph *graph, struct row *row, uint32_t *ret_node)
{
    struct scratch *scratch = NULL;
    uint32_t node;
    if (!make_node(graph, row, &node))
        return false;
    uint32_t entry = atomic_load_explicit(&graph->entry, memory_order_acquire);
    bool is_ok = scratch_take(graph, row->vector, graph->settings.ef_construction, &scratch);
    if (!scratch) {
        forget_node(graph, node);
        *ret_node = ROW_UNFIT;
        return is_ok;
    }
    if (entry == NO_NODE)
        entry = first_entry(graph, node);
    if (entry != node)
        link_node(graph, scratch, node, entry, row->vector);
    scratch_give_back(graph, scratch);
    atomic_store_explicit(graph_state(graph, node), NODE_LIVE, memory_order_release);
    atomic_fetch_add_explicit(&graph->live_count, 1, memory_order_relaxed);
    raise_entry(graph, node);
    *ret_node = node;
    return true;
}

static void settle(struct graph *graph, struct row_chunk *chunk, uint32_t at, int64_t floor)
{
    struct row *row = &chunk->rows[at];
    uint32_t node = ROW_PASSED;
    if (atomic_load_explicit(&row->node, memory_order_relaxed) != ROW_WAITING)
        return; // it came with its node from a file
    // What finds no memory is searched exactly, like what codes cannot say.
    if (atomic_load_explicit(&row->dead, memory_order_relaxed) > floor &&
        !graph_insert(graph, row, &node))
        node = ROW_UNFIT;
    chunk_set_node(chunk, at, node);
    if (node < ROW_PASSED)
        numbers_note(graph, row, node);
    chunk_settle(chunk); // last: the changer may move the row from here on, and let its copy die
}

uint32_t graph_catch_up(struct graph *graph, struct row_set *set, int64_t floor, uint32_t max)
{
    uint32_t done = 0;
    for (uint32_t i = 0; i < set->count && done < max; i++) {
        uint32_t first, count;
        struct row_chunk *chunk = set->chunks[i];
        while (chunk && done < max && (count = chunk_claim(chunk, max - done, &first)) > 0) {
            graph_work_begin(graph);
            for (uint32_t at = 0; at < count; at++)
                settle(graph, chunk, first + at, floor);
            graph_work_end(graph);
            done += count;
        }
    }
    return done;
}
