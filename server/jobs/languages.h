// The interpreters that this server offers: a language's name, the words that start its
// interpreter, the file name that the source gets.
//
// Made once at the start from the configuration, then only read, by any thread.
#ifndef JOBS_LANGUAGES_H
#define JOBS_LANGUAGES_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

enum {
    LANGUAGES_MAX = 64,
    LANGUAGE_WORDS_MAX = 16,
    LANGUAGE_NAME_BYTES = 31,
};

struct language {
    char *name;                      // "python"; owned
    char *line;                      // what words points into; owned
    char *words[LANGUAGE_WORDS_MAX]; // the interpreter and its options: "python3", "-u"
    size_t word_count;
    char file_name[16]; // "main.py"
};

struct languages {
    struct language rows[LANGUAGES_MAX];
    size_t count;
};

void languages_init(struct languages *languages);
void languages_fini(struct languages *languages);

// Adds a language whose interpreter is words separated by spaces. One whose program is not found
// in path (directories separated by ':') is left out: ret_offered, which may be NULL, says so.
// CONFIG_INVALID for a bad name, an empty line or too many of anything.
enum soma_code languages_add(struct languages *languages, const char *name, const char *line,
                             const char *path, bool *ret_offered, struct soma_error *err);

// NULL: not offered.
const struct language *languages_find(const struct languages *languages, const char *name);

#endif
