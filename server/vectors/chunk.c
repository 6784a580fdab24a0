#include "vectors/chunk.h"

#include <stdlib.h>
#include <string.h>

#include "vectors/index/region.h"

enum {
    TEXT_BLOCK_BYTES = 4096 // at most, unless one text is longer
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

struct row_chunk *chunk_new(uint32_t capacity, uint32_t dim, const char *directory)
{
    size_t vector_bytes = (size_t)capacity * dim * sizeof(float);
    struct row_chunk *chunk = calloc(1, sizeof *chunk);
    if (!chunk)
        return NULL;
    atomic_init(&chunk->refs, 1);
    atomic_init(&chunk->count, 0);
    chunk->capacity = capacity;
    chunk->vectors =
        directory ? file_bytes_new(directory, vector_bytes) : alloc_aligned(vector_bytes);
    chunk->file_bytes = directory ? vector_bytes : 0;
    chunk->rows = malloc(capacity * sizeof *chunk->rows);
    if (!chunk->vectors || !chunk->rows) {
        chunk_release(chunk);
        return NULL;
    }
    chunk->bytes =
        sizeof *chunk + capacity * sizeof *chunk->rows + vector_bytes - chunk->file_bytes;
    return chunk;
}

static bool map_row(const struct mapped_rows *mapped, size_t at, uint32_t dim, struct row *ret_row)
{
    uint64_t begin = at ? mapped->id_ends[at - 1] : 0, end = mapped->id_ends[at];
    if (begin >= end || end > mapped->id_bytes || mapped->ids[end - 1])
        return false;
    *ret_row = (struct row){.num = mapped->nums[at],
                            .born = mapped->sequence,
                            .dead = INT64_MAX,
                            .id = mapped->ids + begin,
                            .vector = mapped->vectors + at * dim,
                            .node = ROW_WAITING};
    return true;
}

struct row_chunk *chunk_map(const struct mapped_rows *mapped, size_t first, uint32_t count,
                            uint32_t dim, bool is_on_disk)
{
    struct row_chunk *chunk = calloc(1, sizeof *chunk);
    if (!chunk)
        return NULL;
    atomic_init(&chunk->refs, 1);
    file_map_hold(mapped->map);
    chunk->map = mapped->map;
    chunk->capacity = count;
    chunk->vectors = (float *)(uintptr_t)(mapped->vectors + first * dim); // never written: full
    chunk->rows = malloc(count * sizeof *chunk->rows);
    bool is_there = chunk->rows != NULL;
    for (uint32_t i = 0; is_there && i < count; i++)
        is_there = map_row(mapped, first + i, dim, &chunk->rows[i]);
    if (!is_there) {
        chunk_release(chunk);
        return NULL;
    }
    atomic_init(&chunk->count, count);
    uint64_t ids_begin = first ? mapped->id_ends[first - 1] : 0;
    size_t vector_bytes = (size_t)count * dim * sizeof *chunk->vectors;
    chunk->bytes = sizeof *chunk + mapped->id_ends[first + count - 1] - ids_begin +
                   count * sizeof *chunk->rows + (is_on_disk ? 0 : vector_bytes);
    if (is_on_disk)
        file_bytes_are_scattered(chunk->vectors, vector_bytes);
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
    if (chunk->map)
        file_map_release(chunk->map);
    else if (chunk->file_bytes)
        file_bytes_free(chunk->vectors, chunk->file_bytes);
    else
        free(chunk->vectors);
    free(chunk->rows);
    free(chunk);
}

static char *add_text(struct row_chunk *chunk, const char *text)
{
    size_t size = strlen(text) + 1;
    struct text_block *block = chunk->texts;
    if (!block || block->size - block->used < size) {
        size_t room = (size_t)chunk->capacity * ROW_ID_BYTES;
        room = room < TEXT_BLOCK_BYTES ? room : TEXT_BLOCK_BYTES;
        room = room < size ? size : room;
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
    float *vector = chunk->vectors + (size_t)row * dim;
    chunk->rows[row] = (struct row){.num = num,
                                    .born = born,
                                    .dead = INT64_MAX,
                                    .id = text,
                                    .vector = vector,
                                    .node = ROW_WAITING};
    return vector;
}

void chunk_publish(struct row_chunk *chunk)
{
    atomic_fetch_add_explicit(&chunk->count, 1, memory_order_release);
}

void chunk_set_node(struct row_chunk *chunk, uint32_t row, uint32_t node)
{
    atomic_store_explicit(&chunk->rows[row].node, node, memory_order_release);
    if (node == ROW_UNFIT)
        atomic_fetch_add_explicit(&chunk->alone, 1, memory_order_relaxed);
}

void chunk_settle(struct row_chunk *chunk)
{
    atomic_fetch_add_explicit(&chunk->settled, 1, memory_order_release);
}

uint32_t chunk_claim(struct row_chunk *chunk, uint32_t max, uint32_t *ret_first)
{
    uint32_t first = atomic_load_explicit(&chunk->claimed, memory_order_relaxed);
    uint32_t count;
    do {
        uint32_t there = atomic_load_explicit(&chunk->count, memory_order_acquire);
        count = there > first ? there - first : 0;
        count = count < max ? count : max;
    } while (count && !atomic_compare_exchange_weak(&chunk->claimed, &first, first + count));
    *ret_first = first;
    return count;
}

void chunk_kill(struct row_chunk *chunk, uint32_t row, int64_t sequence)
{
    if (atomic_load_explicit(&chunk->rows[row].dead, memory_order_relaxed) != INT64_MAX)
        return;
    atomic_store_explicit(&chunk->rows[row].dead, sequence, memory_order_relaxed);
    chunk->dead_count++;
    if (sequence > chunk->last_dead)
        chunk->last_dead = sequence;
}
