// An array that grows without moving: addresses are reserved at once, memory is taken piece by
// piece. So readers need no lock, and the beginning can be a mapped file.
#ifndef VECTORS_INDEX_REGION_H
#define VECTORS_INDEX_REGION_H

#include <stdatomic.h>
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

// Bytes in an unnamed file of the directory, whose blocks are taken at once, mapped and zero: they
// count as a file's, so that the kernel can take them out of memory. NULL: there is no room.
void *file_bytes_new(const char *directory, size_t bytes);
void file_bytes_free(void *mapped, size_t bytes);
// Bytes of a mapping are read here and there: nothing around them is worth reading too.
void file_bytes_are_scattered(const void *mapped, size_t bytes);

// A file that is mapped, readable, as long as somebody holds it.
struct file_map {
    atomic_uint refs;
    const uint8_t *bytes;
    size_t length;
    int fd; // owned
};

// With one reference. NULL: the file cannot be opened, or is empty.
struct file_map *file_map_open(const char *path);
void file_map_hold(struct file_map *map);
// Takes NULL.
void file_map_release(struct file_map *map);

#endif
