// A filter's text: compiled, and asked about a record.
#include <string.h>

#include "fuzz.h"
#include "vectors/filter.h"
#include "wire/limits.h"

enum {
    ARENA_BYTES = 64 << 20
};

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    struct arena arena;
    struct soma_error err = {0};
    const struct filter *filter;
    arena_init(&arena, ARENA_BYTES);
    // Texts end in NUL; the decoder lets none through that holds one.
    char *text = arena_copy(&arena, bytes, length);
    MUST(text);
    if (filter_compile(text, &arena, &filter, &err) == SOMA_OK)
        filter_matches(filter, (struct metadata){0});
    else
        MUST(err.reason[0] && strcmp(err.field, "where") == 0);
    arena_fini(&arena);
    return 0;
}
