// Relative paths that come from outside: of files that go into a work directory, and of those that
// come out of it.
#ifndef BASE_PATH_H
#define BASE_PATH_H

#include <stdbool.h>
#include <stddef.h>

enum {
    PATH_BYTES_MAX = 1024,
    PATH_NAMES_MAX = 32 // directories and the file's own name
};

// Whether the path names something below the directory that it is relative to, and cannot lead
// elsewhere: names separated by one '/', none of them empty, "." or "..", each of at most 255
// bytes; valid UTF-8 without control characters; at most PATH_BYTES_MAX bytes and PATH_NAMES_MAX
// names.
bool path_is_inside(const char *path);

// Orders paths so that what lies below a directory stands right behind the directory itself.
int path_compare(const char *a, const char *b);

// Whether one is the other, or lies below it: two files cannot be so.
bool path_contains(const char *above, const char *path);

// Whether the path matches the pattern: '*' any characters of one name, '?' one of them, a name
// "**" any number of names. A pattern that matches a directory matches everything below it. Takes
// time proportional to the product of both lengths, whatever the pattern.
bool path_matches(const char *pattern, const char *path);

#endif
