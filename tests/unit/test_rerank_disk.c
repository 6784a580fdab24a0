// Collections whose embeddings lie on disk: the same answers, less memory, no traces.
#include <dirent.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "vectors/check.h"
#include "vectors_scene.h"

enum {
    DIM = 96,
    ROWS = 3000,
    FLAT_ROWS = 200,
    QUERIES = 20,
    K = 10,
    WAIT_MS = 120000 // indexers have a low priority, and the machine may be busy
};

struct scene {
    struct vectors_scene base;
    char index[128];
};

static void scene_start(struct scene *scene, size_t budget_bytes)
{
    const struct vectors_options options = {.budget_bytes = budget_bytes,
                                            .indexers = 2,
                                            .directory = scene->index,
                                            .flat_rows = FLAT_ROWS};
    assert_int_equal(vectors_open(scene->base.scratch.store, &options, &scene->base.vectors, NULL),
                     SOMA_OK);
}

static void scene_restart(struct scene *scene, size_t budget_bytes)
{
    vectors_close(scene->base.vectors);
    scene_start(scene, budget_bytes);
}

static enum soma_code create(void *context, struct store_txn *txn, struct soma_error *err)
{
    return collections_insert(txn, context, err);
}

static void create_one(struct scene *scene, const char *name, enum rerank rerank)
{
    struct collection_row row = {
        .dimension = DIM, .metric = METRIC_COSINE, .index = {.rerank = rerank}};
    index_settings_complete(&row.index);
    snprintf(row.name, sizeof row.name, "%s", name);
    assert_int_equal(scratch_write(&scene->base.scratch, create, &row, NULL), SOMA_OK);
}

static void put(struct scene *scene, const char *name, size_t first, size_t count, uint64_t seed)
{
    static struct record_input inputs[ROWS];
    static float vectors[ROWS * DIM];
    static char ids[ROWS][24];
    for (size_t i = 0; i < count; i++) {
        snprintf(ids[i], sizeof ids[i], "r%zu", first + i);
        inputs[i].id = ids[i];
    }
    for (size_t i = 0; i < count * DIM; i++)
        vectors[i] = (float)scene_random(&seed, 2001) / 1000.0f - 1.0005f;
    assert_int_equal(
        scene_write(&scene->base, WRITE_UPSERT, name, inputs, count, vectors, NULL, NULL), SOMA_OK);
}

static enum soma_code ask(struct scene *scene, const char *name, bool is_exact,
                          struct query_answer *ret_answer, struct arena *arena,
                          struct soma_error *err)
{
    static float queries[QUERIES * DIM];
    uint64_t seed = 99;
    for (size_t i = 0; i < QUERIES * DIM; i++)
        queries[i] = (float)scene_random(&seed, 2001) / 1000.0f - 1.0005f;
    const struct query_request request = {.collection = name,
                                          .embeddings = queries,
                                          .number_count = QUERIES * DIM,
                                          .k = K,
                                          .is_exact = is_exact,
                                          .max_distance = INFINITY,
                                          .min_score = -INFINITY,
                                          .group_size = 1,
                                          .deadline = MONO_NEVER};
    return query_answer_open(scene->base.scratch.store, scene->base.vectors, &request, arena,
                             ret_answer, err);
}

static bool is_settled(struct scene *scene, const char *name)
{
    struct index_state state;
    struct collection_row row = scene_get(&scene->base, name);
    vectors_index_state(scene->base.vectors, row.uid, &state);
    return !state.rows_waiting && state.rows_indexed && state.file_sequence == row.sequence;
}

// Loads it, too.
static void settle(struct scene *scene, const char *name)
{
    struct arena arena;
    struct query_answer answer;
    arena_init(&arena, 16 << 20);
    assert_int_equal(ask(scene, name, true, &answer, &arena, NULL), SOMA_OK);
    query_answer_close(&answer);
    arena_fini(&arena);
    for (int waited = 0; !is_settled(scene, name); waited++) {
        assert_true(waited < WAIT_MS);
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
}

static int64_t bytes_of(struct scene *scene, const char *name)
{
    return vectors_memory_bytes(scene->base.vectors, scene_get(&scene->base, name).uid);
}

static void scene_init(struct scene *scene)
{
    scratch_open(&scene->base.scratch);
    arena_init(&scene->base.arena, 512 << 20);
    snprintf(scene->index, sizeof scene->index, "%s/index", scene->base.scratch.directory);
    scene_start(scene, 256 << 20);
    create_one(scene, "memory", RERANK_MEMORY);
    create_one(scene, "disk", RERANK_DISK);
    put(scene, "memory", 0, ROWS, 1);
    put(scene, "disk", 0, ROWS, 1);
    settle(scene, "memory");
    settle(scene, "disk");
}

// Of exact search bit by bit; the graphs are built by threads, so theirs are held to recall.
static void answer_alike(struct scene *scene)
{
    struct arena arena;
    struct query_answer memory, disk;
    arena_init(&arena, 64 << 20);
    assert_int_equal(ask(scene, "memory", true, &memory, &arena, NULL), SOMA_OK);
    assert_int_equal(ask(scene, "disk", true, &disk, &arena, NULL), SOMA_OK);
    for (size_t i = 0; i < QUERIES; i++) {
        assert_int_equal(memory.results[i].count, K);
        assert_int_equal(disk.results[i].count, K);
        for (size_t at = 0; at < K; at++) {
            assert_string_equal(disk.results[i].hits[at].id, memory.results[i].hits[at].id);
            assert_true(disk.results[i].hits[at].distance == memory.results[i].hits[at].distance);
        }
    }
    query_answer_close(&memory);
    query_answer_close(&disk);
    const struct check_request request = {"disk", 50, MONO_NEVER};
    struct check_report report;
    assert_int_equal(collection_check(scene->base.scratch.store, scene->base.vectors, &request,
                                      &arena, &report, NULL),
                     SOMA_OK);
    assert_int_equal(report.finding_count, 0);
    assert_string_equal(report.index_kind, "hnsw");
    assert_true(report.recall > 0.9);
    arena_fini(&arena);
}

// Only the indexes' own files have names.
static void leaves_no_files(const struct scene *scene)
{
    DIR *directory = opendir(scene->index);
    const struct dirent *entry;
    assert_non_null(directory);
    while ((entry = readdir(directory))) {
        const char *ending = strrchr(entry->d_name, '.');
        if (entry->d_name[0] != '.' && (!ending || strcmp(ending, ".idx") != 0))
            fail_msg("%s is left", entry->d_name);
    }
    closedir(directory);
}

// --- tests

static void embeddings_on_disk_give_the_same_answers_with_less_memory(void **unused)
{
    (void)unused;
    struct scene scene;
    int64_t vector_bytes = (int64_t)ROWS * DIM * (int)sizeof(float);
    scene_init(&scene);
    answer_alike(&scene);
    assert_true(bytes_of(&scene, "memory") - bytes_of(&scene, "disk") >= vector_bytes);
    leaves_no_files(&scene);
    scene_restart(&scene, 256 << 20); // mapped from the indexes' files
    settle(&scene, "memory");
    settle(&scene, "disk");
    answer_alike(&scene);
    assert_true(bytes_of(&scene, "memory") - bytes_of(&scene, "disk") >= vector_bytes);
    scene_close(&scene.base);
}

static void they_change_and_move_like_others(void **unused)
{
    (void)unused;
    struct scene scene;
    static const char *const names[] = {"memory", "disk"};
    scene_init(&scene);
    for (uint64_t round = 2; round < 6; round++) {
        for (size_t i = 0; i < 2; i++) {
            put(&scene, names[i], round * 500, ROWS / 2, round);
            settle(&scene, names[i]); // sweeps and merges chunks
        }
        answer_alike(&scene);
    }
    leaves_no_files(&scene);
    scene_close(&scene.base);
}

static void a_budget_without_room_for_embeddings_is_enough(void **unused)
{
    (void)unused;
    struct scene scene;
    struct soma_error err;
    struct query_answer answer;
    struct arena arena;
    scene_init(&scene);
    size_t budget = (size_t)bytes_of(&scene, "disk") * 5 / 4;
    assert_true((int64_t)budget < bytes_of(&scene, "memory"));
    arena_init(&arena, 16 << 20);
    scene_restart(&scene, budget);
    assert_int_equal(ask(&scene, "memory", false, &answer, &arena, &err), SOMA_RESOURCE_EXHAUSTED);
    assert_int_equal(ask(&scene, "disk", false, &answer, &arena, &err), SOMA_OK);
    query_answer_close(&answer);
    arena_fini(&arena);
    scene_close(&scene.base);
}

static void without_a_place_for_them_a_collection_does_not_open(void **unused)
{
    (void)unused;
    struct scene scene;
    struct soma_error err;
    struct query_answer answer;
    struct arena arena;
    char command[200];
    scene_init(&scene);
    scene_restart(&scene, 256 << 20);
    snprintf(command, sizeof command, "rm -r '%s'", scene.index);
    assert_int_equal(system(command), 0);
    arena_init(&arena, 16 << 20);
    assert_int_equal(ask(&scene, "disk", false, &answer, &arena, &err), SOMA_RESOURCE_EXHAUSTED);
    assert_string_equal(err.reason, "OUT_OF_MEMORY");
    assert_int_equal(ask(&scene, "memory", false, &answer, &arena, &err), SOMA_OK);
    query_answer_close(&answer);
    arena_fini(&arena);
    scene_close(&scene.base);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(embeddings_on_disk_give_the_same_answers_with_less_memory),
        cmocka_unit_test(they_change_and_move_like_others),
        cmocka_unit_test(a_budget_without_room_for_embeddings_is_enough),
        cmocka_unit_test(without_a_place_for_them_a_collection_does_not_open),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
