// base/path: which relative paths are harmless, how they sort, which patterns they match.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/path.h"

static void only_plain_paths_below_are_inside(void **state)
{
    (void)state;
    static const struct {
        const char *path;
        bool is_inside;
    } rows[] = {
        {"a", true},        {"a/b/c", true},     {".a", true},     {"a..b/...", true},
        {"\xc3\xa4", true}, {"", false},         {"/", false},     {"/a", false},
        {"a/", false},      {"a//b", false},     {".", false},     {"..", false},
        {"a/..", false},    {"../a", false},     {"a/./b", false}, {"a/../b", false},
        {"a\n", false},     {"a\x1b[2J", false}, {"a\x7f", false}, {"\xff", false},
        {"\xc3", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_int_equal(path_is_inside(rows[i].path), rows[i].is_inside);
}

static void long_and_deep_paths_are_not_inside(void **state)
{
    (void)state;
    char text[PATH_BYTES_MAX + 2];
    memset(text, 'x', sizeof text);
    for (size_t i = 200; i < sizeof text; i += 200)
        text[i] = '/';
    text[PATH_BYTES_MAX] = '\0';
    assert_true(path_is_inside(text));
    text[PATH_BYTES_MAX] = 'x';
    text[PATH_BYTES_MAX + 1] = '\0';
    assert_false(path_is_inside(text));
    memset(text, 'x', 256);
    text[255] = '\0';
    assert_true(path_is_inside(text));
    text[255] = 'x';
    text[256] = '\0';
    assert_false(path_is_inside(text));
    for (size_t i = 0; i < PATH_NAMES_MAX + 1; i++)
        memcpy(text + 2 * i, "x/", 2);
    text[2 * PATH_NAMES_MAX - 1] = '\0';
    assert_true(path_is_inside(text));
    text[2 * PATH_NAMES_MAX - 1] = '/';
    text[2 * PATH_NAMES_MAX + 1] = '\0';
    assert_false(path_is_inside(text));
}

static int compare(const void *a, const void *b)
{
    return path_compare(*(const char *const *)a, *(const char *const *)b);
}

static void what_lies_below_a_directory_sorts_right_behind_it(void **state)
{
    (void)state;
    const char *paths[] = {"a-b", "a/b", "b", "a", "a/a/c", "a\x01"};
    const char *sorted[] = {"a", "a/a/c", "a/b", "a\x01", "a-b", "b"};
    qsort(paths, 6, sizeof *paths, compare);
    for (size_t i = 0; i < 6; i++)
        assert_string_equal(paths[i], sorted[i]);
    assert_true(path_contains("a", "a/b"));
    assert_true(path_contains("a", "a"));
    assert_false(path_contains("a", "ab"));
    assert_false(path_contains("a/b", "a"));
}

static void patterns_match_names_and_what_lies_below(void **state)
{
    (void)state;
    static const struct {
        const char *pattern, *path;
        bool matches;
    } rows[] = {
        {"a", "a", true},
        {"a", "b", false},
        {"*.png", "x.png", true},
        {"*.png", "d/x.png", false},
        {"out/*.png", "out/x.png", true},
        {"out/*.png", "out/d/x.png", false},
        {"out", "out/d/x.png", true},
        {"out", "outer", false},
        {"o?t", "out", true},
        {"o?t", "o\xc3\xa4t", true},
        {"o?t", "oat/x", true},
        {"o?t", "o/t", false},
        {"**", "a/b/c", true},
        {"**/x", "x", true},
        {"**/x", "a/b/x", true},
        {"**/x", "a/x/b", true},
        {"**/x", "a/b", false},
        {"a/**/z", "a/z", true},
        {"a/**/z", "a/b/c/z", true},
        {"a/**/*.c", "a/b/c.h", false},
        {"a*b*c", "aXbYbZc", true},
        {"a*b*c", "aXbYbZ", false},
        {"*", "a/b", true},
        {"", "a", true},
        {"a/b/c", "a/b", false},
        {"[a]", "a", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (path_matches(rows[i].pattern, rows[i].path) != rows[i].matches)
            fail_msg("'%s' and '%s'", rows[i].pattern, rows[i].path);
    }
}

// With a matcher that tries every way, this one would not end.
static void a_malicious_pattern_takes_no_time(void **state)
{
    (void)state;
    char pattern[256], path[1024];
    for (size_t i = 0; i < 252; i += 2) {
        pattern[i] = '*';
        pattern[i + 1] = 'a';
    }
    strcpy(pattern + 252, "*b");
    memset(path, 'a', 200);
    path[200] = '\0';
    assert_false(path_matches(pattern, path));
    for (size_t i = 0; i < 240; i += 6)
        strcpy(pattern + i, "**/a*/");
    strcpy(pattern + 240, "b");
    for (size_t i = 0; i < 1020; i += 2)
        memcpy(path + i, "a/", 2);
    memcpy(path + 1020, "c", 2);
    assert_false(path_matches(pattern, path));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_plain_paths_below_are_inside),
        cmocka_unit_test(long_and_deep_paths_are_not_inside),
        cmocka_unit_test(what_lies_below_a_directory_sorts_right_behind_it),
        cmocka_unit_test(patterns_match_names_and_what_lies_below),
        cmocka_unit_test(a_malicious_pattern_takes_no_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
