// Named servers, in the file contexts of $XDG_CONFIG_HOME/soma: a section for each, whose keys are
// the names of settings, and before them "use = NAME" where one is in use. Mode 0600, for it may
// hold tokens.
#ifndef CLI_CONTEXTS_H
#define CLI_CONTEXTS_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

struct cli;

enum {
    CONTEXTS_MAX = 100,
    CONTEXT_VALUES_MAX = 16,  // as many settings as there may be
    CONTEXT_NAME_BYTES = 40,  // a section's name has at most 49 in libinih
    CONTEXT_VALUE_BYTES = 160 // and a line 197
};

struct context {
    char name[CONTEXT_NAME_BYTES + 1];
    char *values[CONTEXT_VALUES_MAX]; // by enum setting; NULL: not set; owned
};

struct contexts {
    char path[PATH_MAX];
    struct context *list; // owned, by name
    size_t count;
    char used[CONTEXT_NAME_BYTES + 1]; // "": none
};

// What the file has; nothing where there is none. Exit status 0, or what was reported.
int contexts_load(const struct cli *cli, struct contexts *ret_contexts);
void contexts_fini(struct contexts *contexts);
// Writes the file anew, whole or not at all.
int contexts_save(const struct cli *cli, const struct contexts *contexts);

struct context *contexts_find(const struct contexts *contexts, const char *name);
// One more, with nothing in it; NULL: there are too many, or there is no memory.
struct context *contexts_add(struct contexts *contexts, const char *name);
void contexts_remove(struct contexts *contexts, struct context *context);

// False: out of memory. NULL: not set.
bool context_set(struct context *context, size_t setting, const char *value);

// NULL, or why text cannot stand in the file.
const char *context_value_fault(const char *text);

#endif
