// Walking through a graph: what searching and building share. A walk's memory is a scratch, of
// which a graph keeps the idle ones.
#ifndef VECTORS_INDEX_WALK_H
#define VECTORS_INDEX_WALK_H

#include "base/clock.h"
#include "vectors/index/graph.h"

struct candidate {
    float distance;
    uint32_t node;
};

struct scratch {
    struct scratch *next;
    uint32_t node_limit; // nodes from it on came later and are not seen
    uint64_t *visited;   // owned, one bit for each node
    size_t visited_words;
    uint32_t *touched; // owned: words of visited that are not 0
    uint32_t touched_count;
    struct candidate *pool; // owned: nearest first, pool_count of them
    uint32_t pool_count, pool_room;
    struct candidate *heap; // owned: where a walk that only counts matches goes on; nearest on top
    uint32_t heap_count, heap_room;
    void *query_memory; // owned
    struct code_query query;
};

// With the codes' form of the vector as its query; pool_room at least as asked for. False: out of
// memory. *ret_scratch NULL: codes say nothing about this vector.
bool scratch_take(struct graph *graph, const float *vector, uint32_t pool_room,
                  struct scratch **ret_scratch);
void scratch_give_back(struct graph *graph, struct scratch *scratch);
void scratches_free(struct graph *graph);

// The nearest of the levels from the entry's down to above `level`, by steepest descent; there is
// an entry.
struct candidate walk_down(const struct graph *graph, struct scratch *scratch, uint32_t entry,
                           int level);
// Leaves the nearest ef that it finds on the level in the pool, beginning at start. The walk of the
// paper's algorithm 2; the sorted pool with a cursor is Fu et al.'s (NSG, VLDB 2019).
void walk_level(const struct graph *graph, struct scratch *scratch, struct candidate start,
                int level, uint32_t ef);

// May this node be in the pool?
typedef bool walk_accept(void *context, uint32_t node);
// The same where only accepted nodes count; the others are passed through. False: out of memory, or
// over the deadline; what was found is in the pool.
bool walk_accepted(const struct graph *graph, struct scratch *scratch, struct candidate start,
                   uint32_t ef, walk_accept *accept, void *context, struct mono_time deadline);

// Puts a candidate into the pool of at most room; returns its place, or room where it is too far.
uint32_t pool_put(struct scratch *scratch, uint32_t room, struct candidate candidate);

// Numbers for nodes, graph.c. False: out of memory.
bool graph_node_take(struct graph *graph, uint32_t *ret_node);
bool graph_nodes_give_back(struct graph *graph, const uint32_t *nodes, uint32_t count);

// Links of a list as it is now; returns how many.
static inline uint32_t links_read(const struct graph *graph, uint32_t node, int level,
                                  uint32_t ret_links[LINKS_PER_M * INDEX_M_MAX])
{
    const _Atomic uint32_t *links = graph_links(graph, node, level);
    uint32_t room = graph_link_room(graph, level), count = 0;
    while (count < room) {
        uint32_t link = atomic_load_explicit(&links[count], memory_order_acquire);
        if (link == NO_NODE)
            break;
        ret_links[count++] = link;
    }
    return count;
}

#endif
