// server/vectors: readers beside the writer, while collections are loaded and dropped under them.
#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "vectors_scene.h"

enum {
    BUDGET = 64 << 20,
    CROWD = 200,
    BYSTANDERS = 10000, // make loading take longer than a write
    GENERATIONS = 60,
    READERS = 3
};

struct crowd {
    struct vectors_scene scene;
    atomic_int generation; // at least this one is written
    atomic_bool is_over;
    atomic_int queries;
    atomic_int failures;
};

// Every record's vector is (generation, 0): a state in between would show two generations.
static void *read_crowd(void *context)
{
    struct crowd *crowd = context;
    struct arena arena;
    arena_init(&arena, 16 << 20);
    while (!atomic_load(&crowd->is_over)) {
        static const float origin[2] = {0, 0};
        int generation = atomic_load(&crowd->generation);
        struct query_request request = {.collection = "c",
                                        .embeddings = origin,
                                        .number_count = 2,
                                        .k = CROWD,
                                        .max_distance = INFINITY,
                                        .min_score = -INFINITY,
                                        .deadline = MONO_NEVER};
        struct query_answer answer;
        enum soma_code code = query_answer_open(crowd->scene.scratch.store, crowd->scene.vectors,
                                                &request, &arena, &answer, NULL);
        if (code) {
            // Dropped while it was loaded, as if it were deleted.
            atomic_fetch_add(&crowd->failures, code != SOMA_NOT_FOUND);
            continue;
        }
        const struct query_result *found = &answer.results[0];
        double first = found->count ? found->hits[0].distance : -1;
        bool is_right = found->count == CROWD && first >= (double)generation * generation &&
                        found->hits[CROWD - 1].distance == first;
        atomic_fetch_add(&crowd->failures, !is_right);
        atomic_fetch_add(&crowd->queries, 1);
        query_answer_close(&answer);
        arena_reset(&arena, 1 << 20);
    }
    arena_fini(&arena);
    return NULL;
}

// Records that lie farther away than any generation.
static void write_bystanders(struct crowd *crowd)
{
    static char ids[BYSTANDERS][16];
    static struct record_input inputs[BYSTANDERS];
    static float vectors[BYSTANDERS * 2];
    for (size_t i = 0; i < BYSTANDERS; i++) {
        snprintf(ids[i], sizeof ids[i], "by%zu", i);
        inputs[i] = (struct record_input){.id = ids[i]};
        vectors[2 * i] = 1e6f;
    }
    assert_int_equal(
        scene_write(&crowd->scene, WRITE_UPSERT, "c", inputs, BYSTANDERS, vectors, NULL, NULL),
        SOMA_OK);
}

static void write_generation(struct crowd *crowd, int generation)
{
    static char ids[CROWD][16];
    static struct record_input inputs[CROWD];
    static float vectors[CROWD * 2];
    for (size_t i = 0; i < CROWD; i++) {
        snprintf(ids[i], sizeof ids[i], "%zu", i);
        inputs[i] = (struct record_input){.id = ids[i]};
        vectors[2 * i] = (float)generation;
    }
    assert_int_equal(
        scene_write(&crowd->scene, WRITE_UPSERT, "c", inputs, CROWD, vectors, NULL, NULL), SOMA_OK);
    atomic_store(&crowd->generation, generation);
}

static void readers_beside_the_writer_see_whole_states(void **state)
{
    (void)state;
    static struct crowd crowd;
    scene_open(&crowd.scene, BUDGET);
    scene_create(&crowd.scene, "c", 2, METRIC_L2);
    write_bystanders(&crowd);
    write_generation(&crowd, 1);
    pthread_t readers[READERS];
    for (size_t i = 0; i < READERS; i++)
        assert_int_equal(pthread_create(&readers[i], NULL, read_crowd, &crowd), 0);
    for (int generation = 2; generation <= GENERATIONS; generation++) {
        write_generation(&crowd, generation);
        // So that loading and writing overlap too.
        if (generation % 4 == 0)
            vectors_drop(crowd.scene.vectors, scene_get(&crowd.scene, "c").uid);
    }
    while (atomic_load(&crowd.queries) < 50 && !atomic_load(&crowd.failures))
        write_generation(&crowd, atomic_load(&crowd.generation) + 1);
    atomic_store(&crowd.is_over, true);
    for (size_t i = 0; i < READERS; i++)
        pthread_join(readers[i], NULL);
    assert_int_equal(atomic_load(&crowd.failures), 0);
    scene_close(&crowd.scene);
}

// The distance of the one record, by a query at [0].
static double distance_of_it(struct vectors_scene *scene, int64_t *ret_num)
{
    static const float origin[1] = {0};
    struct query_request request = {.collection = "c",
                                    .embeddings = origin,
                                    .number_count = 1,
                                    .k = 10,
                                    .max_distance = INFINITY,
                                    .min_score = -INFINITY,
                                    .deadline = clock_deadline_after(20000)};
    struct arena arena;
    struct query_answer answer;
    arena_init(&arena, 1 << 20);
    assert_int_equal(
        query_answer_open(scene->scratch.store, scene->vectors, &request, &arena, &answer, NULL),
        SOMA_OK);
    assert_int_equal(answer.results[0].count, 1);
    double distance = answer.results[0].hits[0].distance;
    *ret_num = answer.results[0].hits[0].num;
    query_answer_close(&answer);
    arena_fini(&arena);
    return distance;
}

// A collection may be loaded when a write is committed but not yet told of: it has the write then.
static void news_that_the_loaded_state_has_already_change_nothing(void **state)
{
    (void)state;
    struct vectors_scene scene;
    struct record_input input = {.id = "a"};
    float first = 1, second = 2;
    struct row_change change = {.id = "a", .vector = &first};
    scene_open(&scene, BUDGET);
    scene_create(&scene, "c", 1, METRIC_L2);
    assert_int_equal(scene_write(&scene, WRITE_UPSERT, "c", &input, 1, &first, NULL, NULL),
                     SOMA_OK);
    struct row_changes late = {
        .dim = 1, .sequence = scene_get(&scene, "c").sequence, .changes = &change, .count = 1};
    memcpy(late.uid, scene_get(&scene, "c").uid, sizeof late.uid);
    assert_int_equal(scene_write(&scene, WRITE_UPSERT, "c", &input, 1, &second, NULL, NULL),
                     SOMA_OK);
    assert_true(distance_of_it(&scene, &change.num) == 4);
    vectors_publish(scene.vectors, &late);
    assert_true(distance_of_it(&scene, &change.num) == 4);
    scene_close(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(readers_beside_the_writer_see_whole_states),
        cmocka_unit_test(news_that_the_loaded_state_has_already_change_nothing),
    };
    return cmocka_run_group_tests_name("collection readers", tests, NULL, NULL);
}
