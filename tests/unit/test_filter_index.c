// Filters answered from bitmaps against looking at every record, over random records and filters,
// at old and new sequences, beside a writer; and that a filtered query has min(k, matches) hits.
#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "filter_scene.h"

enum {
    BUDGET = 64 << 20
};

static void check_view(struct view *view, uint64_t *random, int *bitmaps)
{
    for (int i = 0; i < 8; i++) {
        struct text where = {.length = 0};
        bool by_bitmaps = false;
        text_put_filter(&where, random, 3);
        if (!view_agrees(view, where.bytes, &by_bitmaps))
            fail_msg("bitmaps and records differ for %s", where.bytes);
        *bitmaps += by_bitmaps;
    }
}

static void bitmaps_answer_as_the_records_do_at_old_and_new_sequences(void **state)
{
    (void)state;
    struct vectors_scene scene;
    uint64_t random = 11;
    int bitmaps = 0, rounds = 400;
    scene_open(&scene, BUDGET);
    scene_create(&scene, "c", 2, METRIC_L2);
    for (int i = 0; i < rounds; i++) {
        struct view view;
        assert_true(view_open(&view, &scene, scene_get(&scene, "c").uid));
        for (uint32_t writes = scene_random(&random, 4); writes; writes--)
            random_write(&scene, &random);
        check_view(&view, &random, &bitmaps);
        view_close(&view);
    }
    assert_true(bitmaps > rounds * 8 * 9 / 10);
    scene_close(&scene);
}

// --- beside a writer

enum {
    READERS = 2,
    CHECKS = 600
};

struct crowd {
    struct vectors_scene scene;
    char uid[ID_SIZE];
    atomic_int checks, failures, bitmaps;
};

static void *read_crowd(void *context)
{
    struct crowd *crowd = context;
    uint64_t random = 77;
    while (atomic_load(&crowd->checks) < CHECKS && !atomic_load(&crowd->failures)) {
        struct view view;
        struct text where = {.length = 0};
        bool by_bitmaps = false;
        text_put_filter(&where, &random, 2);
        bool same = view_open(&view, &crowd->scene, crowd->uid) &&
                    view_agrees(&view, where.bytes, &by_bitmaps);
        view_close(&view);
        atomic_fetch_add(&crowd->failures, !same);
        atomic_fetch_add(&crowd->bitmaps, by_bitmaps);
        atomic_fetch_add(&crowd->checks, 1);
    }
    return NULL;
}

static void bitmaps_answer_as_the_records_do_beside_a_writer(void **state)
{
    (void)state;
    static struct crowd crowd;
    uint64_t random = 3;
    scene_open(&crowd.scene, BUDGET);
    scene_create(&crowd.scene, "c", 2, METRIC_L2);
    memcpy(crowd.uid, scene_get(&crowd.scene, "c").uid, sizeof crowd.uid);
    pthread_t readers[READERS];
    for (size_t i = 0; i < READERS; i++)
        assert_int_equal(pthread_create(&readers[i], NULL, read_crowd, &crowd), 0);
    while (atomic_load(&crowd.checks) < CHECKS && !atomic_load(&crowd.failures))
        random_write(&crowd.scene, &random);
    for (size_t i = 0; i < READERS; i++)
        pthread_join(readers[i], NULL);
    assert_int_equal(atomic_load(&crowd.failures), 0);
    assert_true(atomic_load(&crowd.bitmaps) > CHECKS / 2);
    scene_close(&crowd.scene);
}

// --- the contract

static void a_filtered_query_has_all_hits_that_match_up_to_k(void **state)
{
    (void)state;
    struct vectors_scene scene;
    uint64_t random = 29;
    scene_open(&scene, BUDGET);
    scene_create(&scene, "c", 2, METRIC_L2);
    for (int i = 0; i < 200; i++) {
        random_write(&scene, &random);
        struct view view;
        struct text where = {.length = 0};
        bool by_bitmaps;
        text_put_filter(&where, &random, 2);
        assert_true(view_open(&view, &scene, scene_get(&scene, "c").uid));
        assert_true(view_agrees(&view, where.bytes, &by_bitmaps));
        const struct filter *filter;
        assert_int_equal(filter_compile(where.bytes, &view.arena, &filter, NULL), SOMA_OK);
        struct filter_search search = {
            .txn = view.txn, .row = &view.row, .filter = filter, .deadline = MONO_NEVER};
        struct filter_matches matches = {0};
        const char *source;
        assert_int_equal(filter_search_run(&search, &matches, &source, NULL), SOMA_OK);
        static const float origin[2] = {0, 0};
        struct query_request request = {.collection = "c",
                                        .embeddings = origin,
                                        .number_count = 2,
                                        .k = 1 + scene_random(&random, FILTER_SCENE_IDS),
                                        .filter = filter,
                                        .max_distance = INFINITY,
                                        .min_score = -INFINITY,
                                        .deadline = MONO_NEVER};
        struct query_answer answer;
        assert_int_equal(query_answer_open(scene.scratch.store, scene.vectors, &request,
                                           &view.arena, &answer, NULL),
                         SOMA_OK);
        const struct query_result *found = &answer.results[0];
        size_t wanted = matches.set.count < request.k ? matches.set.count : request.k;
        assert_int_equal(found->count, wanted);
        assert_string_equal(found->short_reason, wanted < request.k ? "FEWER_MATCHES" : "");
        for (uint32_t n = 0; n < found->count; n++)
            assert_true(num_set_has(&matches.set, found->hits[n].num));
        query_answer_close(&answer);
        filter_matches_fini(&matches);
        view_close(&view);
    }
    scene_close(&scene);
}

// --- many values

enum {
    CROWD = 6000
};

// Ints, doubles between them, and texts: more than are looked through one by one.
static void write_values(struct vectors_scene *scene, int64_t factor)
{
    static char ids[CROWD][16], texts[CROWD][16];
    static const char *text_pointers[CROWD];
    static int64_t numbers[CROWD];
    static double reals[CROWD];
    static struct metadata_field fields[CROWD];
    static struct record_input inputs[CROWD];
    static float vectors[CROWD * 2];
    for (size_t i = 0; i < CROWD; i++) {
        numbers[i] = (int64_t)i * factor % CROWD;
        reals[i] = (double)numbers[i] + 0.5;
        snprintf(ids[i], sizeof ids[i], "%zu", i);
        snprintf(texts[i], sizeof texts[i], "%lld", (long long)numbers[i]);
        text_pointers[i] = texts[i];
        fields[i] = (struct metadata_field){.key = "n", .count = 1};
        fields[i].type = (enum metadata_type)(METADATA_STRING + i % 3);
        if (fields[i].type == METADATA_STRING)
            fields[i].values.strings = &text_pointers[i];
        else if (fields[i].type == METADATA_INT)
            fields[i].values.ints = &numbers[i];
        else
            fields[i].values.doubles = &reals[i];
        inputs[i] = (struct record_input){.id = ids[i], .fields = &fields[i], .field_count = 1};
    }
    assert_int_equal(scene_write(scene, WRITE_UPSERT, "c", inputs, CROWD, vectors, NULL, NULL),
                     SOMA_OK);
}

static void check_ranges(struct vectors_scene *scene)
{
    static const char *const bounds[] = {"-1",  "0",    "17",     "17.5",  "2999.5",  "5998",
                                         "1e9", "\"\"", "\"29\"", "\"5\"", "\"9999\""};
    static const char *const orders[] = {"$lt", "$lte", "$gt", "$gte", "$eq"};
    struct view view;
    assert_true(view_open(&view, scene, scene_get(scene, "c").uid));
    for (size_t b = 0; b < sizeof bounds / sizeof bounds[0]; b++) {
        for (size_t o = 0; o < sizeof orders / sizeof orders[0]; o++) {
            struct text where = {.length = 0};
            bool by_bitmaps;
            text_put(&where, "{\"n\": {\"%s\": %s}}", orders[o], bounds[b]);
            if (!view_agrees(&view, where.bytes, &by_bitmaps) || !by_bitmaps)
                fail_msg("bitmaps and records differ for %s", where.bytes);
        }
    }
    view_close(&view);
}

static void ranges_hold_over_thousands_of_values_sorted_and_new(void **state)
{
    (void)state;
    struct vectors_scene scene;
    scene_open(&scene, BUDGET);
    scene_create(&scene, "c", 2, METRIC_DOT);
    write_values(&scene, 7);
    check_ranges(&scene); // indexes the key
    write_values(&scene, 11);
    check_ranges(&scene);
    scene_close(&scene);
}

// --- memory

static void bitmaps_that_find_no_room_are_done_without(void **state)
{
    (void)state;
    struct vectors_scene scene;
    uint64_t random = 5;
    int bitmaps = 0;
    scene_open(&scene, 24 << 10);
    scene_create(&scene, "c", 2, METRIC_L2);
    for (int i = 0; i < 60; i++) {
        struct view view;
        random_write(&scene, &random);
        assert_true(view_open(&view, &scene, scene_get(&scene, "c").uid));
        check_view(&view, &random, &bitmaps);
        view_close(&view);
    }
    scene_close(&scene);
}

static void bitmaps_count_as_the_collections_memory(void **state)
{
    (void)state;
    struct vectors_scene scene;
    struct view view;
    bool by_bitmaps;
    uint64_t random = 8;
    scene_open(&scene, BUDGET);
    scene_create(&scene, "c", 2, METRIC_L2);
    for (int i = 0; i < 20; i++)
        random_write(&scene, &random);
    assert_true(view_open(&view, &scene, scene_get(&scene, "c").uid));
    int64_t before = vectors_memory_bytes(scene.vectors, view.row.uid);
    assert_true(view_agrees(&view, "{\"a\": {\"$gt\": 0}}", &by_bitmaps));
    assert_true(by_bitmaps);
    assert_true(vectors_memory_bytes(scene.vectors, view.row.uid) > before);
    view_close(&view);
    scene_close(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bitmaps_answer_as_the_records_do_at_old_and_new_sequences),
        cmocka_unit_test(bitmaps_answer_as_the_records_do_beside_a_writer),
        cmocka_unit_test(a_filtered_query_has_all_hits_that_match_up_to_k),
        cmocka_unit_test(ranges_hold_over_thousands_of_values_sorted_and_new),
        cmocka_unit_test(bitmaps_that_find_no_room_are_done_without),
        cmocka_unit_test(bitmaps_count_as_the_collections_memory),
    };
    return cmocka_run_group_tests_name("filter index", tests, NULL, NULL);
}
