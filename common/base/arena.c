#include "base/arena.h"

#include <stdalign.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    BLOCK_BYTES_MIN = 4096,
    ALIGNMENT = alignof(max_align_t)
};

struct arena_block {
    struct arena_block *next; // older
    size_t size;              // of bytes
    alignas(max_align_t) unsigned char bytes[];
};

static void *protobuf_alloc(void *arena, size_t size)
{
    return arena_alloc(arena, size);
}

static void protobuf_free(void *arena, void *pointer)
{
    (void)arena;
    (void)pointer;
}

void arena_init(struct arena *arena, size_t budget_bytes)
{
    *arena = (struct arena){.budget = budget_bytes};
    arena->protobuf = (ProtobufCAllocator){protobuf_alloc, protobuf_free, arena};
}

static void free_blocks(struct arena_block *block)
{
    while (block) {
        struct arena_block *next = block->next;
        free(block);
        block = next;
    }
}

void arena_fini(struct arena *arena)
{
    if (!arena)
        return;
    free_blocks(arena->blocks);
    arena->blocks = NULL;
    arena->used = 0;
    arena->held = 0;
}

void arena_reset(struct arena *arena, size_t keep_bytes)
{
    struct arena_block *kept = arena->blocks;
    if (kept && kept->size <= keep_bytes) {
        free_blocks(kept->next);
        kept->next = NULL;
        arena->held = kept->size;
    } else {
        arena_fini(arena);
    }
    arena->used = 0;
    arena->budget_hit = arena->has_failed = false;
}

// Makes a block that holds at least size bytes, growing geometrically while the budget allows.
static bool add_block(struct arena *arena, size_t size)
{
    size_t left = arena->budget - arena->held;
    if (arena->held > arena->budget || size > left) {
        arena->budget_hit = arena->has_failed = true;
        return false;
    }
    size_t wanted = arena->held > BLOCK_BYTES_MIN ? arena->held : BLOCK_BYTES_MIN;
    if (wanted < size)
        wanted = size;
    if (wanted > left)
        wanted = left;
    struct arena_block *block = malloc(sizeof *block + wanted);
    if (!block) {
        arena->has_failed = true;
        return false;
    }
    block->next = arena->blocks;
    block->size = wanted;
    arena->blocks = block;
    arena->held += wanted;
    arena->used = 0;
    return true;
}

bool arena_reserve(struct arena *arena, size_t size)
{
    bool has_room = arena->blocks && arena->blocks->size - arena->used >= size;
    return has_room || add_block(arena, size);
}

void *arena_alloc(struct arena *arena, size_t size)
{
    if (size > SIZE_MAX - ALIGNMENT)
        return NULL;
    size_t rounded = size ? (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT : ALIGNMENT;
    if (!arena->blocks || arena->blocks->size - arena->used < rounded) {
        if (!add_block(arena, rounded))
            return NULL;
    }
    void *pointer = arena->blocks->bytes + arena->used;
    arena->used += rounded;
    return pointer;
}

void *arena_calloc(struct arena *arena, size_t count, size_t size)
{
    size_t total;
    if (__builtin_mul_overflow(count, size, &total))
        return NULL;
    void *pointer = arena_alloc(arena, total);
    if (pointer)
        memset(pointer, 0, total);
    return pointer;
}

char *arena_copy(struct arena *arena, const void *bytes, size_t size)
{
    if (size == SIZE_MAX)
        return NULL;
    char *copy = arena_alloc(arena, size + 1);
    if (!copy)
        return NULL;
    if (size)
        memcpy(copy, bytes, size);
    copy[size] = '\0';
    return copy;
}

char *arena_string(struct arena *arena, const char *text)
{
    return arena_copy(arena, text, strlen(text));
}

char *arena_printf(struct arena *arena, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int length = vsnprintf(NULL, 0, format, args);
    va_end(args);
    char *text = length < 0 ? NULL : arena_alloc(arena, (size_t)length + 1);
    if (!text)
        return NULL;
    va_start(args, format);
    vsnprintf(text, (size_t)length + 1, format, args);
    va_end(args);
    return text;
}
