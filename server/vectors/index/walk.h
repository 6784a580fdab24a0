// Walking through a graph: what searching and building share. A walk's memory is a scratch, of
// which a graph keeps the idle ones.
#ifndef VECTORS_INDEX_WALK_H
#define VECTORS_INDEX_WALK_H

#include "base/clock.h"
#include "vectors/index/graph.h"

struct num_set;

struct candidate {
    float distance;
    uint32_t node;
};

struct scratch {
    struct scratch *next;
    uint32_t node_limit; // nodes from it on came later and are not seen
    int64_t sequence;    // of the search, for walk_matching
    uint64_t *visited;   // owned, one bit for each node
    size_t visited_words;
    uint32_t *touched; // owned: words of visited that are not 0, and room for one more
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

// The same on level 0 where only nodes of records in the set count (walk_matching.c). False: over
// the deadline; what was found is in the pool.
bool walk_matching(const struct graph *graph, struct scratch *scratch, struct candidate start,
                   uint32_t ef, const struct num_set *only, struct mono_time deadline);

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

// --- for the walks themselves

#define WALK_EXPANDED ((uint32_t)1 << 31) // a candidate of the pool whose links were looked at

void walk_forget(struct scratch *scratch); // all visits

// True the first time. Without branches, which nothing could foresee.
static inline bool walk_visit(struct scratch *scratch, uint32_t node)
{
    uint64_t *word = &scratch->visited[node / 64], was = *word;
    scratch->touched[scratch->touched_count] = node / 64;
    scratch->touched_count += !was;
    *word = was | (uint64_t)1 << node % 64;
    return !(was >> node % 64 & 1);
}

// Nodes that a walk has come across, in the order in which they are compared with the query.
struct walk_queue {
    struct code_run run; // of nodes
    uint32_t nodes[2 * LINKS_PER_M * INDEX_M_MAX];
};

static inline void walk_queue_init(struct walk_queue *queue)
{
    queue->run = (struct code_run){.numbers = queue->nodes};
}

static inline size_t walk_queue_count(const struct walk_queue *queue)
{
    return queue->run.known_count - queue->run.at;
}

// Puts the node's links on the level that were not visited before behind the others, which are
// those of one node at most.
void walk_gather(const struct graph *graph, struct scratch *scratch, uint32_t node, int level,
                 struct walk_queue *queue);

// The first of the queue, with its distance; there is one.
static inline struct candidate
walk_queue_take(const struct graph *graph, const struct scratch *scratch, struct walk_queue *queue)
{
    uint32_t node = queue->nodes[queue->run.at];
    return (struct candidate){
        code_run_next(&graph->format, &scratch->query, graph->codes.base, &queue->run), node};
}

#endif
