// Searches of a graph where only some records may be found, wherever their numbers lie.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "graph_scene.h"

static void a_row_set_gets_its_k_whatever_its_size(void **state)
{
    (void)state;
    struct scene scene;
    uint64_t words[ROWS / 64 + 1];
    static struct topk topks[QUERIES];
    static struct hit hits[QUERIES * K];
    scene_open(&scene, METRIC_L2, QUANTIZATION_INT8);
    put_new(&scene, 1, ROWS);
    catch_up(&scene);
    for (size_t every = 1; every < ROWS; every *= 3) {
        struct num_set only = every_nth(words, every);
        struct index_report report;
        search(&scene, &(struct index_search){.only = &only, .ef = K}, topks, hits, &report);
        assert_string_equal(report.kind, every == 1 ? "hnsw" : every < 60 ? "codes" : "exact");
        for (size_t i = 0; i < QUERIES; i++) {
            assert_int_equal(topks[i].count, only.count < K ? only.count : K);
            for (size_t j = 0; j < topks[i].count; j++)
                assert_true(num_set_has(&only, topks[i].hits[j].num));
        }
        assert_true(recall_of(&scene, (struct index_search){.only = &only}) > 0.98);
    }
    scene_close(&scene);
}

// Looking at the codes of what matches finds what looking at its rows does, also where rows wait,
// were replaced or have died, for readers of now and of before; deepening makes up for codes.
static void check_codes(enum metric metric, enum quantization quantization)
{
    struct scene scene;
    uint64_t words[ROWS / 64 + 1];
    struct num_set only = every_nth(words, 7);
    scene_open(&scene, metric, quantization);
    put_new(&scene, 1, ROWS);
    catch_up(&scene);
    struct index_search how = {.only = &only, .sequence = 1};
    assert_true(recall_of(&scene, how) > 0.995);
    put_new(&scene, 1, ROWS / 2); // sequence 2: wait at first
    for (int is_indexed = 0; is_indexed < 2; is_indexed++) {
        for (how.sequence = 1; how.sequence <= 2; how.sequence++)
            assert_true(recall_of(&scene, how) > 0.995);
        catch_up(&scene);
    }
    scene.sequence++;
    rows_kill(scene.rows, 1, scene.sequence); // sequence 3: one is gone
    rows_compact(scene.rows, scene.sequence);
    sweep(&scene);
    words[0] &= ~(uint64_t)1;
    only.count--;
    how.sequence = 3;
    assert_true(recall_of(&scene, how) > 0.995);
    scene_close(&scene);
}

static void the_codes_of_what_matches_are_as_good_as_its_rows(void **state)
{
    (void)state;
    check_codes(METRIC_L2, QUANTIZATION_INT8);
    check_codes(METRIC_L2, QUANTIZATION_INT4);
    check_codes(METRIC_COSINE, QUANTIZATION_INT8);
    check_codes(METRIC_DOT, QUANTIZATION_BF16);
}

// Only rows whose record has a hole in between its number and the others' are looked for elsewhere.
static void records_with_far_numbers_are_found_too(void **state)
{
    (void)state;
    struct scene scene;
    static uint64_t words[ROWS / 64 + 1];
    static struct topk topks[QUERIES];
    static struct hit hits[QUERIES * K];
    struct index_report report;
    float vector[DIM];
    const int64_t far = (int64_t)1 << 34;
    scene_open(&scene, METRIC_L2, QUANTIZATION_INT8);
    put_new(&scene, 1, ROWS);
    scene.sequence++;
    for (int64_t i = 0; i < 100; i++) {
        fill(vector, 1);
        put(&scene, far + i, vector);
    }
    catch_up(&scene);
    struct num_set only = {.first = far, .size = ROWS, .words = words};
    for (; only.count < 90; only.count++)
        words[only.count / 64] |= (uint64_t)1 << only.count % 64;
    search(&scene, &(struct index_search){.only = &only}, topks, hits, &report);
    assert_string_equal(report.kind, "exact");
    for (size_t i = 0; i < QUERIES; i++)
        assert_int_equal(topks[i].count, K);
    scene_close(&scene);
}

// A walk keeps those that match wherever their numbers are: in the one case the second half lies
// far above the first, in the other below.
static void check_walk_over_far_numbers(int64_t first, int64_t then)
{
    enum {
        ALL = 300000
    };
    static uint64_t words[ALL / 64 + 1];
    static struct topk topks[QUERIES];
    static struct hit hits[QUERIES * K];
    struct index_report report;
    struct scene scene;
    memset(words, 0xff, sizeof words);
    scene_open(&scene, METRIC_L2, QUANTIZATION_INT8);
    put_new(&scene, first, ROWS / 2);
    catch_up(&scene);
    put_new(&scene, then, ROWS / 2);
    catch_up(&scene);
    const struct num_set only = {.first = 1, .size = ALL, .words = words, .count = ROWS};
    const struct index_search how = {.only = &only, .ef = 30};
    search(&scene, &how, topks, hits, &report);
    assert_string_equal(report.kind, "hnsw");
    assert_true(recall_of(&scene, how) > 0.98);
    scene_close(&scene);
}

static void a_walk_finds_far_numbers_too(void **state)
{
    (void)state;
    check_walk_over_far_numbers(1, 200000);
    check_walk_over_far_numbers(200000, 1);
}

// Rows that were replaced since have no entries any more; who sees the state before finds them.
static void a_reader_of_before_finds_what_was_replaced(void **state)
{
    (void)state;
    static uint64_t words[ROWS / 64 + 1];
    struct scene scene;
    struct num_set only = every_nth(words, 1);
    scene_open(&scene, METRIC_L2, QUANTIZATION_INT8);
    put_new(&scene, 1, ROWS);
    catch_up(&scene);
    put_new(&scene, 1, ROWS / 2);
    catch_up(&scene);
    struct index_search how = {.only = &only, .ef = 20};
    for (how.sequence = 1; how.sequence <= 2; how.sequence++) {
        static struct topk topks[QUERIES];
        static struct hit hits[QUERIES * K];
        struct index_report report;
        search(&scene, &how, topks, hits, &report);
        assert_string_equal(report.kind, "hnsw");
        assert_true(recall_of(&scene, how) > 0.9);
    }
    scene_close(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_row_set_gets_its_k_whatever_its_size),
        cmocka_unit_test(the_codes_of_what_matches_are_as_good_as_its_rows),
        cmocka_unit_test(records_with_far_numbers_are_found_too),
        cmocka_unit_test(a_reader_of_before_finds_what_was_replaced),
        cmocka_unit_test(a_walk_finds_far_numbers_too),
    };
    return cmocka_run_group_tests_name("numbers", tests, NULL, NULL);
}
