#include "lib/result.h"

#include <stdalign.h>
#include <stdint.h>
#include <stdlib.h>

#include <soma/soma.h>

struct result {
    struct arena arena; // all that hangs below body
    alignas(max_align_t) unsigned char body[];
};

static struct result *result_of(void *body)
{
    return (struct result *)(void *)((unsigned char *)body - offsetof(struct result, body));
}

void *result_new(size_t size)
{
    struct result *result = calloc(1, sizeof *result + size);
    if (!result)
        return NULL;
    arena_init(&result->arena, SIZE_MAX);
    return result->body;
}

struct arena *result_arena(void *result)
{
    return &result_of(result)->arena;
}

void soma_free(void *result)
{
    if (!result)
        return;
    arena_fini(result_arena(result));
    free(result_of(result));
}
