#include "base/namespaces.h"

#include <stdio.h>
#include <string.h>

#include "base/text.h"

static const char default_word[] = "default";

enum soma_code namespace_from(const char *word, char ret_space[NAMESPACE_SIZE],
                              struct soma_error *err)
{
    if (strlen(word) > NAMESPACE_BYTES)
        return error_set(err, REASON_FIELD_TOO_LONG, "namespace",
                         "a namespace has at most %d characters", NAMESPACE_BYTES);
    if (!word[0] || !text_is_of(word, "A-Za-z0-9._-") || strchr("._-", word[0]))
        return error_set(err, REASON_FIELD_INVALID, "namespace",
                         "a namespace is of A-Z a-z 0-9 . _ - and starts with a letter or digit");
    snprintf(ret_space, NAMESPACE_SIZE, "%s", strcmp(word, default_word) == 0 ? "" : word);
    return SOMA_OK;
}

const char *namespace_word(const char *space)
{
    return space[0] ? space : default_word;
}

const char *namespace_join(struct arena *arena, const char *space, const char *name)
{
    return space[0] ? arena_printf(arena, "%s/%s", space, name) : name;
}

const char *namespace_plain(const char *full)
{
    const char *slash = strchr(full, '/');
    return slash ? slash + 1 : full;
}

static size_t space_length(const char *full)
{
    const char *slash = strchr(full, '/');
    return slash ? (size_t)(slash - full) : 0;
}

void namespace_of(const char *full, char ret_space[NAMESPACE_SIZE])
{
    snprintf(ret_space, NAMESPACE_SIZE, "%.*s", (int)space_length(full), full);
}

bool namespace_holds(const char *space, const char *full)
{
    size_t length = space_length(full);
    return length == strlen(space) && memcmp(space, full, length) == 0;
}

bool namespace_is_shared(const char *full, const char *other)
{
    size_t length = space_length(full);
    return length == space_length(other) && memcmp(full, other, length) == 0;
}

void name_range_init(struct name_range *range, const char *space, const char *after)
{
    bool is_named = space && space[0];
    range->others_too = !space || is_named;
    // '0' follows '/', and '~' all that names are made of.
    snprintf(range->after, sizeof range->after, "%s%s%s", is_named ? space : "",
             is_named ? "/" : "", after);
    snprintf(range->before, sizeof range->before, "%s%s", is_named ? space : "",
             is_named ? "0" : "~");
}
