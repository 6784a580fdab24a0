#include "vectors/index/walk.h"

#include <stdlib.h>
#include <string.h>

enum {
    LINE_BYTES = 64,
    ROOM_SLACK = 1024
};

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
        scratch->touched = malloc((words + 1) * sizeof *scratch->touched);
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

void walk_forget(struct scratch *scratch)
{
    for (uint32_t i = 0; i < scratch->touched_count; i++)
        scratch->visited[scratch->touched[i]] = 0;
    scratch->touched_count = 0;
}

void scratch_give_back(struct graph *graph, struct scratch *scratch)
{
    walk_forget(scratch);
    pthread_mutex_lock(&graph->scratch_lock);
    scratch->next = graph->scratches;
    graph->scratches = scratch;
    pthread_mutex_unlock(&graph->scratch_lock);
}

// --- walking

static void queue_close_up(struct walk_queue *queue)
{
    struct code_run *run = &queue->run;
    size_t at = run->at, left = run->known_count - at;
    memmove(queue->nodes, queue->nodes + at, left * sizeof *queue->nodes);
    *run = (struct code_run){.numbers = queue->nodes,
                             .known_count = left,
                             .asked_count = run->asked_count > at ? run->asked_count - at : 0};
}

void walk_gather(const struct graph *graph, struct scratch *scratch, uint32_t node, int level,
                 struct walk_queue *queue)
{
    const _Atomic uint32_t *links = graph_links(graph, node, level);
    uint32_t room = graph_link_room(graph, level);
    if (queue->run.known_count + room > sizeof queue->nodes / sizeof *queue->nodes)
        queue_close_up(queue);
    uint32_t *known = queue->nodes + queue->run.known_count;
    for (uint32_t i = 0; i < room; i++) {
        uint32_t link = atomic_load_explicit(&links[i], memory_order_acquire);
        if (link == NO_NODE)
            break;
        if (link >= scratch->node_limit)
            continue;
        *known = link;
        known += walk_visit(scratch, link);
    }
    queue->run.known_count = (size_t)(known - queue->nodes);
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

static struct candidate compare_one(const struct graph *graph, const struct scratch *scratch,
                                    uint32_t node)
{
    struct code_run run = {.numbers = &node, .known_count = 1};
    return (struct candidate){
        code_run_next(&graph->format, &scratch->query, graph->codes.base, &run), node};
}

struct candidate walk_down(const struct graph *graph, struct scratch *scratch, uint32_t entry,
                           int level)
{
    struct candidate nearest = compare_one(graph, scratch, entry);
    struct walk_queue queue;
    walk_queue_init(&queue);
    for (int at = graph_level(graph, entry); at > level; at--) {
        uint32_t from = NO_NODE;
        while (from != nearest.node) {
            from = nearest.node;
            walk_gather(graph, scratch, from, at, &queue);
            while (walk_queue_count(&queue)) {
                struct candidate found = walk_queue_take(graph, scratch, &queue);
                if (found.distance < nearest.distance)
                    nearest = found;
            }
        }
        walk_forget(scratch);
    }
    return nearest;
}

static inline void prefetch_links(const struct graph *graph, uint32_t node, int level)
{
    const char *links = (const char *)graph_links(graph, node, level);
    size_t bytes = graph_link_room(graph, level) * sizeof(uint32_t);
    for (size_t at = 0; at < bytes; at += LINE_BYTES)
        __builtin_prefetch(links + at);
}

// The nearest of the pool whose links were not looked at, marked; NO_NODE: there is none. *next:
// all before it are marked.
static inline uint32_t take_next(struct scratch *scratch, uint32_t *next)
{
    for (; *next < scratch->pool_count; ++*next) {
        uint32_t node = scratch->pool[*next].node;
        if (node & WALK_EXPANDED)
            continue;
        scratch->pool[(*next)++].node |= WALK_EXPANDED;
        return node;
    }
    return NO_NODE;
}

// Compares the first `count` of the queue; whose links will be wanted next is asked for.
static inline void put_some(const struct graph *graph, struct scratch *scratch, int level,
                            uint32_t ef, struct walk_queue *queue, size_t count, uint32_t *next)
{
    for (; count; count--) {
        struct candidate found = walk_queue_take(graph, scratch, queue);
        uint32_t place = pool_put(scratch, ef, found);
        if (place > *next)
            continue;
        prefetch_links(graph, found.node, level);
        *next = place;
    }
}

// One step ahead: while the codes around one node are compared, those around the next are on their
// way.
void walk_level(const struct graph *graph, struct scratch *scratch, struct candidate start,
                int level, uint32_t ef)
{
    struct walk_queue queue;
    uint32_t next = 0;
    walk_queue_init(&queue);
    walk_forget(scratch);
    walk_visit(scratch, start.node);
    scratch->pool[0] = start;
    scratch->pool_count = 1;
    for (;;) {
        size_t count = walk_queue_count(&queue);
        uint32_t node = take_next(scratch, &next);
        if (node != NO_NODE)
            walk_gather(graph, scratch, node, level, &queue);
        else if (!count)
            break;
        put_some(graph, scratch, level, ef, &queue, count, &next);
    }
    for (uint32_t i = 0; i < scratch->pool_count; i++)
        scratch->pool[i].node &= ~WALK_EXPANDED;
}
