// Records by filter alone: counted by the values of a key, and in the order of one.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "records_scene.h"
#include "vectors/selection.h"

// --- facets and order

static void select_all(struct selection *selection, const char *where)
{
    struct selection_request request = {.collection = "c", .deadline = MONO_NEVER};
    if (where)
        assert_int_equal(filter_compile(where, &arena, &request.filter, NULL), SOMA_OK);
    assert_int_equal(
        selection_open(scene.scratch.store, scene.vectors, &request, &arena, selection, NULL),
        SOMA_OK);
}

static void facets_count_values_the_most_frequent_first(void **state)
{
    (void)state;
    static const char *const groups[] = {"x", "y", "x", "z", "y", "x", NULL};
    for (int i = 0; i < 7; i++) {
        char id[2] = {(char)('a' + i), '\0'};
        put("c", id, (float)i, NULL, i, groups[i]);
    }
    struct selection selection;
    struct facets facets;
    select_all(&selection, NULL);
    assert_int_equal(selection_facets(&selection, "g", 2, MONO_NEVER, &arena, &facets, NULL),
                     SOMA_OK);
    assert_int_equal(facets.count, 2);
    assert_int_equal(facets.value_count, 3);
    assert_int_equal(facets.without, 1);
    assert_string_equal(facets.top[0].value.text, "x");
    assert_int_equal(facets.top[0].count, 3);
    assert_string_equal(facets.top[1].value.text, "y");
    selection_close(&selection);
    select_all(&selection, "{\"n\": {\"$gte\": 3}}");
    assert_int_equal(selection_count(&selection), 4);
    assert_int_equal(selection_facets(&selection, "g", 10, MONO_NEVER, &arena, &facets, NULL),
                     SOMA_OK);
    assert_int_equal(facets.count, 3);
    assert_int_equal(facets.top[0].count, 1);
    selection_close(&selection);
}

// All ids page by page, "a b c".
static const char *ordered(const char *key, bool is_descending, size_t page)
{
    static char text[1024];
    struct selection selection;
    static struct order_place places[64];
    struct order_place after;
    struct order_request request = {
        .key = key, .is_descending = is_descending, .count = page, .deadline = MONO_NEVER};
    bool has_more = true;
    char *at = text;
    *at = '\0';
    select_all(&selection, NULL);
    while (has_more) {
        size_t count = 0;
        char cursor[ORDER_CURSOR_BYTES];
        assert_int_equal(selection_order(&selection, &request, places, &count, &has_more, NULL),
                         SOMA_OK);
        assert_true(count == page || !has_more);
        for (size_t i = 0; i < count; i++)
            at += sprintf(at, "%s%s", at == text ? "" : " ", places[i].id);
        if (!count)
            break;
        order_place_print(&places[count - 1], cursor);
        assert_true(order_place_parse(cursor, &after));
        request.after = &after;
    }
    selection_close(&selection);
    return text;
}

static void records_come_in_the_order_of_a_key_page_by_page(void **state)
{
    (void)state;
    put("c", "b", 1, NULL, 7, "m");
    put("c", "a", 1, NULL, 7, "k");
    put("c", "d", 1, NULL, -3, NULL);
    put("c", "c", 1, NULL, 100, "m");
    put("c", "e", 1, NULL, 0, NULL);
    for (size_t page = 1; page < 7; page++) {
        assert_string_equal(ordered("n", false, page), "d e a b c");
        assert_string_equal(ordered("n", true, page), "c a b e d");
        assert_string_equal(ordered("g", false, page), "a b c d e");
        assert_string_equal(ordered("g", true, page), "b c a d e");
        assert_string_equal(ordered("", true, page), "e d c b a");
    }
}

static void cursors_of_others_are_refused(void **state)
{
    (void)state;
    static const char *const wrong[] = {"",
                                        "a",
                                        ":",
                                        "i:",
                                        "i1:",
                                        "i1x:a",
                                        "q1:a",
                                        "i:a",
                                        "s6:a",
                                        "s6G:a",
                                        "b2:a",
                                        "b:a",
                                        "dnan:a",
                                        "dx:a",
                                        "d:a",
                                        "-1:a",
                                        "i99999999999999999999:a"};
    struct order_place place;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        if (order_place_parse(wrong[i], &place))
            fail_msg("%s", wrong[i]);
    }
    assert_true(order_place_parse("i-5:a:b", &place));
    assert_string_equal(place.id, "a:b");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_scene, close_scene)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(facets_count_values_the_most_frequent_first),
        TEST(records_come_in_the_order_of_a_key_page_by_page),
        TEST(cursors_of_others_are_refused),
    };
    return cmocka_run_group_tests_name("selection", tests, NULL, NULL);
}
