// Filters on documents: what they mean, what is no filter, and regular expressions that mean harm.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "vectors/document_filter.h"
#include "wire/limits.h"

static bool matches(const char *where, const char *document)
{
    struct document_filter *filter;
    struct soma_error err = {0};
    bool result = false;
    if (document_filter_new(where, &filter, &err))
        fail_msg("%s: %s", where, err.text);
    if (document_filter_matches(filter, document, document ? strlen(document) : 0, MONO_NEVER,
                                &result, &err))
        fail_msg("%s: %s", where, err.text);
    document_filter_free(filter);
    return result;
}

static void texts_are_contained_byte_for_byte(void **state)
{
    (void)state;
    assert_true(matches("{\"$contains\": \"ab\"}", "xaby"));
    assert_false(matches("{\"$contains\": \"AB\"}", "xaby"));
    assert_false(matches("{\"$contains\": \"ab\"}", "a b"));
    assert_true(matches("{\"$not_contains\": \"ab\"}", "a b"));
    assert_true(matches("{\"$contains\": \"%\"}", "100 %"));
    assert_true(matches("{\"$contains\": \"\xc3\xa9t\"}", "\xc3\xa9t\xc3\xa9"));
}

static void a_regular_expression_matches_a_part_of_the_document(void **state)
{
    (void)state;
    assert_true(matches("{\"$regex\": \"v[0-9]+\"}", "the v12 engine"));
    assert_false(matches("{\"$regex\": \"^v[0-9]+\"}", "the v12 engine"));
    assert_true(matches("{\"$not_regex\": \"^v[0-9]+$\"}", "the v12 engine"));
    assert_true(matches("{\"$regex\": \"(?i)ENGINE$\"}", "the v12 engine"));
    assert_true(matches("{\"$regex\": \"^.{3}$\"}", "\xc3\xa9\xc3\xa9\xc3\xa9"));
    assert_true(matches("{\"$regex\": \"^$\"}", ""));
}

static void a_match_is_found_wherever_it_begins(void **state)
{
    (void)state;
    static char text[5000];
    for (size_t at = 0; at < sizeof text - 8; at += 37) {
        // Characters of two bytes, so that steps through the text fall into some of them.
        for (size_t i = 0; i + 1 < sizeof text - 1; i += 2)
            memcpy(text + i, "\xc3\xa9", 2);
        text[sizeof text - 2] = '\0';
        memcpy(text + at / 2 * 2, "needle", 6);
        assert_true(matches("{\"$regex\": \"ne+dle\"}", text));
        assert_true(matches("{\"$regex\": \"(?<=n)eedle\"}", text));
        assert_false(matches("{\"$regex\": \"ne{3}dle\"}", text));
    }
}

static void conditions_are_joined(void **state)
{
    (void)state;
    assert_true(matches("{\"$and\": [{\"$contains\": \"a\"}, {\"$not_contains\": \"b\"}]}", "a"));
    assert_false(matches("{\"$and\": [{\"$contains\": \"a\"}, {\"$not_contains\": \"b\"}]}", "ab"));
    assert_true(matches("{\"$or\": [{\"$contains\": \"a\"}, {\"$regex\": \"b$\"}]}", "cb"));
    assert_false(matches("{\"$or\": [{\"$contains\": \"a\"}, {\"$regex\": \"b$\"}]}", "bc"));
    assert_true(matches("{\"$contains\": \"a\", \"$regex\": \"b\"}", "ab"));
    assert_false(matches("{\"$contains\": \"a\", \"$regex\": \"b\"}", "a"));
}

static void a_record_without_document_contains_and_matches_nothing(void **state)
{
    (void)state;
    assert_false(matches("{\"$contains\": \"a\"}", NULL));
    assert_true(matches("{\"$not_contains\": \"a\"}", NULL));
    assert_false(matches("{\"$regex\": \".*\"}", NULL));
    assert_true(matches("{\"$not_regex\": \".*\"}", NULL));
    assert_true(matches("{\"$or\": [{\"$contains\": \"a\"}, {\"$not_contains\": \"b\"}]}", NULL));
}

static void refused(const char *where, const char *reason)
{
    struct document_filter *filter;
    struct soma_error err = {0};
    assert_int_not_equal(document_filter_new(where, &filter, &err), SOMA_OK);
    if (strcmp(err.reason, reason) != 0 || strcmp(err.field, "where_document") != 0)
        fail_msg("%.60s: %s %s for %s", where, err.reason, err.field, reason);
}

static void what_is_no_filter_is_refused(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "",
        "{",
        "[]",
        "{}",
        "3",
        "{\"$contains\": \"\"}",
        "{\"$contains\": 3}",
        "{\"$contains\": [\"a\"]}",
        "{\"$contains\": \"a\", \"$contains\": \"b\"}",
        "{\"$near\": \"a\"}",
        "{\"a\": \"a\"}",
        "{\"$and\": []}",
        "{\"$and\": {}}",
        "{\"$or\": [3]}",
        "{\"$regex\": \"(\"}",
        "{\"$regex\": \"a{2,1}\"}",
        "{\"$regex\": \"\\\\C\"}",
        "{\"$regex\": \"(((a{1000}){1000}){1000}){1000}\"}",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        refused(wrong[i], "FILTER_INVALID");
}

static char *repeated(const char *before, const char *part, const char *after, size_t count)
{
    size_t length = strlen(part), room = strlen(before) + length * count + strlen(after) + 1;
    char *text = malloc(room);
    assert_non_null(text);
    char *at = stpcpy(text, before);
    for (size_t i = 0; i < count; i++)
        at = stpcpy(at, part);
    strcpy(at, after);
    return text;
}

static void deep_and_large_filters_are_refused(void **state)
{
    (void)state;
    char *text = repeated("", "{\"$and\": [", "", 1000);
    refused(text, "FILTER_INVALID");
    free(text);
    char *open = repeated("", "{\"$and\": [", "{\"$contains\": \"a\"}", LIMIT_FILTER_DEPTH + 2);
    char *whole = repeated(open, "]}", "", LIMIT_FILTER_DEPTH + 2);
    refused(whole, "FILTER_INVALID");
    free(open);
    free(whole);
    text = repeated("{\"$or\": [", "{\"$contains\": \"a\"}, ", "{\"$contains\": \"b\"}]}", 2000);
    refused(text, "FILTER_INVALID");
    free(text);
    text = repeated("{\"$contains\": \"", "a", "\"}", LIMIT_FILTER_BYTES);
    refused(text, "FIELD_TOO_LONG");
    free(text);
    text = repeated("{\"$regex\": \"", "(", "\"}", 5000);
    refused(text, "FILTER_INVALID");
    free(text);
}

// --- harm

static enum soma_code try_regex(const char *where, const char *document, struct mono_time deadline,
                                struct soma_error *err)
{
    struct document_filter *filter;
    bool result;
    assert_int_equal(document_filter_new(where, &filter, NULL), SOMA_OK);
    enum soma_code code =
        document_filter_matches(filter, document, strlen(document), deadline, &result, err);
    document_filter_free(filter);
    return code;
}

static void expressions_without_end_are_stopped(void **state)
{
    (void)state;
    static const char *const costly[] = {
        "{\"$regex\": \"(a+)+$\"}",
        "{\"$regex\": \"(a|aa)+$\"}",
        "{\"$regex\": \"^(a?){50}a{50}b\"}",
        "{\"$regex\": \"(.*)*(.*)*(.*)*x\"}",
    };
    char *document = repeated("", "a", "!", 60);
    for (size_t i = 0; i < sizeof costly / sizeof costly[0]; i++) {
        struct soma_error err = {0};
        // Some are seen to be hopeless at once; none goes on.
        if (try_regex(costly[i], document, MONO_NEVER, &err))
            assert_string_equal(err.reason, "FILTER_TOO_COSTLY");
    }
    struct soma_error err = {0};
    assert_int_not_equal(try_regex(costly[0], document, MONO_NEVER, &err), SOMA_OK);
    free(document);
}

static void deep_recursion_of_an_expression_is_stopped(void **state)
{
    (void)state;
    char *document = repeated("", "(", "", 200000);
    struct soma_error err = {0};
    if (try_regex("{\"$regex\": \"(\\\\((?:[^()]|(?1))*\\\\))\"}", document, MONO_NEVER, &err))
        assert_string_equal(err.reason, "FILTER_TOO_COSTLY");
    free(document);
}

static int64_t fixed_ms(void)
{
    return 1000;
}

static void many_costly_places_end_at_the_deadline(void **state)
{
    (void)state;
    static const struct clock_source source = {fixed_ms, fixed_ms};
    char *document = repeated("", "a", "", LIMIT_DOCUMENT_BYTES);
    struct soma_error err = {0};
    clock_use(&source);
    enum soma_code code =
        try_regex("{\"$regex\": \"a{1,300}b\"}", document, (struct mono_time){999}, &err);
    clock_use(NULL);
    assert_int_equal(code, SOMA_DEADLINE_EXCEEDED);
    free(document);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_are_contained_byte_for_byte),
        cmocka_unit_test(a_regular_expression_matches_a_part_of_the_document),
        cmocka_unit_test(a_match_is_found_wherever_it_begins),
        cmocka_unit_test(conditions_are_joined),
        cmocka_unit_test(a_record_without_document_contains_and_matches_nothing),
        cmocka_unit_test(what_is_no_filter_is_refused),
        cmocka_unit_test(deep_and_large_filters_are_refused),
        cmocka_unit_test(expressions_without_end_are_stopped),
        cmocka_unit_test(deep_recursion_of_an_expression_is_stopped),
        cmocka_unit_test(many_costly_places_end_at_the_deadline),
    };
    return cmocka_run_group_tests_name("document filter", tests, NULL, NULL);
}
