// Memory that is given back all at once, with a budget: a request's decoded message, its domain
// values and its reply.
//
// Also protobuf-c's allocator, which otherwise lets a 1 MiB frame of tiny fields take 50 MiB. Not
// thread-safe: one owner at a time.
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stddef.h>

struct arena_block;

struct arena {
    struct arena_block *blocks;  // newest first; owned
    size_t used;                 // bytes of the newest block that are given out
    size_t held;                 // bytes of all blocks
    size_t budget;               // held never grows past it
    bool budget_hit;             // an allocation was refused because of it
    bool has_failed;             // one was, because of that or for lack of memory
    ProtobufCAllocator protobuf; // allocates here; its free does nothing
};

// budget_bytes bounds what the arena may hold in all. Allocates nothing.
void arena_init(struct arena *arena, size_t budget_bytes);
void arena_fini(struct arena *arena);

// Gives all memory back but keeps one block for the next user, if it is no larger than keep_bytes.
void arena_reset(struct arena *arena, size_t keep_bytes);

// Uninitialised, aligned for any type; NULL over budget or out of memory. size 0 gives a valid
// pointer.
void *arena_alloc(struct arena *arena, size_t size);

// Sees to it that allocations of size bytes in all cannot fail; false where that cannot be.
bool arena_reserve(struct arena *arena, size_t size);

// Zeroed; NULL also when count × size overflows.
void *arena_calloc(struct arena *arena, size_t count, size_t size);

// Copies, with a NUL behind the end; NULL as arena_alloc.
char *arena_copy(struct arena *arena, const void *bytes, size_t size);
char *arena_string(struct arena *arena, const char *text);
char *arena_printf(struct arena *arena, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
