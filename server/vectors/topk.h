// The k nearest of what is offered: a bounded heap. Order: distance, then record id by bytes (then
// number, where ids are not known), so that the result does not depend on where rows lie.
#ifndef VECTORS_TOPK_H
#define VECTORS_TOPK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct hit {
    double distance;
    int64_t num;    // of the record
    const char *id; // lives as long as the rows it came from
};

struct topk {
    struct hit *hits; // the caller's, room for k; the farthest first until topk_sort
    uint32_t k;
    uint32_t wanted; // hits asked for; k is less where there are fewer rows
    uint32_t count;
    double max_distance; // INFINITY: no cut-off
    bool was_cut;        // something lay beyond it
};

static inline bool hit_is_nearer(const struct hit *a, const struct hit *b)
{
    if (a->distance != b->distance)
        return a->distance < b->distance;
    int order = strcmp(a->id, b->id);
    return order < 0 || (order == 0 && a->num < b->num);
}

void topk_put(struct topk *topk, const struct hit *hit);

// distance is not NaN.
static inline void topk_offer(struct topk *topk, double distance, int64_t num, const char *id)
{
    if (topk->count && topk->count == topk->k && distance > topk->hits[0].distance)
        return;
    topk_put(topk, &(struct hit){distance, num, id});
}

static inline bool topk_has(const struct topk *topk, int64_t num)
{
    for (uint32_t i = 0; i < topk->count; i++) {
        if (topk->hits[i].num == num)
            return true;
    }
    return false;
}

// Nearest first; nothing can be offered afterwards.
void topk_sort(struct topk *topk);

#endif
