#include "base/path.h"

#include <limits.h>
#include <string.h>

#include "base/text.h"

static bool is_name(const char *name, size_t length)
{
    if (length == 0 || length > NAME_MAX)
        return false;
    return !(name[0] == '.' && (length == 1 || (length == 2 && name[1] == '.')));
}

static bool has_control(const char *text)
{
    for (; *text; text++) {
        if ((unsigned char)*text < ' ' || *text == 0x7f)
            return true;
    }
    return false;
}

bool path_is_inside(const char *path)
{
    size_t length = strnlen(path, PATH_BYTES_MAX + 1);
    if (length > PATH_BYTES_MAX || !text_is_utf8(path, length) || has_control(path))
        return false;
    for (int names = 1; names <= PATH_NAMES_MAX; names++) {
        size_t name_length = strcspn(path, "/");
        if (!is_name(path, name_length))
            return false;
        path += name_length;
        if (!*path)
            return true;
        path++;
    }
    return false;
}

// A '/' comes before every other character.
static int rank_of(char c)
{
    return c == '/' ? 1 : c ? (unsigned char)c + 1 : 0;
}

int path_compare(const char *a, const char *b)
{
    while (*a && *a == *b)
        a++, b++;
    return rank_of(*a) - rank_of(*b);
}

bool path_contains(const char *above, const char *path)
{
    size_t length = strlen(above);
    return strncmp(above, path, length) == 0 && (path[length] == '/' || !path[length]);
}

// --- patterns

// One name against one name of a pattern. Only the latest '*' is ever gone back to: what an earlier
// one took could only be more.
static bool name_matches(const char *pattern, size_t pattern_length, const char *name,
                         size_t length)
{
    size_t p = 0, n = 0, star = pattern_length, taken = 0;
    while (n < length) {
        if (p < pattern_length && pattern[p] == '*') {
            star = p++;
            taken = n;
        } else if (p < pattern_length && (pattern[p] == '?' || pattern[p] == name[n])) {
            // One character, however many bytes it has.
            bool is_any = pattern[p] == '?';
            p++;
            n++;
            while (is_any && n < length && ((unsigned char)name[n] & 0xc0) == 0x80)
                n++;
        } else if (star < pattern_length) {
            p = star + 1;
            n = ++taken;
        } else {
            return false;
        }
    }
    while (p < pattern_length && pattern[p] == '*')
        p++;
    return p == pattern_length;
}

static const char *next_name(const char *path)
{
    path += strcspn(path, "/");
    return *path ? path + 1 : path;
}

static bool is_any_names(const char *pattern)
{
    return strncmp(pattern, "**", 2) == 0 && (pattern[2] == '/' || !pattern[2]);
}

bool path_matches(const char *pattern, const char *path)
{
    const char *any = NULL, *retry = NULL;
    while (*path) {
        if (!*pattern)
            return true; // below what matched
        if (is_any_names(pattern)) {
            any = pattern = next_name(pattern);
            retry = path;
            continue;
        }
        if (name_matches(pattern, strcspn(pattern, "/"), path, strcspn(path, "/"))) {
            pattern = next_name(pattern);
            path = next_name(path);
        } else if (any) {
            pattern = any;
            path = retry = next_name(retry);
        } else {
            return false;
        }
    }
    return !*pattern || (is_any_names(pattern) && !*next_name(pattern));
}
