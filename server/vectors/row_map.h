// Where a record's living row is, by record number: open addressing, linear probing.
#ifndef VECTORS_ROW_MAP_H
#define VECTORS_ROW_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct row_place {
    int64_t num; // of the record, never 0; 0: a free slot
    uint32_t chunk;
    uint32_t row;
};

struct row_map {
    struct row_place *slots; // owned
    size_t size;             // a power of two, or 0
    size_t used;
};

// Makes room for so many more. False: out of memory.
bool row_map_reserve(struct row_map *map, size_t more);
void row_map_fini(struct row_map *map);
void row_map_clear(struct row_map *map);

// NULL: the record has no living row.
struct row_place *row_map_find(const struct row_map *map, int64_t num);

// Adds or replaces; there is room.
void row_map_put(struct row_map *map, struct row_place place);
void row_map_remove(struct row_map *map, struct row_place *found);

#endif
