// Graphs that grow behind the writer, and die with their rows; the budget.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "indexer_scene.h"

static void a_graph_grows_behind_the_writer(void **unused)
{
    (void)unused;
    struct scene scene;
    scene_init(&scene);
    put(&scene, 0, FLAT_ROWS / 2, 0);
    load(&scene);
    assert_string_equal(state_of(&scene).kind, "exact");
    for (size_t first = FLAT_ROWS / 2; first < ROWS; first += 100) {
        put(&scene, first, 100, 0);
        struct answer answer; // visible at once, indexed or not
        ask(&scene, first + 50, 0, false, &answer);
        assert_true(answer.answer.results[0].hits[0].distance == 0);
        answer_close(&answer);
    }
    wait_until(&scene, is_settled);
    check_answers(&scene, "hnsw", 7, 0);
    scene_fini(&scene);
}

static void deleted_rows_leave_the_graph(void **unused)
{
    (void)unused;
    struct scene scene;
    scene_init(&scene);
    put(&scene, 0, ROWS, 0);
    load(&scene);
    wait_until(&scene, is_settled);
    int64_t bytes = vectors_memory_bytes(scene.base.vectors, scene_get(&scene.base, "c").uid);
    delete (&scene, 0, ROWS, 2);
    wait_until(&scene, is_swept);
    check_answers(&scene, NULL, 7, 0);
    put(&scene, 0, ROWS, 0);
    wait_until(&scene, is_settled);
    check_answers(&scene, NULL, 7, 0);
    assert_true(vectors_memory_bytes(scene.base.vectors, scene_get(&scene.base, "c").uid) <
                bytes + bytes / 4);
    scene_clear(&scene.base, "c");
    put(&scene, 0, ROWS, 1);
    check_answers(&scene, NULL, 97, 1);
    wait_until(&scene, is_settled);
    check_answers(&scene, NULL, 7, 1);
    scene_fini(&scene);
}

static void what_a_reader_held_back_leaves_the_graph_with_it(void **unused)
{
    (void)unused;
    struct scene scene;
    struct answer answer;
    scene_init(&scene);
    put(&scene, 0, ROWS, 0);
    load(&scene);
    wait_until(&scene, is_settled);
    ask(&scene, 5, 0, false, &answer);
    delete (&scene, 0, ROWS, 2);
    wait_until(&scene, has_tried_to_sweep);
    assert_int_equal(state_of(&scene).rows_indexed, ROWS);
    answer_close(&answer);
    wait_until(&scene, is_swept);
    scene_fini(&scene);
}

// A loading sizes the first chunk for all that come; from then on they are as large as what lives.
static void updates_after_a_loading_come_in_few_chunks(void **unused)
{
    (void)unused;
    struct scene scene;
    scene_init(&scene);
    scene.options.indexers = 0;
    scene.options.flat_rows = ROWS * 2;
    put(&scene, 0, ROWS, 0);
    scene_restart(&scene);
    load(&scene);
    for (size_t first = 0; first < ROWS; first += 100)
        put(&scene, first, 100, 1);
    assert_in_range(collection_of(&scene)->rows->set->count, 1, 8);
    check_answers(&scene, "exact", 97, 1);
    scene_fini(&scene);
}

// --- the budget

static enum soma_code put_long_ids(struct scene *scene, size_t first, size_t count,
                                   size_t id_length, struct soma_error *err)
{
    char ids[64][512];
    struct record_input inputs[64] = {0};
    float vectors[64 * DIM];
    for (size_t i = 0; i < count; i++) {
        snprintf(ids[i], sizeof ids[i], "%0*zu", (int)(id_length % sizeof ids[i]), first + i);
        inputs[i].id = ids[i];
        vector_of(first + i, 0, vectors + i * DIM);
    }
    return scene_write(&scene->base, WRITE_UPSERT, "c", inputs, count, vectors, NULL, err);
}

// As many rows as fit with short ids do not fit with long ones, and the refusal says so.
static void ids_count_in_the_budget(void **unused)
{
    (void)unused;
    for (size_t id_length = 8; id_length <= 508; id_length += 500) {
        struct scene scene;
        struct soma_error err = {0};
        scene_init(&scene);
        scene.options.budget_bytes = 160 << 10;
        scene.options.flat_rows = 100000;
        scene_restart(&scene);
        enum soma_code code = SOMA_OK;
        for (size_t first = 0; first < 640 && !code; first += 64) {
            code = put_long_ids(&scene, first, 64, id_length, &err);
            if (!code)
                load(&scene);
        }
        assert_int_equal(code, id_length < 100 ? SOMA_OK : SOMA_RESOURCE_EXHAUSTED);
        if (code)
            assert_string_equal(err.reason, "MEMORY_BUDGET");
        scene_fini(&scene);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_graph_grows_behind_the_writer),
        cmocka_unit_test(deleted_rows_leave_the_graph),
        cmocka_unit_test(what_a_reader_held_back_leaves_the_graph_with_it),
        cmocka_unit_test(updates_after_a_loading_come_in_few_chunks),
        cmocka_unit_test(ids_count_in_the_budget),
    };
    return cmocka_run_group_tests_name("indexer", tests, NULL, NULL);
}
