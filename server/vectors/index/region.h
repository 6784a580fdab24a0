// An array that grows without moving: addresses are reserved at once, memory is taken piece by
// piece. So readers need no lock, and the beginning can be a mapped file.
#ifndef VECTORS_INDEX_REGION_H
#define VECTORS_INDEX_REGION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct region {
    uint8_t *base; // NULL: nothing is reserved
    size_t item_bytes;
    size_t reserved;  // bytes of addresses
    size_t committed; // bytes of memory, at the beginning
};

// Addresses for max_count items, no memory. False: there are none left.
bool region_reserve(struct region *region, size_t item_bytes, size_t max_count);
// Memory, which is zero, for at least count items. False: out of memory, or over max_count.
bool region_grow(struct region *region, size_t count);
// Maps a file's bytes over the beginning, of a region that has not grown yet: changes stay private.
bool region_map(struct region *region, int fd, size_t offset, size_t bytes);
void region_release(struct region *region);

#endif
