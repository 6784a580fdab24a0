#include "vectors/topk.h"

static void swap(struct hit *a, struct hit *b)
{
    struct hit held = *a;
    *a = *b;
    *b = held;
}

static void sift_up(struct hit *hits, uint32_t at)
{
    while (at && hit_is_nearer(&hits[(at - 1) / 2], &hits[at])) {
        swap(&hits[(at - 1) / 2], &hits[at]);
        at = (at - 1) / 2;
    }
}

static void sift_down(struct hit *hits, uint32_t count, uint32_t at)
{
    for (;;) {
        uint32_t child = 2 * at + 1;
        if (child >= count)
            return;
        if (child + 1 < count && hit_is_nearer(&hits[child], &hits[child + 1]))
            child++;
        if (!hit_is_nearer(&hits[at], &hits[child]))
            return;
        swap(&hits[at], &hits[child]);
        at = child;
    }
}

void topk_put(struct topk *topk, const struct hit *hit)
{
    if (hit->distance > topk->max_distance) {
        topk->was_cut = true;
        return;
    }
    if (topk->count < topk->k) {
        topk->hits[topk->count] = *hit;
        sift_up(topk->hits, topk->count++);
        return;
    }
    if (!topk->k || !hit_is_nearer(hit, &topk->hits[0]))
        return;
    topk->hits[0] = *hit;
    sift_down(topk->hits, topk->count, 0);
}

void topk_sort(struct topk *topk)
{
    for (uint32_t left = topk->count; left > 1; left--) {
        swap(&topk->hits[0], &topk->hits[left - 1]);
        sift_down(topk->hits, left - 1, 0);
    }
}
