// Walking where only some nodes count: the others are compared and passed through, but take no
// place in the pool, so that the walk goes on until it has enough of those that do.
#include <stdlib.h>

#include "vectors/index/numbers.h"
#include "vectors/index/walk.h"

enum {
    STEPS_BETWEEN_CLOCKS = 1024,
    HEAP_ROOM_MIN = 1024
};

// Where the walk goes on; nearest on top. False: out of memory.
static bool heap_push(struct scratch *scratch, struct candidate candidate)
{
    if (scratch->heap_count == scratch->heap_room) {
        uint32_t room = scratch->heap_room ? scratch->heap_room * 2 : HEAP_ROOM_MIN;
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

// Is there nothing to be found any more where the walk would go on?
static bool is_far(const struct scratch *scratch, uint32_t ef)
{
    return !scratch->heap_count || (scratch->pool_count == ef &&
                                    scratch->heap[0].distance > scratch->pool[ef - 1].distance);
}

// False: out of memory.
static bool offer(const struct graph *graph, struct scratch *scratch, uint32_t ef,
                  const struct num_set *only, struct candidate found)
{
    if (scratch->pool_count == ef && found.distance >= scratch->pool[ef - 1].distance)
        return true;
    if (numbers_match(graph, only, &scratch->sequence, found.node))
        pool_put(scratch, ef, found);
    return heap_push(scratch, found);
}

// One step ahead, as walk_level.
bool walk_matching(const struct graph *graph, struct scratch *scratch, struct candidate start,
                   uint32_t ef, const struct num_set *only, struct mono_time deadline)
{
    struct walk_queue queue;
    walk_queue_init(&queue);
    walk_forget(scratch);
    walk_visit(scratch, start.node);
    scratch->pool_count = 0;
    scratch->heap_count = 0;
    bool is_ok = offer(graph, scratch, ef, only, start);
    for (size_t step = 1; is_ok; step++) {
        size_t count = walk_queue_count(&queue);
        bool is_over = is_far(scratch, ef);
        if (is_over && !count)
            break;
        if (step % STEPS_BETWEEN_CLOCKS == 0 && clock_left_ms(deadline) == 0)
            return false;
        if (!is_over)
            walk_gather(graph, scratch, heap_pop(scratch).node, 0, &queue);
        for (; is_ok && count; count--)
            is_ok = offer(graph, scratch, ef, only, walk_queue_take(graph, scratch, &queue));
    }
    return is_ok;
}
