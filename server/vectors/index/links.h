// Choosing and changing links: what building and deleting share.
#ifndef VECTORS_INDEX_LINKS_H
#define VECTORS_INDEX_LINKS_H

#include "vectors/index/graph.h"

enum {
    NEAR_MAX = 1024 // nodes that links are chosen from
};

struct near {
    float distance; // to the base
    uint32_t node;
    const float *vector; // lives as long as the set of rows that the caller holds
};

// True distances in the graph's terms: -q·x, or squared.
float row_distance(const struct graph *graph, const float *a, const float *b);
void row_distances(const struct graph *graph, const float *query, const float *const *rows,
                   size_t count, float *ret_distances);

// The vector of a node that may get links; NULL: it is on its way out.
const float *linkable_vector(const struct graph *graph, uint32_t node);

// Fills in those of the nodes that may get links, in no order; returns how many.
uint32_t near_from_nodes(const struct graph *graph, const float *base, const uint32_t *nodes,
                         uint32_t count, struct near *ret_near);
void near_sort(struct near *near, uint32_t count);

// Of sorted candidates brings up to room to the front that lie in different directions: each nearer
// to the base than to those before it (algorithm 4 of the paper). is_filled: the rest of the room
// goes to the nearest of the others. Returns how many.
uint32_t links_choose(const struct graph *graph, struct near *near, uint32_t count, uint32_t room,
                      bool is_filled);

void links_lock(struct graph *graph, uint32_t node);
void links_unlock(struct graph *graph, uint32_t node);
// Locked.
void links_write(struct graph *graph, uint32_t node, int level, const struct near *near,
                 uint32_t count);

#endif
