#include "vectors/index/walk.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

enum {
    LINE_BYTES = 64,
    PREFETCH_MAX = 1024, // bytes of a code; the rest follows by itself
    ROOM_SLACK = 1024,
    STEPS_BETWEEN_CLOCKS = 1024
};

#define EXPANDED ((uint32_t)1 << 31)

// --- scratches

static void scratch_free(struct scratch *scratch)
{
    free(scratch->visited);
    free(scratch->touched);
    free(scratch->pool);
    free(scratch->heap);
    free(scratch->query_memory);
    free(scratch);
}

void scratches_free(struct graph *graph)
{
    while (graph->scratches) {
        struct scratch *next = graph->scratches->next;
        scratch_free(graph->scratches);
        graph->scratches = next;
    }
}

static struct scratch *scratch_new(const struct graph *graph)
{
    struct scratch *scratch = calloc(1, sizeof *scratch);
    if (!scratch)
        return NULL;
    size_t bytes = code_query_bytes(&graph->format);
    scratch->query_memory = aligned_alloc(LINE_BYTES, (bytes + LINE_BYTES - 1) / LINE_BYTES * 64);
    if (!scratch->query_memory) {
        scratch_free(scratch);
        return NULL;
    }
    return scratch;
}

static bool scratch_fit(const struct graph *graph, struct scratch *scratch, uint32_t pool_room)
{
    scratch->node_limit = atomic_load_explicit(&graph->count, memory_order_acquire);
    size_t words = scratch->node_limit / 64 + 1;
    if (words > scratch->visited_words) {
        free(scratch->visited);
        free(scratch->touched);
        scratch->visited_words = 0;
        words += ROOM_SLACK;
        scratch->visited = calloc(words, sizeof *scratch->visited);
        scratch->touched = malloc(words * sizeof *scratch->touched);
        if (!scratch->visited || !scratch->touched)
            return false;
        scratch->visited_words = words;
    }
    if (pool_room > scratch->pool_room) {
        free(scratch->pool);
        scratch->pool = calloc(pool_room, sizeof *scratch->pool);
        scratch->pool_room = scratch->pool ? pool_room : 0;
    }
    return scratch->pool_room >= pool_room;
}

bool scratch_take(struct graph *graph, const float *vector, uint32_t pool_room,
                  struct scratch **ret_scratch)
{
    pthread_mutex_lock(&graph->scratch_lock);
    struct scratch *scratch = graph->scratches;
    if (scratch)
        graph->scratches = scratch->next;
    pthread_mutex_unlock(&graph->scratch_lock);
    if (!scratch)
        scratch = scratch_new(graph);
    if (!scratch)
        return false;
    if (!scratch_fit(graph, scratch, pool_room)) {
        scratch_free(scratch);
        return false;
    }
    if (!code_query_init(&graph->format, vector, scratch->query_memory, &scratch->query)) {
        scratch_give_back(graph, scratch);
        scratch = NULL;
    }
    *ret_scratch = scratch;
    return true;
}

static void forget_visits(struct scratch *scratch)
{
    for (uint32_t i = 0; i < scratch->touched_count; i++)
        scratch->visited[scratch->touched[i]] = 0;
    scratch->touched_count = 0;
}

void scratch_give_back(struct graph *graph, struct scratch *scratch)
{
    forget_visits(scratch);
    pthread_mutex_lock(&graph->scratch_lock);
    scratch->next = graph->scratches;
    graph->scratches = scratch;
    pthread_mutex_unlock(&graph->scratch_lock);
}

// --- walking

// True the first time.
static inline bool visit(struct scratch *scratch, uint32_t node)
{
    uint64_t *word = &scratch->visited[node / 64];
    uint64_t bit = (uint64_t)1 << node % 64;
    if (*word & bit)
        return false;
    if (!*word)
        scratch->touched[scratch->touched_count++] = node / 64;
    *word |= bit;
    return true;
}

static inline void prefetch_code(const struct graph *graph, uint32_t node)
{
    const uint8_t *code = graph_code(graph, node);
    size_t bytes = graph->format.stride < PREFETCH_MAX ? graph->format.stride : PREFETCH_MAX;
    for (size_t at = 0; at < bytes; at += LINE_BYTES)
        __builtin_prefetch(code + at);
}

struct neighbours {
    uint32_t nodes[LINKS_PER_M * INDEX_M_MAX];
    float distances[LINKS_PER_M * INDEX_M_MAX];
    uint32_t count;
};

// Those that were not visited. Their codes are all asked for before the first is looked at, so that
// their ways from memory overlap.
static inline void score_neighbours(const struct graph *graph, struct scratch *scratch,
                                    uint32_t node, int level, struct neighbours *ret)
{
    const _Atomic uint32_t *links = graph_links(graph, node, level);
    uint32_t room = graph_link_room(graph, level);
    ret->count = 0;
    for (uint32_t i = 0; i < room; i++) {
        uint32_t link = atomic_load_explicit(&links[i], memory_order_acquire);
        if (link == NO_NODE)
            break;
        if (link >= scratch->node_limit || !visit(scratch, link))
            continue;
        prefetch_code(graph, link);
        ret->nodes[ret->count++] = link;
    }
    code_score(&graph->format, &scratch->query, graph->codes.base, ret->nodes, ret->count,
               ret->distances);
}

uint32_t pool_put(struct scratch *scratch, uint32_t room, struct candidate candidate)
{
    struct candidate *pool = scratch->pool;
    uint32_t count = scratch->pool_count;
    if (count == room && !(candidate.distance < pool[count - 1].distance))
        return room;
    uint32_t low = 0, high = count;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (candidate.distance < pool[middle].distance)
            high = middle;
        else
            low = middle + 1;
    }
    if (count < room)
        scratch->pool_count++;
    else
        count--;
    memmove(pool + low + 1, pool + low, (count - low) * sizeof *pool);
    pool[low] = candidate;
    return low;
}

struct candidate walk_down(const struct graph *graph, struct scratch *scratch, uint32_t entry,
                           int level)
{
    struct candidate nearest = {.node = entry};
    code_score(&graph->format, &scratch->query, graph->codes.base, &entry, 1, &nearest.distance);
    for (int at = graph_level(graph, entry); at > level; at--) {
        bool has_moved = true;
        while (has_moved) {
            struct neighbours near;
            has_moved = false;
            score_neighbours(graph, scratch, nearest.node, at, &near);
            for (uint32_t i = 0; i < near.count; i++) {
                if (near.distances[i] < nearest.distance) {
                    nearest = (struct candidate){near.distances[i], near.nodes[i]};
                    has_moved = true;
                }
            }
        }
        forget_visits(scratch);
    }
    return nearest;
}

void walk_level(const struct graph *graph, struct scratch *scratch, struct candidate start,
                int level, uint32_t ef)
{
    struct neighbours near = {.count = 0};
    uint32_t next = 0;
    forget_visits(scratch);
    visit(scratch, start.node);
    scratch->pool[0] = start;
    scratch->pool_count = 1;
    while (next < scratch->pool_count) {
        struct candidate *at = &scratch->pool[next];
        if (at->node & EXPANDED) {
            next++;
            continue;
        }
        uint32_t node = at->node;
        at->node |= EXPANDED;
        score_neighbours(graph, scratch, node, level, &near);
        next++;
        for (uint32_t i = 0; i < near.count; i++) {
            uint32_t place =
                pool_put(scratch, ef, (struct candidate){near.distances[i], near.nodes[i]});
            next = place < next ? place : next;
        }
    }
    for (uint32_t i = 0; i < scratch->pool_count; i++)
        scratch->pool[i].node &= ~EXPANDED;
}

// --- walking where only some count

static bool heap_push(struct scratch *scratch, struct candidate candidate)
{
    if (scratch->heap_count == scratch->heap_room) {
        uint32_t room = scratch->heap_room ? scratch->heap_room * 2 : ROOM_SLACK;
        struct candidate *grown = realloc(scratch->heap, room * sizeof *grown);
        if (!grown)
            return false;
        scratch->heap = grown;
        scratch->heap_room = room;
    }
    struct candidate *heap = scratch->heap;
    uint32_t at = scratch->heap_count++;
    while (at && candidate.distance < heap[(at - 1) / 2].distance) {
        heap[at] = heap[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    heap[at] = candidate;
    return true;
}

static struct candidate heap_pop(struct scratch *scratch)
{
    struct candidate *heap = scratch->heap, top = heap[0];
    struct candidate last = heap[--scratch->heap_count];
    uint32_t at = 0, count = scratch->heap_count;
    for (uint32_t child = 1; child < count; child = 2 * at + 1) {
        if (child + 1 < count && heap[child + 1].distance < heap[child].distance)
            child++;
        if (last.distance <= heap[child].distance)
            break;
        heap[at] = heap[child];
        at = child;
    }
    heap[at] = last;
    return top;
}

bool walk_accepted(const struct graph *graph, struct scratch *scratch, struct candidate start,
                   uint32_t ef, walk_accept *accept, void *context, struct mono_time deadline)
{
    struct neighbours near;
    forget_visits(scratch);
    visit(scratch, start.node);
    scratch->pool_count = 0;
    scratch->heap_count = 0;
    if (accept(context, start.node))
        pool_put(scratch, ef, start);
    bool is_ok = heap_push(scratch, start);
    for (size_t step = 1; is_ok && scratch->heap_count; step++) {
        struct candidate at = heap_pop(scratch);
        if (scratch->pool_count == ef && at.distance > scratch->pool[ef - 1].distance)
            break;
        if (step % STEPS_BETWEEN_CLOCKS == 0 && clock_left_ms(deadline) == 0)
            return false;
        score_neighbours(graph, scratch, at.node, 0, &near);
        for (uint32_t i = 0; is_ok && i < near.count; i++) {
            struct candidate found = {near.distances[i], near.nodes[i]};
            if (scratch->pool_count == ef && found.distance >= scratch->pool[ef - 1].distance)
                continue;
            is_ok = heap_push(scratch, found);
            if (accept(context, found.node))
                pool_put(scratch, ef, found);
        }
    }
    return is_ok;
}
