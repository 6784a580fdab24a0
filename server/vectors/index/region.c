#include "vectors/index/region.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    STEP_MIN = 64 << 10,
    HUGE_BYTES = 2 << 20 // from here on in whole huge pages
};

static size_t rounded(size_t bytes, size_t step)
{
    return (bytes + step - 1) / step * step;
}

bool region_reserve(struct region *region, size_t item_bytes, size_t max_count)
{
    size_t bytes;
    if (__builtin_mul_overflow(item_bytes, max_count, &bytes) || bytes > SIZE_MAX / 2)
        return false;
    bytes = rounded(bytes, HUGE_BYTES);
    void *base = mmap(NULL, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (base == MAP_FAILED)
        return false;
    *region = (struct region){.base = base, .item_bytes = item_bytes, .reserved = bytes};
    return true;
}

// A quarter more than there is, so that growing stays rare.
bool region_grow(struct region *region, size_t count)
{
    size_t needed = count * region->item_bytes;
    if (needed <= region->committed)
        return true;
    if (needed > region->reserved)
        return false;
    size_t wanted = needed + region->committed / 4;
    wanted = rounded(wanted, wanted < HUGE_BYTES ? STEP_MIN : HUGE_BYTES);
    if (wanted > region->reserved)
        wanted = region->reserved;
    if (mprotect(region->base + region->committed, wanted - region->committed,
                 PROT_READ | PROT_WRITE) != 0)
        return false;
    if (wanted >= HUGE_BYTES)
        madvise(region->base, wanted, MADV_HUGEPAGE);
    region->committed = wanted;
    return true;
}

bool region_map(struct region *region, int fd, size_t offset, size_t bytes)
{
    size_t length = rounded(bytes, (size_t)sysconf(_SC_PAGESIZE));
    if (length > region->reserved)
        return false;
    if (length && mmap(region->base, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED, fd,
                       (off_t)offset) == MAP_FAILED)
        return false;
    region->committed = length;
    return true;
}

void region_release(struct region *region)
{
    if (region->base)
        munmap(region->base, region->reserved);
    *region = (struct region){0};
}

void *file_bytes_new(const char *directory, size_t bytes)
{
    char path[PATH_MAX];
    int length = snprintf(path, sizeof path, "%s/vectors-XXXXXX", directory);
    int fd = length < (int)sizeof path ? mkostemp(path, O_CLOEXEC) : -1;
    if (fd < 0)
        return NULL;
    unlink(path);
    void *mapped = MAP_FAILED;
    // A write into a mapped hole of a full disk would end the server.
    if (posix_fallocate(fd, 0, (off_t)bytes) == 0)
        mapped = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (mapped == MAP_FAILED)
        return NULL;
    madvise(mapped, bytes, MADV_RANDOM);
    return mapped;
}

void file_bytes_free(void *mapped, size_t bytes)
{
    if (mapped)
        munmap(mapped, bytes);
}

void file_bytes_are_scattered(const void *mapped, size_t bytes)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), first = (uintptr_t)mapped / page * page;
    madvise((void *)first, (uintptr_t)mapped + bytes - first, MADV_RANDOM);
}

struct file_map *file_map_open(const char *path)
{
    struct stat stat;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return NULL;
    struct file_map *map = calloc(1, sizeof *map);
    if (map && fstat(fd, &stat) == 0 && stat.st_size > 0) {
        void *bytes = mmap(NULL, (size_t)stat.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (bytes != MAP_FAILED) {
            *map = (struct file_map){.bytes = bytes, .length = (size_t)stat.st_size, .fd = fd};
            atomic_init(&map->refs, 1);
            return map;
        }
    }
    free(map);
    close(fd);
    return NULL;
}

void file_map_hold(struct file_map *map)
{
    atomic_fetch_add_explicit(&map->refs, 1, memory_order_relaxed);
}

void file_map_release(struct file_map *map)
{
    if (!map || atomic_fetch_sub_explicit(&map->refs, 1, memory_order_acq_rel) > 1)
        return;
    munmap((void *)(uintptr_t)map->bytes, map->length);
    close(map->fd);
    free(map);
}
