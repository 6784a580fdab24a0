#include "cli/pool.h"

#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

struct pool_block {
    struct pool_block *next;
    size_t size;
    alignas(max_align_t) char bytes[];
};

enum {
    POOL_BLOCK_BYTES = 64 * 1024,
};

void *pool_alloc(struct pool *pool, size_t size)
{
    size_t alignment = alignof(max_align_t);
    if (size > (size_t)1 << 40)
        return NULL;
    size = (size + alignment - 1) / alignment * alignment;
    if (!pool->blocks || pool->blocks->size - pool->used < size) {
        size_t room = size > POOL_BLOCK_BYTES ? size : POOL_BLOCK_BYTES;
        struct pool_block *block = calloc(1, sizeof *block + room);
        if (!block)
            return NULL;
        block->next = pool->blocks;
        block->size = room;
        pool->blocks = block;
        pool->used = 0;
    }
    void *piece = pool->blocks->bytes + pool->used;
    pool->used += size;
    pool->bytes += size;
    return piece;
}

void *pool_array(struct pool *pool, size_t count, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(count ? count : 1, size, &bytes))
        return NULL;
    return pool_alloc(pool, bytes);
}

char *pool_text(struct pool *pool, const char *text, size_t length)
{
    char *copy = pool_alloc(pool, length + 1);
    if (copy)
        memcpy(copy, text, length);
    return copy;
}

void pool_empty(struct pool *pool)
{
    while (pool->blocks) {
        struct pool_block *next = pool->blocks->next;
        free(pool->blocks);
        pool->blocks = next;
    }
    *pool = (struct pool){0};
}
