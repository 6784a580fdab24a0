// Taking dead nodes out. Each list that holds one is chosen anew from what is left of it and from
// where the dead ones led (Singh et al., FreshDiskANN, arXiv 2105.09613, section 5), all lists of
// the graph in one sweep: so no link to a dead node stays, whoever it came from.
#include <stdlib.h>

#include "vectors/index/links.h"
#include "vectors/index/walk.h"

static bool is_dead(const struct graph *graph, uint32_t node, int64_t floor)
{
    const struct row *row = graph_row(graph, node);
    return !row || atomic_load_explicit(&row->dead, memory_order_relaxed) <= floor;
}

size_t graph_dead_count(const struct graph *graph, int64_t floor)
{
    uint32_t count = atomic_load_explicit(&graph->count, memory_order_acquire);
    size_t dead = 0;
    for (uint32_t node = 0; node < count; node++)
        dead += graph_is_live(graph, node) && is_dead(graph, node, floor);
    return dead;
}

static void set_state(struct graph *graph, uint32_t node, enum node_state state)
{
    atomic_store_explicit(graph_state(graph, node), (uint8_t)state, memory_order_release);
}

static bool is_doomed(const struct graph *graph, uint32_t node)
{
    return atomic_load_explicit(graph_state(graph, node), memory_order_relaxed) == NODE_DOOMED;
}

// --- the beginning: what goes is marked while nobody inserts

// No more than there is room for: rows are compacted meanwhile, which takes more of them away.
static void doom(struct graph *graph, int64_t floor, size_t room)
{
    uint32_t count = atomic_load_explicit(&graph->count, memory_order_acquire);
    for (uint32_t node = 0; node < count && graph->doomed_count < room; node++) {
        if (!graph_is_live(graph, node) || !is_dead(graph, node, floor))
            continue;
        set_state(graph, node, NODE_DOOMED);
        graph->doomed[graph->doomed_count++] = node;
    }
    atomic_fetch_sub(&graph->live_count, graph->doomed_count);
}

// The highest of those that stay.
static void move_entry(struct graph *graph)
{
    uint32_t count = atomic_load_explicit(&graph->count, memory_order_acquire);
    uint32_t entry = atomic_load_explicit(&graph->entry, memory_order_relaxed);
    if (entry == NO_NODE || graph_is_live(graph, entry))
        return;
    entry = NO_NODE;
    for (uint32_t node = 0; node < count; node++) {
        if (graph_is_live(graph, node) &&
            (entry == NO_NODE || graph_level(graph, node) > graph_level(graph, entry)))
            entry = node;
    }
    atomic_store_explicit(&graph->entry, entry, memory_order_release);
}

static bool sweep_begin(struct graph *graph, int64_t floor)
{
    size_t dead = graph_dead_count(graph, floor);
    if (!dead)
        return false;
    uint32_t *doomed = realloc(graph->doomed, dead * sizeof *doomed);
    if (!doomed)
        return false;
    graph->doomed = doomed;
    graph->doomed_count = 0;
    graph->sweep_at = 0;
    pthread_rwlock_wrlock(&graph->work_lock);
    doom(graph, floor, dead);
    move_entry(graph);
    graph->is_sweeping = true;
    pthread_rwlock_unlock(&graph->work_lock);
    return true;
}

// --- repair

static void add_once(uint32_t *nodes, uint32_t *count, uint32_t node)
{
    for (uint32_t i = 0; i < *count; i++) {
        if (nodes[i] == node)
            return;
    }
    if (*count < NEAR_MAX)
        nodes[(*count)++] = node;
}

// What is left of the list, and where its doomed nodes led.
static uint32_t gather(const struct graph *graph, uint32_t node, int level, const uint32_t *links,
                       uint32_t link_count, uint32_t ret_nodes[NEAR_MAX])
{
    uint32_t far[LINKS_PER_M * INDEX_M_MAX], count = 0;
    for (uint32_t i = 0; i < link_count; i++) {
        if (!is_doomed(graph, links[i])) {
            add_once(ret_nodes, &count, links[i]);
            continue;
        }
        uint32_t far_count = links_read(graph, links[i], level, far);
        for (uint32_t j = 0; j < far_count; j++) {
            if (far[j] != node && !is_doomed(graph, far[j]))
                add_once(ret_nodes, &count, far[j]);
        }
    }
    return count;
}

static void repair(struct graph *graph, uint32_t node, int level, const float *base)
{
    uint32_t links[LINKS_PER_M * INDEX_M_MAX], nodes[NEAR_MAX];
    struct near near[NEAR_MAX];
    uint32_t count = links_read(graph, node, level, links), doomed = 0;
    for (uint32_t i = 0; i < count; i++)
        doomed += is_doomed(graph, links[i]);
    if (!doomed)
        return;
    uint32_t found = gather(graph, node, level, links, count, nodes);
    found = near_from_nodes(graph, base, nodes, found, near);
    near_sort(near, found);
    // Not shorter than it was, so that nothing which only the dead led to is lost for good.
    uint32_t room = graph_link_room(graph, level);
    uint32_t chosen = links_choose(graph, near, found, room, false);
    if (chosen < count)
        chosen = found < count ? found : count;
    links_write(graph, node, level, near, chosen);
}

static void repair_node(struct graph *graph, uint32_t node)
{
    const float *base = linkable_vector(graph, node);
    if (!base || !graph_is_live(graph, node))
        return;
    links_lock(graph, node);
    for (int level = graph_level(graph, node); level >= 0; level--)
        repair(graph, node, level, base);
    links_unlock(graph, node);
}

// --- the end

// From here on only searches that are under way can stand on the nodes.
static void park(struct graph *graph)
{
    struct row *_Atomic *rows = (struct row * _Atomic *)(void *)graph->rows.base;
    for (uint32_t i = 0; i < graph->doomed_count; i++) {
        set_state(graph, graph->doomed[i], NODE_PARKED);
        atomic_store_explicit(&rows[graph->doomed[i]], NULL, memory_order_release);
    }
    atomic_fetch_add(&graph->epoch, 1);
    graph->is_sweeping = false;
    graph->is_parked = true;
}

// False: searches are still under way.
static bool release_parked(struct graph *graph)
{
    unsigned before = (atomic_load(&graph->epoch) + 1) % 2;
    if (atomic_load(&graph->active[before]))
        return false;
    for (uint32_t i = 0; i < graph->doomed_count; i++)
        set_state(graph, graph->doomed[i], NODE_FREE);
    if (!graph_nodes_give_back(graph, graph->doomed, graph->doomed_count))
        return false;
    free(graph->doomed);
    graph->doomed = NULL;
    graph->doomed_count = 0;
    graph->is_parked = false;
    return true;
}

bool graph_sweep(struct graph *graph, int64_t floor, uint32_t step)
{
    if (graph->is_parked && !release_parked(graph))
        return false;
    if (!graph->is_sweeping)
        return sweep_begin(graph, floor);
    uint32_t count = atomic_load_explicit(&graph->count, memory_order_acquire);
    graph_work_begin(graph);
    for (; step && graph->sweep_at < count; step--)
        repair_node(graph, graph->sweep_at++);
    graph_work_end(graph);
    if (graph->sweep_at < count)
        return true;
    park(graph);
    return !release_parked(graph);
}
