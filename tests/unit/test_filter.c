// server/vectors/filter: what matches, what does not, and what is no filter.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "vectors/filter.h"
#include "wire/limits.h"

static struct arena arena;
static struct metadata record;

static const char *const texts[] = {"en", "red", "green"};
static const int64_t ints[] = {1999, 9007199254740993, 1, 2};
static const double doubles[] = {2.5, 9007199254740992.0, -0.0};
static const int bools[] = {1, 0};

static const struct metadata_field fields[] = {
    {"lang", METADATA_STRING, 1, {.strings = texts}},
    {"year", METADATA_INT, 1, {.ints = ints}},
    {"big", METADATA_INT, 1, {.ints = ints + 1}},
    {"ratio", METADATA_DOUBLE, 1, {.doubles = doubles}},
    {"large", METADATA_DOUBLE, 1, {.doubles = doubles + 1}},
    {"zero", METADATA_DOUBLE, 1, {.doubles = doubles + 2}},
    {"ok", METADATA_BOOL, 1, {.bools = bools}},
    {"tags", METADATA_STRING_LIST, 2, {.strings = texts + 1}},
    {"counts", METADATA_INT_LIST, 2, {.ints = ints + 2}},
    {"flags", METADATA_BOOL_LIST, 1, {.bools = bools}},
    {"none", METADATA_INT_LIST, 0, {.ints = NULL}},
};

static int set_up(void **state)
{
    (void)state;
    arena_init(&arena, 64 << 20);
    return (int)metadata_encode(fields, sizeof fields / sizeof fields[0], false, &arena, &record,
                                NULL);
}

static int tear_down(void **state)
{
    (void)state;
    arena_fini(&arena);
    return 0;
}

struct match_row {
    const char *filter;
    bool matches;
};

static const struct match_row matches[] = {
    {"{\"lang\": \"en\"}", true},
    {"{\"lang\": \"EN\"}", false},
    {"{\"lang\": \"e\"}", false},
    {"{\"lang\": {\"$eq\": \"en\"}}", true},
    {"{\"lang\": {\"$ne\": \"en\"}}", false},
    {"{\"lang\": {\"$ne\": \"de\"}}", true},
    // a missing key
    {"{\"gone\": \"x\"}", false},
    {"{\"gone\": {\"$ne\": \"x\"}}", true},
    {"{\"gone\": {\"$nin\": [\"x\"]}}", true},
    {"{\"gone\": {\"$in\": [\"x\"]}}", false},
    {"{\"gone\": {\"$gt\": 0}}", false},
    {"{\"gone\": {\"$lte\": 0}}", false},
    {"{\"gone\": {\"$contains\": 0}}", false},
    {"{\"gone\": {\"$not_contains\": 0}}", true},
    // numbers
    {"{\"year\": 1999}", true},
    {"{\"year\": 1999.0}", true},
    {"{\"year\": 1999.5}", false},
    {"{\"year\": \"1999\"}", false},
    {"{\"year\": {\"$gt\": 1998.5}}", true},
    {"{\"year\": {\"$gt\": 1999}}", false},
    {"{\"year\": {\"$gte\": 1999}}", true},
    {"{\"year\": {\"$lt\": 1999.0001}}", true},
    {"{\"year\": {\"$lte\": 1998}}", false},
    {"{\"year\": {\"$gte\": 1999, \"$lt\": 2005}}", true},
    {"{\"year\": {\"$gte\": 1999, \"$lt\": 1999}}", false},
    {"{\"year\": {\"$lt\": 1e300}}", true},
    {"{\"year\": {\"$gt\": -1e300}}", true},
    {"{\"ratio\": 2.5}", true},
    {"{\"ratio\": {\"$gt\": 2}}", true},
    {"{\"ratio\": {\"$lt\": 3}}", true},
    {"{\"ratio\": {\"$lt\": -3}}", false},
    {"{\"big\": 9007199254740993}", true},
    {"{\"big\": 9007199254740992.0}", false},
    {"{\"big\": {\"$gt\": 9007199254740992.0}}", true},
    {"{\"large\": 9007199254740993}", false},
    {"{\"large\": {\"$lt\": 9007199254740993}}", true},
    {"{\"large\": 9007199254740992}", true},
    {"{\"zero\": 0}", true},
    {"{\"zero\": 0.0}", true},
    {"{\"zero\": {\"$lt\": 0}}", false},
    // texts and booleans
    {"{\"lang\": {\"$gt\": \"d\"}}", true},
    {"{\"lang\": {\"$lt\": \"en \"}}", true},
    {"{\"lang\": {\"$gt\": 3}}", false},
    {"{\"ok\": true}", true},
    {"{\"ok\": false}", false},
    {"{\"ok\": 1}", false},
    {"{\"ok\": {\"$ne\": false}}", true},
    {"{\"ok\": {\"$gt\": 0}}", false},
    // lists of values
    {"{\"lang\": {\"$in\": [\"de\", \"en\"]}}", true},
    {"{\"year\": {\"$in\": [\"x\", 1999.0]}}", true},
    {"{\"year\": {\"$nin\": [1, 2]}}", true},
    {"{\"year\": {\"$nin\": [1, 1999]}}", false},
    // fields that are lists
    {"{\"tags\": {\"$contains\": \"red\"}}", true},
    {"{\"tags\": {\"$contains\": \"blue\"}}", false},
    {"{\"tags\": {\"$contains\": \"re\"}}", false},
    {"{\"tags\": {\"$not_contains\": \"blue\"}}", true},
    {"{\"tags\": {\"$not_contains\": \"green\"}}", false},
    {"{\"counts\": {\"$contains\": 2.0}}", true},
    {"{\"flags\": {\"$contains\": true}}", true},
    {"{\"none\": {\"$contains\": 0}}", false},
    {"{\"tags\": \"red\"}", false},
    {"{\"tags\": {\"$ne\": \"red\"}}", true},
    {"{\"counts\": {\"$gt\": 0}}", false},
    {"{\"lang\": {\"$contains\": \"en\"}}", false},
    // together
    {"{\"lang\": \"en\", \"year\": 1999}", true},
    {"{\"lang\": \"en\", \"year\": 2000}", false},
    {"{\"$and\": [{\"lang\": \"en\"}, {\"year\": 1999}]}", true},
    {"{\"$and\": [{\"lang\": \"en\"}, {\"year\": 2000}]}", false},
    {"{\"$or\": [{\"lang\": \"de\"}, {\"year\": 1999}]}", true},
    {"{\"$or\": [{\"lang\": \"de\"}, {\"year\": 2000}]}", false},
    {"{\"$or\": [{\"lang\": \"de\"}]}", false},
    {"{\"$not\": {\"lang\": \"en\"}}", false},
    {"{\"$not\": {\"lang\": \"en\", \"year\": 2000}}", true},
    {"{\"$not\": {\"$not\": {\"lang\": \"en\"}}}", true},
    {"{\"$not\": {\"gone\": {\"$gt\": 1}}}", true},
    {"{\"$or\": [{\"$and\": [{\"lang\": \"de\"}, {\"ok\": true}]}, {\"$not\": {\"ok\": false}}],"
     " \"year\": {\"$gt\": 1000}}",
     true},
    {"{\"$and\": [{\"$or\": [{\"lang\": \"de\"}, {\"lang\": \"fr\"}]}, {\"ok\": true}]}", false},
};

static void filters_match_as_written(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof matches / sizeof matches[0]; i++) {
        const struct filter *filter;
        struct soma_error err;
        if (filter_compile(matches[i].filter, &arena, &filter, &err))
            fail_msg("%s: %s", matches[i].filter, err.text);
        if (filter_matches(filter, record) != matches[i].matches)
            fail_msg("%s: not as wanted", matches[i].filter);
    }
}

static void on_no_metadata_only_negations_match(void **state)
{
    (void)state;
    const struct filter *filter;
    struct metadata nothing = {NULL, 0};
    assert_int_equal(filter_compile("{\"a\": 1}", &arena, &filter, NULL), SOMA_OK);
    assert_false(filter_matches(filter, nothing));
    assert_int_equal(filter_compile("{\"a\": {\"$ne\": 1}}", &arena, &filter, NULL), SOMA_OK);
    assert_true(filter_matches(filter, nothing));
}

struct refusal_row {
    const char *filter;
    const char *place; // stands in the error's text
};

static const struct refusal_row refusals[] = {
    {"{\"a\": }", "line 1, column 7"},
    {"{\"a\": 1,\n \"b\" 2}", "line 2, column 6 (byte 15)"},
    {"", "line 1"},
    {"{\"a\": 1} x", "line 1, column 10"},
    {"{\"a\": 1, \"a\": 2}", "line 1, column 12"},
    {"{\"a\": 99999999999999999999}", "line 1"},
    {"{\"a\": 1e999}", "line 1"},
    {"{\"a\": \"\\u0000\"}", "line 1"},
    {"{\"a\": \"\xff\"}", "line 1"},
    {"[]", "$: "},
    {"{}", "$: "},
    {"1", "line 1"},
    {"{\"a\": null}", "$.a: "},
    {"{\"a\": [1]}", "$.a: "},
    {"{\"a\": {}}", "$.a: "},
    {"{\"a\": {\"$foo\": 1}}", "$.a.$foo: "},
    {"{\"a\": {\"b\": 1}}", "$.a.b: "},
    {"{\"a\": {\"$gt\": true}}", "$.a.$gt: "},
    {"{\"a\": {\"$in\": []}}", "$.a.$in: "},
    {"{\"a\": {\"$in\": 3}}", "$.a.$in: "},
    {"{\"a\": {\"$in\": [1, null]}}", "$.a.$in[1]: "},
    {"{\"a\": {\"$contains\": [1]}}", "$.a.$contains: "},
    {"{\"$and\": []}", "$.$and: "},
    {"{\"$and\": {\"a\": 1}}", "$.$and: "},
    {"{\"$or\": [{\"a\": 1}, {\"$and\": [{\"b\": {\"$gt\": []}}]}]}", "$.$or[1].$and[0].b.$gt: "},
    {"{\"$or\": [{\"a\": 1}, 7]}", "$.$or[1]: "},
    {"{\"$not\": [{\"a\": 1}]}", "$.$not: "},
    {"{\"$nor\": [{\"a\": 1}]}", "$.$nor: "},
    {"{\"\": 1}", "$.: "},
};

static void what_is_no_filter_is_refused_with_its_place(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
        const struct filter *filter;
        struct soma_error err = {0};
        if (filter_compile(refusals[i].filter, &arena, &filter, &err) != SOMA_INVALID_ARGUMENT)
            fail_msg("%s: not refused", refusals[i].filter);
        assert_string_equal(err.reason, "FILTER_INVALID");
        assert_string_equal(err.field, "where");
        if (!strstr(err.text, refusals[i].place))
            fail_msg("%s: '%s' says no '%s'", refusals[i].filter, err.text, refusals[i].place);
    }
}

// {"$not": {"$not": … {"a": 1} … }}
static char *nested(size_t depth)
{
    char *text = arena_alloc(&arena, depth * 10 + 16);
    char *at = text;
    for (size_t i = 0; i < depth; i++)
        at = stpcpy(at, "{\"$not\": ");
    at = stpcpy(at, "{\"a\": 1}");
    memset(at, '}', depth);
    at[depth] = '\0';
    return text;
}

static void depth_values_and_length_are_bounded(void **state)
{
    (void)state;
    const struct filter *filter;
    struct soma_error err;
    assert_int_equal(filter_compile(nested(LIMIT_FILTER_DEPTH), &arena, &filter, NULL), SOMA_OK);
    assert_false(filter_matches(filter, record));
    assert_int_equal(filter_compile(nested(LIMIT_FILTER_DEPTH + 1), &arena, &filter, &err),
                     SOMA_INVALID_ARGUMENT);
    assert_int_equal(filter_compile(nested(5000), &arena, &filter, &err), SOMA_INVALID_ARGUMENT);
    static char text[LIMIT_FILTER_BYTES + 2];
    char *at = stpcpy(text, "{\"a\": {\"$in\": [1");
    for (int i = 0; i < LIMIT_FILTER_NODES - 3; i++)
        at = stpcpy(at, ",1");
    strcpy(at, "]}}");
    assert_int_equal(filter_compile(text, &arena, &filter, NULL), SOMA_OK);
    strcpy(at, ",1]}}");
    assert_int_equal(filter_compile(text, &arena, &filter, &err), SOMA_INVALID_ARGUMENT);
    assert_string_equal(err.reason, "FILTER_INVALID");
    memset(text, ' ', sizeof text - 1);
    assert_int_equal(filter_compile(text, &arena, &filter, &err), SOMA_INVALID_ARGUMENT);
    assert_string_equal(err.reason, "FIELD_TOO_LONG");
}

static void no_memory_is_an_error(void **state)
{
    (void)state;
    struct arena small;
    const struct filter *filter;
    arena_init(&small, 4096);
    assert_int_equal(filter_compile("{\"a\": 1}", &small, &filter, NULL), SOMA_RESOURCE_EXHAUSTED);
    arena_fini(&small);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(filters_match_as_written),
        cmocka_unit_test(on_no_metadata_only_negations_match),
        cmocka_unit_test(what_is_no_filter_is_refused_with_its_place),
        cmocka_unit_test(depth_values_and_length_are_bounded),
        cmocka_unit_test(no_memory_is_an_error),
    };
    return cmocka_run_group_tests_name("filter", tests, set_up, tear_down);
}
