// Memory that is given back all at once: many small pieces that live as long as one request.
#ifndef CLI_POOL_H
#define CLI_POOL_H

#include <stddef.h>

struct pool_block;

// All zero: an empty pool.
struct pool {
    struct pool_block *blocks;
    size_t used;
    // Bytes given out since the pool was empty.
    size_t bytes;
};

// Aligned for any type, zeroed. NULL: out of memory.
void *pool_alloc(struct pool *pool, size_t size);
// For arrays; NULL also where count × size is too large.
void *pool_array(struct pool *pool, size_t count, size_t size);
char *pool_text(struct pool *pool, const char *text, size_t length);
// Gives everything back; the pool may be used again.
void pool_empty(struct pool *pool);

#endif
