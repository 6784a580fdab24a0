#include "vectors/index/numbers.h"

enum {
    BELOW_FIRST = 4096,   // rows come about in the order of their numbers
    SPREAD_MAX = 16,      // numbers for each node, and
    SPREAD_MIN = 64 << 10 // so many at least
};

static _Atomic uint32_t *node_slots(const struct graph *graph)
{
    return (_Atomic uint32_t *)(void *)graph->nodes_of.base;
}

static _Atomic uint32_t *place_slots(const struct graph *graph)
{
    return (_Atomic uint32_t *)(void *)graph->places.base;
}

// The number's slot, or UINT32_MAX where there is none.
static uint32_t slot_of(const struct graph *graph, int64_t num)
{
    uint32_t count = atomic_load_explicit(&graph->number_count, memory_order_acquire);
    uint64_t slot = count ? (uint64_t)(num - graph->first_num) : UINT32_MAX;
    return slot < count ? (uint32_t)slot : UINT32_MAX;
}

void numbers_expect(struct graph *graph, int64_t first, int64_t last)
{
    pthread_mutex_lock(&graph->alloc_lock);
    uint32_t count = atomic_load_explicit(&graph->number_count, memory_order_relaxed);
    if (!count)
        graph->first_num = first - first % BELOW_FIRST;
    uint64_t slot = (uint64_t)(last - graph->first_num);
    uint64_t most = (uint64_t)atomic_load(&graph->count) * SPREAD_MAX + SPREAD_MIN;
    if (last >= graph->first_num && slot < most && slot >= count &&
        graph_region_grow(graph, &graph->nodes_of, slot + 1))
        atomic_store_explicit(&graph->number_count, (uint32_t)slot + 1, memory_order_release);
    pthread_mutex_unlock(&graph->alloc_lock);
}

static void raise_newest(struct graph *graph, int64_t born)
{
    int64_t newest = atomic_load(&graph->newest_born);
    while (newest < born && !atomic_compare_exchange_weak(&graph->newest_born, &newest, born))
        ;
}

static void forget(struct graph *graph, int64_t num, uint32_t node)
{
    uint32_t slot = slot_of(graph, num), expected = node + 1;
    if (slot != UINT32_MAX)
        atomic_compare_exchange_strong(&node_slots(graph)[slot], &expected, 0);
    atomic_store_explicit(&place_slots(graph)[node], 0, memory_order_release);
}

void numbers_note(struct graph *graph, const struct row *row, uint32_t node)
{
    uint32_t slot = slot_of(graph, row->num);
    if (slot == UINT32_MAX) {
        numbers_expect(graph, row->num, row->num);
        slot = slot_of(graph, row->num);
    }
    if (slot == UINT32_MAX)
        return;
    raise_newest(graph, row->born);
    atomic_store_explicit(&place_slots(graph)[node], slot + 1, memory_order_release);
    atomic_store(&node_slots(graph)[slot], node + 1);
    atomic_thread_fence(memory_order_seq_cst);
    if (atomic_load_explicit(&row->dead, memory_order_relaxed) != INT64_MAX)
        forget(graph, row->num, node);
}

void numbers_forget(struct graph *graph, const struct row *row)
{
    atomic_thread_fence(memory_order_seq_cst);
    uint32_t node = atomic_load_explicit(&row->node, memory_order_acquire);
    if (node < ROW_PASSED)
        forget(graph, row->num, node);
}

bool numbers_match_row(const struct graph *graph, const struct num_set *set, int64_t sequence,
                       uint32_t node)
{
    const struct row *row = graph_row(graph, node);
    return row && row_is_alive(row, sequence) && num_set_has(set, row->num);
}

// Was the node's row there at the sequence? That it has not died since, its entry says.
static bool was_there(const struct graph *graph, uint32_t node, int64_t num, int64_t sequence)
{
    const struct row *row = graph_row(graph, node);
    return row && row->num == num && row_is_alive(row, sequence);
}

uint32_t numbers_resolve(const struct graph *graph, const struct num_set *set, int64_t sequence,
                         uint32_t *ret_nodes)
{
    uint32_t found = 0;
    for (size_t word = 0; word * 64 < set->size; word++) {
        for (uint64_t bits = set->words[word]; bits; bits &= bits - 1) {
            int64_t num = set->first + (int64_t)(word * 64) + __builtin_ctzll(bits);
            uint32_t slot = slot_of(graph, num);
            uint32_t node = slot != UINT32_MAX ? atomic_load(&node_slots(graph)[slot]) : 0;
            if (node)
                ret_nodes[found++] = node - 1;
        }
    }
    if (atomic_load(&graph->newest_born) <= sequence)
        return found;
    uint32_t kept = 0; // some may have come later
    for (uint32_t i = 0; i < found; i++) {
        uint32_t place = atomic_load(&place_slots(graph)[ret_nodes[i]]);
        if (place && was_there(graph, ret_nodes[i], graph->first_num + place - 1, sequence))
            ret_nodes[kept++] = ret_nodes[i];
    }
    return kept;
}
