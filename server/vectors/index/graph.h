// The graph over a collection's rows: hierarchical navigable small worlds (Malkov and Yashunin,
// Efficient and Robust Approximate Nearest Neighbor Search Using HNSW Graphs, TPAMI 2020), walked
// on codes, pruned and answered by float32.
//
// A node is a number; what it has stands in arrays that grow and never move: its code, its links on
// level 0 (LINKS_PER_M × m slots, NO_NODE behind the last) and on higher levels, the row it stands
// for. Searches take no lock: links are atomic numbers of nodes which are always valid, and a list
// that changes under a reader shows it a mix of old and new. Whoever changes a list holds its
// stripe's lock.
//
// Many threads insert (graph_insert), each within graph_work_begin and _end; sweeping out dead
// nodes (hnsw_delete.c) and writing files happen one at a time, and shut inserts out where they say
// so. A dead row's node is passed through until nobody can see the row; then it is doomed, links to
// it are repaired, and when the last search that may stand on it is over, its number is used again.
#ifndef VECTORS_INDEX_GRAPH_H
#define VECTORS_INDEX_GRAPH_H

#include <pthread.h>
#include <stdatomic.h>

#include "vectors/index/codes.h"
#include "vectors/index/region.h"
#include "vectors/rows.h"

#define NO_NODE UINT32_MAX

enum {
    GRAPH_LEVELS_MAX = 16,
    GRAPH_NODES_MAX = 1 << 30,
    GRAPH_STRIPES = 256,
    LINKS_PER_M = 2 // on level 0
};

enum node_state {
    NODE_FREE,   // or being made
    NODE_LIVE,   // linked; its row may be dead
    NODE_DOOMED, // nobody can see its row; links to it go
    NODE_PARKED  // unlinked; free when the searches of now are over
};

struct graph {
    atomic_uint refs;
    struct code_format format;
    struct index_settings settings; // with no 0 in it
    uint32_t max_nodes;
    struct region codes;    // uint8_t[][format.stride]
    struct region links;    // _Atomic uint32_t[][LINKS_PER_M × m], level 0
    struct region uppers;   // _Atomic uint32_t[][m]; a node of level n has n in a row
    struct region upper_at; // uint32_t[]: where in uppers, in the first of n
    struct region levels;   // uint8_t[]
    struct region states;   // _Atomic uint8_t[], of enum node_state
    struct region rows;     // struct row *_Atomic[]; NULL: the row is gone
    struct region places;   // _Atomic uint32_t[]: the record's place in nodes_of, and 1; 0: none
    struct region nodes_of; // _Atomic uint32_t[number_count] (numbers.h): the node, and 1; 0: none
    atomic_uint count;      // nodes ever handed out; those from it on are not there
    atomic_uint live_count; // NODE_LIVE
    atomic_uint entry;      // node where searches begin; NO_NODE: there is none
    int64_t first_num;      // of nodes_of; stands since number_count is not 0
    atomic_uint number_count;
    _Atomic int64_t newest_born; // of the rows with entries there
    atomic_size_t bytes;         // of memory

    pthread_mutex_t alloc_lock; // guards what follows, and growing
    uint32_t upper_count;
    uint32_t *free_nodes; // owned; a stack
    uint32_t free_count, free_room;

    pthread_rwlock_t work_lock; // inserts share it
    pthread_mutex_t stripes[GRAPH_STRIPES];

    pthread_mutex_t scratch_lock;
    struct scratch *scratches; // idle ones, owned

    // Searches under way, by the parity of the epoch in which they began.
    atomic_uint epoch;
    atomic_uint active[2];
    // The sweep, hnsw_delete.c; its thread's.
    uint32_t *doomed; // owned
    uint32_t doomed_count;
    uint32_t sweep_at;
    bool is_sweeping, is_parked;
};

// settings has no zeros. NULL: out of memory, or of addresses.
struct graph *graph_new(const struct index_settings *settings, bool is_dot, uint32_t dim);
// What a node takes, about.
size_t graph_node_bytes(const struct index_settings *settings, uint32_t dim);
void graph_hold(struct graph *graph);
// Takes NULL.
void graph_release(struct graph *graph);

// --- building (hnsw_build.c), from any thread that holds a set of the rows

void graph_work_begin(struct graph *graph);
void graph_work_end(struct graph *graph);
// Gives the row a node and links it; *ret_node may also be ROW_UNFIT. False: out of memory.
bool graph_insert(struct graph *graph, struct row *row, uint32_t *ret_node);
// Inserts up to max waiting rows of a set, which the caller holds; those that died at or before
// floor are passed over. Returns how many rows it took.
uint32_t graph_catch_up(struct graph *graph, struct row_set *set, int64_t floor, uint32_t max);
// Room for so many items of one of the graph's regions; alloc_lock held. False: out of memory.
bool graph_region_grow(struct graph *graph, struct region *region, size_t count);
// The changer of rows: the row of a node has moved, or is gone (NULL).
void graph_move(struct graph *graph, struct row *old, struct row *new);

// --- deleting (hnsw_delete.c), one thread at a time that holds a set of the rows

// Nodes whose row nobody sees from the sequence floor on, that are not yet swept; a sweep is worth
// its while when they are many.
size_t graph_dead_count(const struct graph *graph, int64_t floor);
// Does up to step nodes of a sweep, beginning one where none is under way. False: it is finished,
// or there is nothing to do.
bool graph_sweep(struct graph *graph, int64_t floor, uint32_t step);

// --- searching (hnsw_search.c)

struct topk;
struct index_search;
// Offers the nearest of one query, with at least k of those it may find where the graph has them.
// False: out of memory. *ret_is_fit false: codes say nothing about this query.
bool graph_search(struct graph *graph, const struct index_search *search, size_t query,
                  struct topk *topk, bool *ret_is_fit);
// Offers the nearest of each query among the records of search->only, by looking at all their
// codes; topks are empty. *ret_count: of how many records this is true, the others have to be
// looked for among the rows; 0 where codes say nothing about a query, or the deadline has passed.
// False: out of memory.
bool graph_scan(struct graph *graph, const struct index_search *search, struct topk *topks,
                uint32_t *ret_count);

// --- what nodes have

static inline uint8_t *graph_code(const struct graph *graph, uint32_t node)
{
    return graph->codes.base + (size_t)node * graph->format.stride;
}

static inline uint32_t graph_link_room(const struct graph *graph, int level)
{
    return level ? graph->settings.m : graph->settings.m * LINKS_PER_M;
}

static inline _Atomic uint32_t *graph_links(const struct graph *graph, uint32_t node, int level)
{
    size_t m = graph->settings.m;
    if (!level)
        return (_Atomic uint32_t *)(void *)graph->links.base + node * m * LINKS_PER_M;
    size_t at = ((const uint32_t *)(const void *)graph->upper_at.base)[node] + (size_t)level - 1;
    return (_Atomic uint32_t *)(void *)graph->uppers.base + at * m;
}

static inline int graph_level(const struct graph *graph, uint32_t node)
{
    return graph->levels.base[node];
}

static inline _Atomic uint8_t *graph_state(const struct graph *graph, uint32_t node)
{
    return (_Atomic uint8_t *)(void *)graph->states.base + node;
}

static inline bool graph_is_live(const struct graph *graph, uint32_t node)
{
    return atomic_load_explicit(graph_state(graph, node), memory_order_acquire) == NODE_LIVE;
}

// Stays as long as the set that the caller holds.
static inline struct row *graph_row(const struct graph *graph, uint32_t node)
{
    struct row *_Atomic *rows = (struct row * _Atomic *)(void *)graph->rows.base;
    return atomic_load_explicit(&rows[node], memory_order_acquire);
}

#endif
