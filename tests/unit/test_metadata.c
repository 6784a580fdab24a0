// server/vectors/metadata: encoding, merging, comparing, and damaged bytes.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "vectors/metadata.h"
#include "wire/limits.h"

static struct arena arena;

static int set_up(void **state)
{
    (void)state;
    arena_init(&arena, 64 << 20);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    arena_fini(&arena);
    return 0;
}

static const char *const two_texts[] = {"é", ""};
static const int64_t three_ints[] = {INT64_MIN, 0, INT64_MAX};
static const double two_doubles[] = {-0.0, 1e308};
static const int two_bools[] = {1, 0};

// One field of each type, in no order.
static const struct metadata_field every_type[] = {
    {"z", METADATA_STRING, 1, {.strings = two_texts}},
    {"b", METADATA_INT, 1, {.ints = three_ints}},
    {"a", METADATA_DOUBLE, 1, {.doubles = two_doubles}},
    {"c", METADATA_BOOL, 1, {.bools = two_bools}},
    {"d", METADATA_STRING_LIST, 2, {.strings = two_texts}},
    {"e", METADATA_INT_LIST, 3, {.ints = three_ints}},
    {"f", METADATA_DOUBLE_LIST, 2, {.doubles = two_doubles}},
    {"ab", METADATA_BOOL_LIST, 2, {.bools = two_bools}},
    {"empty", METADATA_STRING_LIST, 0, {.strings = NULL}},
};

enum {
    EVERY_TYPE_COUNT = sizeof every_type / sizeof every_type[0]
};

static struct metadata encode(const struct metadata_field *fields, size_t count, bool is_patch)
{
    struct metadata metadata;
    struct soma_error err = {0};
    if (metadata_encode(fields, count, is_patch, &arena, &metadata, &err))
        fail_msg("%s: %s", err.field, err.text);
    return metadata;
}

static void expect_refused(const struct metadata_field *fields, size_t count, const char *reason,
                           const char *field)
{
    struct metadata metadata;
    struct soma_error err;
    assert_int_equal(metadata_encode(fields, count, false, &arena, &metadata, &err),
                     SOMA_INVALID_ARGUMENT);
    assert_string_equal(err.reason, reason);
    assert_string_equal(err.field, field);
}

static void every_type_comes_back_sorted_by_key(void **state)
{
    (void)state;
    struct metadata rest = encode(every_type, EVERY_TYPE_COUNT, false);
    static const char *const keys[] = {"a", "ab", "b", "c", "d", "e", "empty", "f", "z"};
    for (size_t i = 0; i < EVERY_TYPE_COUNT; i++) {
        struct metadata_item item;
        assert_true(metadata_next(&rest, &item));
        assert_string_equal(item.key, keys[i]);
        const struct metadata_field *field = every_type;
        while (strcmp(field->key, keys[i]) != 0)
            field++;
        assert_int_equal(item.type, field->type);
        assert_int_equal(item.count, field->count);
        struct metadata_value value;
        for (size_t at = 0; at < field->count; at++) {
            assert_true(metadata_value_next(&item, &value));
            if (value.type == METADATA_STRING)
                assert_string_equal(value.text, field->values.strings[at]);
            if (value.type == METADATA_INT)
                assert_true(value.integer == field->values.ints[at]);
            if (value.type == METADATA_DOUBLE)
                assert_memory_equal(&value.real, &field->values.doubles[at], sizeof(double));
            if (value.type == METADATA_BOOL)
                assert_int_equal(value.truth, field->values.bools[at]);
        }
        assert_false(metadata_value_next(&item, &value));
    }
    assert_int_equal(rest.length, 0);
}

static void the_order_of_fields_does_not_matter(void **state)
{
    (void)state;
    struct metadata_field reversed[EVERY_TYPE_COUNT];
    for (size_t i = 0; i < EVERY_TYPE_COUNT; i++)
        reversed[i] = every_type[EVERY_TYPE_COUNT - 1 - i];
    struct metadata a = encode(every_type, EVERY_TYPE_COUNT, false);
    assert_true(metadata_is_equal(a, encode(reversed, EVERY_TYPE_COUNT, false)));
    reversed[0].count = 0;
    reversed[0].type = METADATA_INT_LIST;
    assert_false(metadata_is_equal(a, encode(reversed, EVERY_TYPE_COUNT, false)));
}

static void negative_zero_is_kept_and_is_not_the_same_bytes(void **state)
{
    (void)state;
    static const double zeros[] = {0.0, -0.0};
    struct metadata_field plus = {"x", METADATA_DOUBLE, 1, {.doubles = &zeros[0]}};
    struct metadata_field minus = {"x", METADATA_DOUBLE, 1, {.doubles = &zeros[1]}};
    assert_false(metadata_is_equal(encode(&plus, 1, false), encode(&minus, 1, false)));
}

static void what_is_not_allowed_is_refused_with_its_place(void **state)
{
    (void)state;
    static const double bad[] = {1, NAN, INFINITY};
    static int64_t many[LIMIT_METADATA_LIST + 1];
    char long_key[LIMIT_METADATA_KEY_BYTES + 2];
    memset(long_key, 'k', sizeof long_key - 1);
    long_key[sizeof long_key - 1] = '\0';
    struct metadata_field fields[2] = {every_type[1], {"", METADATA_INT, 1, {.ints = three_ints}}};
    expect_refused(fields, 2, "FIELD_REQUIRED", "metadata[1].key");
    fields[1].key = long_key;
    expect_refused(fields, 2, "FIELD_TOO_LONG", "metadata[1].key");
    fields[1].key = "$x";
    expect_refused(fields, 2, "FIELD_INVALID", "metadata[1].key");
    fields[1].key = "b";
    expect_refused(fields, 2, "DUPLICATE_KEY", "metadata[1].key");
    fields[1] = (struct metadata_field){"n", METADATA_DOUBLE_LIST, 2, {.doubles = bad}};
    expect_refused(fields, 2, "FIELD_INVALID", "metadata[1].value");
    fields[1] = (struct metadata_field){"n", METADATA_DOUBLE, 1, {.doubles = bad + 2}};
    expect_refused(fields, 2, "FIELD_INVALID", "metadata[1].value");
    fields[1] = (struct metadata_field){"n", METADATA_REMOVE, 0, {.ints = NULL}};
    expect_refused(fields, 2, "FIELD_REQUIRED", "metadata[1].value");
    fields[1] =
        (struct metadata_field){"n", METADATA_INT_LIST, LIMIT_METADATA_LIST + 1, {.ints = many}};
    expect_refused(fields, 2, "FIELD_TOO_LONG", "metadata[1].value");
}

static void the_limits_of_a_record_hold(void **state)
{
    (void)state;
    static char text[LIMIT_METADATA_BYTES + 1];
    memset(text, 'x', LIMIT_METADATA_BYTES - 1);
    const char *texts[] = {text};
    struct metadata_field field = {"k", METADATA_STRING, 1, {.strings = texts}};
    encode(&field, 1, false);
    field.key = "kk";
    expect_refused(&field, 1, "FIELD_TOO_LONG", "metadata");
    static struct metadata_field many[LIMIT_METADATA_FIELDS + 1];
    static char keys[LIMIT_METADATA_FIELDS + 1][8];
    for (size_t i = 0; i <= LIMIT_METADATA_FIELDS; i++) {
        snprintf(keys[i], sizeof keys[i], "%zu", i);
        many[i] = (struct metadata_field){keys[i], METADATA_INT, 1, {.ints = three_ints}};
    }
    encode(many, LIMIT_METADATA_FIELDS, false);
    expect_refused(many, LIMIT_METADATA_FIELDS + 1, "FIELD_TOO_LONG", "metadata");
}

static void a_patch_replaces_adds_and_removes(void **state)
{
    (void)state;
    static const int64_t numbers[] = {1, 2, 3};
    struct metadata_field base[] = {{"a", METADATA_INT, 1, {.ints = numbers}},
                                    {"b", METADATA_INT, 1, {.ints = numbers}},
                                    {"c", METADATA_INT, 1, {.ints = numbers}}};
    struct metadata_field patch[] = {{"x", METADATA_REMOVE, 0, {.ints = NULL}},
                                     {"a", METADATA_REMOVE, 0, {.ints = NULL}},
                                     {"b", METADATA_INT, 1, {.ints = numbers + 1}},
                                     {"d", METADATA_INT, 1, {.ints = numbers + 2}}};
    struct metadata_field wanted[] = {{"b", METADATA_INT, 1, {.ints = numbers + 1}},
                                      {"c", METADATA_INT, 1, {.ints = numbers}},
                                      {"d", METADATA_INT, 1, {.ints = numbers + 2}}};
    struct metadata merged;
    assert_int_equal(
        metadata_merge(encode(base, 3, false), encode(patch, 4, true), &arena, &merged, NULL),
        SOMA_OK);
    assert_true(metadata_is_equal(merged, encode(wanted, 3, false)));
    assert_int_equal(
        metadata_merge(encode(base, 1, false), encode(patch, 2, true), &arena, &merged, NULL),
        SOMA_OK);
    assert_int_equal(merged.length, 0);
}

static void a_merge_past_the_limit_is_refused(void **state)
{
    (void)state;
    static char text[LIMIT_METADATA_BYTES / 2 + 1];
    memset(text, 'x', LIMIT_METADATA_BYTES / 2 - 1);
    const char *texts[] = {text};
    struct metadata_field a = {"a", METADATA_STRING, 1, {.strings = texts}};
    struct metadata_field b = {"b", METADATA_STRING, 1, {.strings = texts}};
    struct metadata_field c = {"c", METADATA_BOOL, 1, {.bools = two_bools}};
    struct metadata both, three;
    struct soma_error err;
    assert_int_equal(metadata_merge(encode(&a, 1, false), encode(&b, 1, true), &arena, &both, NULL),
                     SOMA_OK);
    assert_int_equal(metadata_merge(both, encode(&c, 1, true), &arena, &three, &err),
                     SOMA_INVALID_ARGUMENT);
    assert_string_equal(err.reason, "FIELD_TOO_LONG");
}

// Walks everything; the sanitizers watch.
static void walk(struct metadata rest)
{
    struct metadata_item item;
    struct metadata_value value;
    size_t seen = 0;
    while (metadata_next(&rest, &item)) {
        seen += strlen(item.key);
        while (metadata_value_next(&item, &value))
            seen += value.type == METADATA_STRING ? strlen(value.text) : 1;
    }
    assert_true(seen < 1 << 20);
}

static void damaged_bytes_end_the_walk_and_are_never_left(void **state)
{
    (void)state;
    struct metadata whole = encode(every_type, EVERY_TYPE_COUNT, false);
    for (size_t length = 0; length < whole.length; length++) {
        uint8_t *copy = malloc(length + 1);
        memcpy(copy, whole.bytes, length);
        walk((struct metadata){copy, length});
        free(copy);
    }
    for (size_t at = 0; at < whole.length; at++) {
        for (int bit = 0; bit < 8; bit++) {
            uint8_t *copy = malloc(whole.length);
            memcpy(copy, whole.bytes, whole.length);
            copy[at] ^= (uint8_t)(1 << bit);
            walk((struct metadata){copy, whole.length});
            free(copy);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_type_comes_back_sorted_by_key),
        cmocka_unit_test(the_order_of_fields_does_not_matter),
        cmocka_unit_test(negative_zero_is_kept_and_is_not_the_same_bytes),
        cmocka_unit_test(what_is_not_allowed_is_refused_with_its_place),
        cmocka_unit_test(the_limits_of_a_record_hold),
        cmocka_unit_test(a_patch_replaces_adds_and_removes),
        cmocka_unit_test(a_merge_past_the_limit_is_refused),
        cmocka_unit_test(damaged_bytes_end_the_walk_and_are_never_left),
    };
    return cmocka_run_group_tests_name("metadata", tests, set_up, tear_down);
}
