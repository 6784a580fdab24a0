// Which node stands for a record, and which record a node stands for, so that a filter's bits lead
// to codes without a look at the rows. Numbers of records are counted from the lowest one here; a
// record far beyond the others, or below them, has no entry, and neither has one whose latest row
// is not in the graph: a search that finds one missing looks at rows, a walk at that of the node.
//
// Entries are of records' latest rows. The changer lets go of a row that dies (numbers_forget); who
// has put a row into the graph notes it after the row knows its node (numbers_note), and looks
// whether it has died meanwhile, so that one of the two lets go of it.
#ifndef VECTORS_INDEX_NUMBERS_H
#define VECTORS_INDEX_NUMBERS_H

#include "vectors/index.h"
#include "vectors/index/graph.h"

// Room for the numbers from first to last, all at once.
void numbers_expect(struct graph *graph, int64_t first, int64_t last);
void numbers_note(struct graph *graph, const struct row *row, uint32_t node);
void numbers_forget(struct graph *graph, const struct row *row);

// The nodes of the records of a set as of that sequence, in the order of their numbers, which is
// about that of their nodes. ret_nodes has room for set->count; returns how many there are: fewer,
// where some have to be looked for among the rows. A search is under way.
uint32_t numbers_resolve(const struct graph *graph, const struct num_set *set, int64_t sequence,
                         uint32_t *ret_nodes);

// The same as numbers_match by the node's row, where the node has no entry.
bool numbers_match_row(const struct graph *graph, const struct num_set *set, int64_t sequence,
                       uint32_t node);

// Does the node stand for a record of the set: is its row the record's latest, or its row as of
// that sequence, which is only looked at where the node has no entry? A search is under way, and
// holds a set of the rows.
static inline bool numbers_match(const struct graph *graph, const struct num_set *set,
                                 const int64_t *sequence, uint32_t node)
{
    const _Atomic uint32_t *places = (const _Atomic uint32_t *)(void *)graph->places.base;
    uint32_t place = atomic_load_explicit(&places[node], memory_order_acquire);
    if (__builtin_expect(!place, 0))
        return numbers_match_row(graph, set, *sequence, node);
    return num_set_has(set, graph->first_num - 1 + place);
}

#endif
