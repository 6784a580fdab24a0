#include "vectors/chunk.h"

#include <stdlib.h>
#include <string.h>

enum {
    TEXT_BLOCK_BYTES = 4096
};

struct text_block {
    struct text_block *next;
    size_t size, used;
    char bytes[];
};

static void *alloc_aligned(size_t bytes)
{
    return aligned_alloc(ROW_ALIGNMENT,
                         (bytes + ROW_ALIGNMENT - 1) / ROW_ALIGNMENT * ROW_ALIGNMENT);
}

struct row_chunk *chunk_new(uint32_t capacity, uint32_t dim)
{
    struct row_chunk *chunk = calloc(1, sizeof *chunk);
    if (!chunk)
        return NULL;
    atomic_init(&chunk->refs, 1);
    atomic_init(&chunk->count, 0);
    chunk->capacity = capacity;
    chunk->vectors = alloc_aligned((size_t)capacity * dim * sizeof *chunk->vectors);
    chunk->nums = malloc(capacity * sizeof *chunk->nums);
    chunk->born = malloc(capacity * sizeof *chunk->born);
    chunk->dead = malloc(capacity * sizeof *chunk->dead);
    chunk->ids = malloc(capacity * sizeof *chunk->ids);
    if (!chunk->vectors || !chunk->nums || !chunk->born || !chunk->dead || !chunk->ids) {
        chunk_release(chunk);
        return NULL;
    }
    chunk->bytes =
        sizeof *chunk + capacity * ((size_t)dim * sizeof *chunk->vectors + sizeof *chunk->nums +
                                    sizeof *chunk->born + sizeof *chunk->dead + sizeof *chunk->ids);
    return chunk;
}

void chunk_hold(struct row_chunk *chunk)
{
    atomic_fetch_add_explicit(&chunk->refs, 1, memory_order_relaxed);
}

void chunk_release(struct row_chunk *chunk)
{
    if (!chunk || atomic_fetch_sub_explicit(&chunk->refs, 1, memory_order_acq_rel) > 1)
        return;
    while (chunk->texts) {
        struct text_block *next = chunk->texts->next;
        free(chunk->texts);
        chunk->texts = next;
    }
    free(chunk->vectors);
    free(chunk->nums);
    free(chunk->born);
    free(chunk->dead);
    free(chunk->ids);
    free(chunk);
}

static char *add_text(struct row_chunk *chunk, const char *text)
{
    size_t size = strlen(text) + 1;
    struct text_block *block = chunk->texts;
    if (!block || block->size - block->used < size) {
        size_t room = size > TEXT_BLOCK_BYTES ? size : TEXT_BLOCK_BYTES;
        block = malloc(sizeof *block + room);
        if (!block)
            return NULL;
        *block = (struct text_block){.next = chunk->texts, .size = room};
        chunk->texts = block;
        chunk->bytes += sizeof *block + room;
    }
    char *copy = memcpy(block->bytes + block->used, text, size);
    block->used += size;
    return copy;
}

float *chunk_append(struct row_chunk *chunk, uint32_t dim, int64_t num, const char *id,
                    int64_t born)
{
    uint32_t row = atomic_load_explicit(&chunk->count, memory_order_relaxed);
    char *text = add_text(chunk, id);
    if (!text)
        return NULL;
    chunk->nums[row] = num;
    chunk->born[row] = born;
    atomic_init(&chunk->dead[row], INT64_MAX);
    chunk->ids[row] = text;
    return chunk->vectors + (size_t)row * dim;
}

void chunk_publish(struct row_chunk *chunk)
{
    atomic_fetch_add_explicit(&chunk->count, 1, memory_order_release);
}

void chunk_kill(struct row_chunk *chunk, uint32_t row, int64_t sequence)
{
    if (atomic_load_explicit(&chunk->dead[row], memory_order_relaxed) != INT64_MAX)
        return;
    atomic_store_explicit(&chunk->dead[row], sequence, memory_order_relaxed);
    chunk->dead_count++;
    if (sequence > chunk->last_dead)
        chunk->last_dead = sequence;
}
