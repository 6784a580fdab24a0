// Restores step by step: who sees them, what they leave, how they end.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "store/records.h"
#include "store/restores.h"
#include "vectors/restore.h"
#include "vectors_scene.h"
#include "wire/limits.h"

enum {
    DIM = 2,
    RECORDS = 2 * RESTORE_REMOVED_MAX + 10
};

struct step {
    struct vectors_scene *scene;
    struct collection_row row;
    struct restore_page page;
    struct place_runs present;
    bool is_done;
    int64_t before_ms;
};

static enum soma_code begin(void *context, struct store_txn *txn, struct soma_error *err)
{
    return restores_begin(txn, "", context, err);
}

static struct collection_row begin_one(struct vectors_scene *scene, int64_t created_ms)
{
    struct collection_row row = {
        .dimension = DIM, .metric = METRIC_L2, .created_unix_ms = created_ms};
    index_settings_complete(&row.index);
    assert_int_equal(scratch_write(&scene->scratch, begin, &row, NULL), SOMA_OK);
    return row;
}

static enum soma_code sweep(void *context, struct store_txn *txn, struct soma_error *err)
{
    struct step *step = context;
    return restores_sweep(txn, step->before_ms, err);
}

static void nobody_sees_a_restore_that_is_under_way(void **unused)
{
    (void)unused;
    struct vectors_scene scene;
    struct store_txn *txn;
    struct collection_row found[4], row;
    int64_t collections, records;
    size_t count;
    scene_open(&scene, 64 << 20);
    scene_create(&scene, "c", DIM, METRIC_L2);
    row = begin_one(&scene, 1000);
    assert_int_equal(store_read_begin(scene.scratch.store, &txn, NULL), SOMA_OK);
    assert_int_equal(collections_find(txn, row.uid, &scene.arena, &found[0], NULL), SOMA_NOT_FOUND);
    assert_int_equal(collections_find(txn, row.name, &scene.arena, &found[0], NULL),
                     SOMA_NOT_FOUND);
    struct name_range range;
    name_range_init(&range, NULL, "");
    assert_int_equal(collections_list(txn, &range, 4, &scene.arena, found, &count, NULL), SOMA_OK);
    assert_int_equal(count, 1);
    assert_string_equal(found[0].name, "c");
    assert_int_equal(collections_count(txn, &collections, &records, NULL), SOMA_OK);
    assert_int_equal(collections, 1);
    assert_int_equal(restores_find(txn, "", row.uid, &scene.arena, &found[0], NULL), SOMA_OK);
    assert_int_equal(
        restores_find(txn, "", scene_get(&scene, "c").uid, &scene.arena, &found[0], NULL),
        SOMA_NOT_FOUND);
    store_read_end(txn);
    scene_close(&scene);
}

static void restores_are_bounded_and_old_ones_go(void **unused)
{
    (void)unused;
    struct vectors_scene scene;
    struct soma_error err;
    scene_open(&scene, 64 << 20);
    for (int64_t i = 0; i < LIMIT_RESTORES; i++)
        begin_one(&scene, 1000 + i);
    struct collection_row row = {.dimension = DIM, .metric = METRIC_L2};
    index_settings_complete(&row.index);
    assert_int_equal(scratch_write(&scene.scratch, begin, &row, &err), SOMA_RESOURCE_EXHAUSTED);
    assert_string_equal(err.text, "the limit restores is 16, and it is reached");
    struct step step = {.before_ms = 1001};
    assert_int_equal(scratch_write(&scene.scratch, sweep, &step, NULL), SOMA_OK);
    begin_one(&scene, 2000);
    assert_int_equal(scratch_write(&scene.scratch, begin, &row, &err), SOMA_RESOURCE_EXHAUSTED);
    scene_close(&scene);
}

static enum soma_code apply(void *context, struct store_txn *txn, struct soma_error *err)
{
    struct step *step = context;
    return restore_apply(step->scene->vectors, txn, &step->page, &step->row, err);
}

// Records r0 to r(count - 1), in places of their numbers and `from`.
static enum soma_code put(struct step *step, size_t count, int64_t from, struct soma_error *err)
{
    static struct record_input inputs[RECORDS];
    static char ids[RECORDS][24];
    static float vectors[RECORDS * DIM];
    static int64_t places[RECORDS];
    for (size_t i = 0; i < count; i++) {
        snprintf(ids[i], sizeof ids[i], "r%zu", i);
        inputs[i] = (struct record_input){.id = ids[i], .document = i % 2 ? "words" : NULL};
        vectors[i * DIM] = (float)i;
        places[i] = from + (int64_t)i;
    }
    step->page = (struct restore_page){
        .batch = {.mode = WRITE_UPSERT, .dim = DIM, .metric = METRIC_L2}, .places = places};
    assert_int_equal(
        write_prepare(&step->page.batch, inputs, count, vectors, &step->scene->arena, NULL),
        SOMA_OK);
    return scratch_write(&step->scene->scratch, apply, step, err);
}

static enum soma_code settle(void *context, struct store_txn *txn, struct soma_error *err)
{
    struct step *step = context;
    return restore_settle(txn, step->present, &step->row, &step->scene->arena, &step->is_done, err);
}

static void what_is_no_longer_present_goes_in_bounded_steps(void **unused)
{
    (void)unused;
    struct vectors_scene scene;
    const uint64_t lengths[] = {3, 1, 2, 4}; // places 4, 7 to 10
    scene_open(&scene, 64 << 20);
    struct step step = {.scene = &scene, .row = begin_one(&scene, 1), .present = {lengths, 4}};
    assert_int_equal(put(&step, RECORDS, 1, NULL), SOMA_OK);
    assert_int_equal(step.row.record_count, RECORDS);
    for (int64_t left = RECORDS - RESTORE_REMOVED_MAX; left > 5; left -= RESTORE_REMOVED_MAX) {
        assert_int_equal(scratch_write(&scene.scratch, settle, &step, NULL), SOMA_OK);
        assert_false(step.is_done);
        assert_int_equal(step.row.record_count, left);
    }
    assert_int_equal(scratch_write(&scene.scratch, settle, &step, NULL), SOMA_OK);
    assert_true(step.is_done);
    assert_int_equal(step.row.record_count, 5);
    assert_int_equal(step.row.last_record, 10);
    scene_close(&scene);
}

static void a_record_that_moved_leaves_its_old_place(void **unused)
{
    (void)unused;
    struct vectors_scene scene;
    const uint64_t lengths[] = {49, 10};
    scene_open(&scene, 64 << 20);
    struct step step = {.scene = &scene, .row = begin_one(&scene, 1), .present = {lengths, 2}};
    assert_int_equal(put(&step, 10, 1, NULL), SOMA_OK);
    assert_int_equal(put(&step, 10, 5, NULL), SOMA_OK); // over their own places too
    assert_int_equal(put(&step, 10, 50, NULL), SOMA_OK);
    assert_int_equal(put(&step, 10, 50, NULL), SOMA_OK);
    assert_int_equal(step.row.record_count, 10);
    assert_int_equal(scratch_write(&scene.scratch, settle, &step, NULL), SOMA_OK);
    assert_true(step.is_done);
    assert_int_equal(step.row.last_record, 59);
    scene_close(&scene);
}

static enum soma_code give_name(void *context, struct store_txn *txn, struct soma_error *err)
{
    struct step *step = context;
    snprintf(step->row.name, sizeof step->row.name, "far");
    return collections_save(txn, &step->row, err);
}

static enum soma_code count_matches(struct vectors_scene *scene, int64_t *ret_matches,
                                    struct soma_error *err)
{
    struct query_answer answer;
    const float origin[DIM] = {0};
    struct query_request request = {.collection = "far",
                                    .embeddings = origin,
                                    .number_count = DIM,
                                    .k = 1,
                                    .max_distance = INFINITY,
                                    .min_score = -INFINITY,
                                    .deadline = MONO_NEVER};
    assert_int_equal(filter_compile("{\"a\": {\"$ne\": 1}}", &scene->arena, &request.filter, NULL),
                     SOMA_OK);
    enum soma_code code = query_answer_open(scene->scratch.store, scene->vectors, &request,
                                            &scene->arena, &answer, err);
    if (code)
        return code;
    *ret_matches = answer.explain.matches;
    query_answer_close(&answer);
    return SOMA_OK;
}

// A snapshot may put its only record anywhere; filters take a bit for each place before it.
static void places_far_off_take_no_memory_without_bound(void **unused)
{
    (void)unused;
    static const int64_t places[] = {1 << 20, UINT32_MAX, ((int64_t)1 << PARTITION_SHIFT) - 1};
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        struct vectors_scene scene;
        struct soma_error err = {0};
        int64_t matches = 0;
        const uint64_t lengths[] = {(uint64_t)places[i] - 1, 1};
        scene_open(&scene, 64 << 20);
        struct step step = {.scene = &scene, .row = begin_one(&scene, 1), .present = {lengths, 2}};
        assert_int_equal(put(&step, 1, places[i], NULL), SOMA_OK);
        assert_int_equal(scratch_write(&scene.scratch, settle, &step, NULL), SOMA_OK);
        assert_int_equal(scratch_write(&scene.scratch, give_name, &step, NULL), SOMA_OK);
        enum soma_code code = count_matches(&scene, &matches, &err);
        assert_int_equal(code, i ? SOMA_RESOURCE_EXHAUSTED : SOMA_OK);
        assert_int_equal(matches, !i);
        const float vector[DIM] = {1, 1};
        const struct record_input input = {.id = "next"};
        code = scene_write(&scene, WRITE_UPSERT, "far", &input, 1, vector, NULL, NULL);
        assert_int_equal(code, i < 2 ? SOMA_OK : SOMA_INTERNAL); // the next partition's
        scene_close(&scene);
    }
}

static void pages_that_are_missing_are_noticed(void **unused)
{
    (void)unused;
    struct vectors_scene scene;
    struct soma_error err;
    const uint64_t lengths[] = {0, 11};
    const int64_t twice[] = {1, 1}, zero[] = {0}, far[] = {(int64_t)1 << PARTITION_SHIFT};
    const uint64_t endless[] = {UINT64_MAX, 2};
    scene_open(&scene, 64 << 20);
    struct step step = {.scene = &scene, .row = begin_one(&scene, 1), .present = {lengths, 2}};
    assert_int_equal(put(&step, 10, 1, NULL), SOMA_OK);
    assert_int_equal(scratch_write(&scene.scratch, settle, &step, &err), SOMA_FAILED_PRECONDITION);
    assert_string_equal(err.reason, "SNAPSHOT_INCOMPLETE");
    assert_int_equal(restore_check(twice, 2, (struct place_runs){0}, &err), SOMA_INVALID_ARGUMENT);
    assert_int_equal(restore_check(zero, 1, (struct place_runs){0}, &err), SOMA_INVALID_ARGUMENT);
    assert_int_equal(restore_check(far, 1, (struct place_runs){0}, &err), SOMA_INVALID_ARGUMENT);
    assert_int_equal(restore_check(NULL, 0, (struct place_runs){endless, 2}, &err),
                     SOMA_INVALID_ARGUMENT);
    scene_close(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nobody_sees_a_restore_that_is_under_way),
        cmocka_unit_test(restores_are_bounded_and_old_ones_go),
        cmocka_unit_test(what_is_no_longer_present_goes_in_bounded_steps),
        cmocka_unit_test(a_record_that_moved_leaves_its_old_place),
        cmocka_unit_test(places_far_off_take_no_memory_without_bound),
        cmocka_unit_test(pages_that_are_missing_are_noticed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
