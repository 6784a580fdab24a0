#include "vectors/row_map.h"

#include <stdlib.h>
#include <string.h>

enum {
    SIZE_MIN = 16
};

static size_t home_of(const struct row_map *map, int64_t num)
{
    // Fibonacci hashing; record numbers differ in their lower bits.
    return (size_t)(((uint64_t)num * 0x9e3779b97f4a7c15u) >> 32) & (map->size - 1);
}

// The slot of the record, or the free one where it would be.
static struct row_place *slot_of(const struct row_map *map, int64_t num)
{
    size_t at = home_of(map, num);
    while (map->slots[at].num && map->slots[at].num != num)
        at = (at + 1) & (map->size - 1);
    return &map->slots[at];
}

bool row_map_reserve(struct row_map *map, size_t more)
{
    if (map->used + more <= map->size / 4 * 3)
        return true;
    struct row_map grown = {.size = map->size ? map->size * 2 : SIZE_MIN, .used = map->used};
    while (map->used + more > grown.size / 4 * 3)
        grown.size *= 2;
    grown.slots = calloc(grown.size, sizeof *grown.slots);
    if (!grown.slots)
        return false;
    for (size_t i = 0; i < map->size; i++) {
        if (map->slots[i].num)
            *slot_of(&grown, map->slots[i].num) = map->slots[i];
    }
    free(map->slots);
    *map = grown;
    return true;
}

void row_map_fini(struct row_map *map)
{
    free(map->slots);
    *map = (struct row_map){0};
}

void row_map_clear(struct row_map *map)
{
    if (map->size)
        memset(map->slots, 0, map->size * sizeof *map->slots);
    map->used = 0;
}

struct row_place *row_map_find(const struct row_map *map, int64_t num)
{
    struct row_place *slot = map->size ? slot_of(map, num) : NULL;
    return slot && slot->num ? slot : NULL;
}

void row_map_put(struct row_map *map, struct row_place place)
{
    struct row_place *slot = slot_of(map, place.num);
    map->used += !slot->num;
    *slot = place;
}

// Closes the gap with what was probed past it, so that no search ends too early (Knuth, The Art of
// Computer Programming, volume 3, section 6.4, algorithm R).
void row_map_remove(struct row_map *map, struct row_place *found)
{
    size_t mask = map->size - 1;
    size_t gap = (size_t)(found - map->slots);
    for (size_t at = (gap + 1) & mask; map->slots[at].num; at = (at + 1) & mask) {
        size_t home = home_of(map, map->slots[at].num);
        // Between gap and at, going round: its search does not pass the gap.
        if (((at - home) & mask) < ((at - gap) & mask))
            continue;
        map->slots[gap] = map->slots[at];
        gap = at;
    }
    map->slots[gap].num = 0;
    map->used--;
}
