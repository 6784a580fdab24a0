// Namespaces: who works in one sees of jobs, queues and collections only those in it.
//
// A queue, a collection and an alias have a full name below the services: "NAMESPACE/NAME", and in
// the default namespace NAME alone. No NAME has a '/' in it. A job is in the namespace of its
// queue. Callers are told plain names, and never see another namespace's. The default namespace is
// "" here, and "default" where people write or read it.
#ifndef BASE_NAMESPACES_H
#define BASE_NAMESPACES_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/error.h"

enum {
    NAMESPACE_BYTES = 63,
    NAMESPACE_SIZE = NAMESPACE_BYTES + 1,
    FULL_NAME_BYTES_MAX = NAMESPACE_BYTES + 1 + 255 // with the longest plain name
};

// What a caller wrote, as it is here: 1 to 63 characters of [A-Za-z0-9._-], a letter or digit
// first. FIELD_TOO_LONG, FIELD_INVALID with field "namespace".
enum soma_code namespace_from(const char *word, char ret_space[NAMESPACE_SIZE],
                              struct soma_error *err);
// As people read it.
const char *namespace_word(const char *space);

// name itself where space is the default one; NULL: no memory.
const char *namespace_join(struct arena *arena, const char *space, const char *name);

// The name without its namespace, within full.
const char *namespace_plain(const char *full);
// The namespace of a full name.
void namespace_of(const char *full, char ret_space[NAMESPACE_SIZE]);
bool namespace_holds(const char *space, const char *full);
// Whether the full names are of one namespace.
bool namespace_is_shared(const char *full, const char *other);

// The full names of a namespace in the order of their bytes: those above after and below before,
// and where others_too is not set only those without a '/'.
struct name_range {
    char after[FULL_NAME_BYTES_MAX + 1];
    char before[NAMESPACE_SIZE + 1];
    bool others_too;
};
// After the plain name ("": from the first). space NULL: those of all namespaces, after a full one.
void name_range_init(struct name_range *range, const char *space, const char *after);

#endif
