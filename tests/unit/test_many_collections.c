// Many small collections: what they cost, when they are opened and closed, and what is said where
// the budget is too small.
#include <malloc.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "measures/measures.h"
#include "vectors_scene.h"

enum {
    COLLECTIONS = 1000,
    ROWS = 20,
    DIM = 64,
    ROWS_BYTES = ROWS * (DIM * (int)sizeof(float) + ROW_OVERHEAD_BYTES),
    FIXED_BYTES = 2048 // of a collection, whatever it holds
};

static const char *name_of(size_t i)
{
    static char name[24];
    snprintf(name, sizeof name, "c%zu", i);
    return name;
}

struct filling {
    struct vectors_scene *scene;
    size_t collections;
};

static enum soma_code put_rows(struct filling *filling, struct store_txn *txn, const char *name,
                               struct soma_error *err)
{
    struct record_input inputs[ROWS] = {0};
    static float vectors[ROWS * DIM];
    static char ids[ROWS][32];
    struct write_batch batch = {
        .mode = WRITE_UPSERT, .collection = name, .dim = DIM, .metric = METRIC_L2};
    struct write_result result;
    struct arena *arena = &filling->scene->arena;
    for (size_t row = 0; row < ROWS; row++) {
        snprintf(ids[row], sizeof ids[row], "record-%zu", row);
        inputs[row].id = ids[row];
    }
    for (size_t at = 0; at < ROWS * DIM; at++)
        vectors[at] = (float)(at * 7919 % 1000);
    enum soma_code code = write_prepare(&batch, inputs, ROWS, vectors, arena, err);
    return code ? code : write_apply(filling->scene->vectors, txn, &batch, arena, &result, err);
}

// All in one transaction, which nothing in memory has to follow.
static enum soma_code fill(void *context, struct store_txn *txn, struct soma_error *err)
{
    struct filling *filling = context;
    enum soma_code code = SOMA_OK;
    for (size_t i = 0; i < filling->collections && !code; i++) {
        struct collection_row row = {.dimension = DIM, .metric = METRIC_L2};
        index_settings_complete(&row.index);
        snprintf(row.name, sizeof row.name, "%s", name_of(i));
        code = collections_insert(txn, &row, err);
        if (!code)
            code = put_rows(filling, txn, name_of(i), err);
    }
    return code;
}

static void scene_init(struct vectors_scene *scene, size_t collections)
{
    struct filling filling = {scene, collections};
    scene_open(scene, 256 << 20);
    assert_int_equal(scratch_write(&scene->scratch, fill, &filling, NULL), SOMA_OK);
}

static void use_budget(struct vectors_scene *scene, size_t budget_bytes)
{
    const struct vectors_options options = {.budget_bytes = budget_bytes};
    vectors_close(scene->vectors);
    assert_int_equal(vectors_open(scene->scratch.store, &options, &scene->vectors, NULL), SOMA_OK);
}

static enum soma_code ask(struct vectors_scene *scene, const char *name, struct soma_error *err)
{
    static const float vector[DIM];
    struct query_answer answer;
    struct arena arena;
    const struct query_request request = {.collection = name,
                                          .embeddings = vector,
                                          .number_count = DIM,
                                          .k = 5,
                                          .max_distance = INFINITY,
                                          .min_score = -INFINITY,
                                          .group_size = 1,
                                          .deadline = MONO_NEVER};
    arena_init(&arena, 1 << 20);
    enum soma_code code =
        query_answer_open(scene->scratch.store, scene->vectors, &request, &arena, &answer, err);
    if (!code) {
        assert_int_equal(answer.results[0].count, 5);
        query_answer_close(&answer);
    }
    arena_fini(&arena);
    return code;
}

static void ask_all(struct vectors_scene *scene)
{
    for (size_t i = 0; i < COLLECTIONS; i++)
        assert_int_equal(ask(scene, name_of(i), NULL), SOMA_OK);
}

static size_t heap_bytes(void)
{
    struct mallinfo2 info = mallinfo2();
    return info.uordblks + info.hblkhd;
}

static bool is_open(struct vectors_scene *scene, size_t i)
{
    return vectors_memory_bytes(scene->vectors, scene_get(scene, name_of(i)).uid) > 0;
}

// --- tests

static void a_thousand_small_collections_cost_their_rows(void **unused)
{
    (void)unused;
    struct vectors_scene scene;
    scene_init(&scene, COLLECTIONS);
    assert_int_equal(vectors_memory_bytes_all(scene.vectors),
                     0); // what is only written stays closed
    ask_all(&scene);     // the store's caches are filled
    use_budget(&scene, 256 << 20);
    size_t before = heap_bytes();
    ask_all(&scene);
    int64_t counted = vectors_memory_bytes_all(scene.vectors);
    size_t taken = heap_bytes() - before;
    assert_true(counted <= COLLECTIONS * (int64_t)(ROWS_BYTES + FIXED_BYTES));
    if (taken > (size_t)counted * 11 / 10 + (64 << 10))
        fail_msg("%lld bytes are counted, %zu taken", (long long)counted, taken);
    scene_close(&scene);
}

static void collections_are_opened_by_use_and_closed_by_age(void **unused)
{
    (void)unused;
    enum {
        FIT = 100
    };
    struct vectors_scene scene;
    scene_init(&scene, COLLECTIONS);
    use_budget(&scene, FIT * (ROWS_BYTES + FIXED_BYTES));
    int64_t drops = measure_value(MEASURE_CACHE_DROPS, 0),
            loads = measure_value(MEASURE_CACHE_READS, COLLECTION_FROM_DATABASE),
            hits = measure_value(MEASURE_CACHE_READS, COLLECTION_FROM_MEMORY);
    for (size_t i = 0; i < COLLECTIONS; i++) {
        assert_int_equal(ask(&scene, name_of(i), NULL), SOMA_OK);
        assert_int_equal(ask(&scene, name_of(0), NULL), SOMA_OK);
        assert_true(vectors_memory_bytes_all(scene.vectors) <= FIT * (ROWS_BYTES + FIXED_BYTES));
    }
    size_t open = 0;
    for (size_t i = 0; i < COLLECTIONS; i++) {
        if (i && i < COLLECTIONS - FIT * 3 / 2)
            assert_false(is_open(&scene, i));
        open += is_open(&scene, i);
    }
    assert_true(is_open(&scene, 0)); // used again and again
    for (size_t i = COLLECTIONS - FIT / 2; i < COLLECTIONS; i++)
        assert_true(is_open(&scene, i));
    assert_true(open >= FIT);
    // And so it is measured.
    assert_int_equal(measure_value(MEASURE_CACHE_DROPS, 0) - drops, COLLECTIONS - open);
    assert_int_equal(measure_value(MEASURE_CACHE_READS, COLLECTION_FROM_DATABASE) - loads,
                     COLLECTIONS);
    assert_int_equal(measure_value(MEASURE_CACHE_READS, COLLECTION_FROM_MEMORY) - hits,
                     COLLECTIONS);
    scene_close(&scene);
}

static void a_budget_that_is_too_small_is_said_so(void **unused)
{
    (void)unused;
    struct vectors_scene scene;
    struct soma_error err;
    scene_init(&scene, 1);
    use_budget(&scene, ROWS_BYTES / 2);
    char wanted[160];
    snprintf(wanted, sizeof wanted,
             "the collection needs %d bytes of memory, and all collections together may take %d "
             "(memory-budget)",
             ROWS_BYTES + FIXED_BYTES, ROWS_BYTES / 2);
    assert_int_equal(ask(&scene, name_of(0), &err), SOMA_RESOURCE_EXHAUSTED);
    assert_string_equal(err.reason, "MEMORY_BUDGET");
    assert_string_equal(err.field, "collection");
    assert_string_equal(err.text, wanted);
    // So is a write, before anything is changed.
    const struct record_input input = {.id = "one more"};
    const float vector[DIM] = {1};
    assert_int_equal(scene_write(&scene, WRITE_UPSERT, name_of(0), &input, 1, vector, NULL, &err),
                     SOMA_RESOURCE_EXHAUSTED);
    assert_string_equal(err.reason, "MEMORY_BUDGET");
    assert_int_equal(scene_get(&scene, name_of(0)).record_count, ROWS);
    // And what is not there is not a matter of memory.
    assert_int_equal(ask(&scene, "nowhere", &err), SOMA_NOT_FOUND);
    assert_string_equal(err.reason, "COLLECTION_NOT_FOUND");
    assert_string_equal(err.text, "no collection 'nowhere'");
    scene_close(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_thousand_small_collections_cost_their_rows),
        cmocka_unit_test(collections_are_opened_by_use_and_closed_by_age),
        cmocka_unit_test(a_budget_that_is_too_small_is_said_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
