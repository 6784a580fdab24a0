// Checks of collections: what agrees, and each thing that can disagree.
#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "vectors/check.h"
#include "vectors/index/graph.h"
#include "vectors_scene.h"

enum {
    DIM = 16,
    ROWS = 900,
    FLAT_ROWS = 200,
    WAIT_MS = 240000
};

struct scene {
    struct vectors_scene base;
    char index[128]; // folder of the files
    struct vectors_options options;
    struct arena arena; // of reports
};

static void scene_start(struct scene *scene)
{
    assert_int_equal(
        vectors_open(scene->base.scratch.store, &scene->options, &scene->base.vectors, NULL),
        SOMA_OK);
}

static void put(struct scene *scene, size_t first, size_t count, uint64_t seed)
{
    struct record_input inputs[ROWS] = {0};
    static float vectors[ROWS * DIM];
    static char ids[ROWS][24], documents[ROWS][24];
    for (size_t i = 0; i < count; i++) {
        snprintf(ids[i], sizeof ids[i], "r%zu", first + i);
        snprintf(documents[i], sizeof documents[i], "text %zu", first + i);
        inputs[i] = (struct record_input){.id = ids[i], .document = documents[i]};
    }
    for (size_t i = 0; i < count * DIM; i++)
        vectors[i] = (float)scene_random(&seed, 1000) / 1000.0f + 0.001f;
    assert_int_equal(
        scene_write(&scene->base, WRITE_UPSERT, "c", inputs, count, vectors, NULL, NULL), SOMA_OK);
}

static bool is_settled(struct scene *scene)
{
    struct index_state state;
    vectors_index_state(scene->base.vectors, scene_get(&scene->base, "c").uid, &state);
    return strcmp(state.kind, "hnsw") == 0 && !state.rows_waiting && state.rows_indexed &&
           state.file_sequence == scene_get(&scene->base, "c").sequence;
}

static void wait_until_settled(struct scene *scene)
{
    for (int waited = 0; !is_settled(scene); waited++) {
        assert_true(waited < WAIT_MS);
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
}

// The report lives until the next one.
static struct check_report check(struct scene *scene, uint32_t sample)
{
    const struct check_request request = {"c", sample, MONO_NEVER};
    struct check_report report;
    struct soma_error err;
    arena_reset(&scene->arena, 1 << 20);
    if (collection_check(scene->base.scratch.store, scene->base.vectors, &request, &scene->arena,
                         &report, &err) != SOMA_OK)
        fail_msg("%s", err.text);
    return report;
}

static void scene_init(struct scene *scene, enum metric metric)
{
    scratch_open(&scene->base.scratch);
    arena_init(&scene->base.arena, 512 << 20);
    arena_init(&scene->arena, 64 << 20);
    snprintf(scene->index, sizeof scene->index, "%s/index", scene->base.scratch.directory);
    scene->options = (struct vectors_options){.budget_bytes = 256 << 20,
                                              .indexers = 2,
                                              .directory = scene->index,
                                              .flat_rows = FLAT_ROWS};
    scene_start(scene);
    scene_create(&scene->base, "c", DIM, metric);
    put(scene, 0, ROWS, 1);
    check(scene, 1); // loads it
    wait_until_settled(scene);
}

static void scene_fini(struct scene *scene)
{
    arena_fini(&scene->arena);
    scene_close(&scene->base);
}

// Behind the store's back.
static void run_sql(struct scene *scene, const char *sql)
{
    char path[128], *why = NULL;
    sqlite3 *db;
    snprintf(path, sizeof path, "%s/soma.db", scene->base.scratch.directory);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    if (sqlite3_exec(db, sql, NULL, NULL, &why) != SQLITE_OK)
        fail_msg("%s: %s", sql, why);
    sqlite3_close(db);
}

static int64_t count_of(const struct check_report *report, const char *kind, const char *id)
{
    for (size_t i = 0; i < report->finding_count; i++) {
        const struct check_finding *finding = &report->findings[i];
        if (strcmp(finding->kind, kind) != 0)
            continue;
        if (id)
            assert_string_equal(finding->ids[0], id);
        return finding->count;
    }
    return 0;
}

static void agrees(const struct check_report *report)
{
    if (report->finding_count)
        fail_msg("%s of %s", report->findings[0].kind,
                 report->findings[0].id_count ? report->findings[0].ids[0] : "nothing");
}

// --- tests

static void a_whole_collection_agrees(void **unused)
{
    (void)unused;
    for (enum metric metric = METRIC_COSINE; metric <= METRIC_DOT; metric++) {
        struct scene scene;
        scene_init(&scene, metric);
        struct check_report report = check(&scene, 100);
        agrees(&report);
        assert_int_equal(report.records, ROWS);
        assert_int_equal(report.rows, ROWS);
        assert_int_equal(report.rows_indexed, ROWS);
        assert_int_equal(report.sampled, 100);
        assert_string_equal(report.index_kind, "hnsw");
        assert_true(report.recall > 0.9 && report.recall <= 1);
        assert_true(report.recall_min <= report.recall);
        vectors_close(scene.base.vectors);
        scene_start(&scene);
        report = check(&scene, 10); // from the index's file
        agrees(&report);
        assert_int_equal(report.rows_indexed, ROWS);
        scene_fini(&scene);
    }
}

static void small_and_empty_collections_agree(void **unused)
{
    (void)unused;
    struct scene scene;
    scene_init(&scene, METRIC_L2);
    scene_clear(&scene.base, "c");
    struct check_report report = check(&scene, 100);
    agrees(&report);
    assert_int_equal(report.sampled, 0);
    put(&scene, 0, 1, 2);
    report = check(&scene, 100);
    agrees(&report);
    assert_int_equal(report.sampled, 1);
    assert_true(report.recall == 1);
    scene_fini(&scene);
}

static void what_was_changed_behind_the_server_is_found(void **unused)
{
    (void)unused;
    struct scene scene;
    const char *gone = "r11";
    scene_init(&scene, METRIC_L2);
    run_sql(&scene, "CREATE TABLE kept AS SELECT * FROM record WHERE id = 'r11';");
    struct delete_request request = {.collection = "c", .ids = &gone, .count = 1};
    assert_int_equal(scene_delete(&scene.base, &request, NULL, NULL), SOMA_OK);
    struct check_report report = check(&scene, 10);
    agrees(&report);
    run_sql(&scene, "DELETE FROM record WHERE id = 'r5';"
                    "UPDATE embedding SET vector = zeroblob(64) WHERE num ="
                    " (SELECT num FROM record WHERE id = 'r6');"
                    "UPDATE embedding SET vector = x'00' WHERE num ="
                    " (SELECT num FROM record WHERE id = 'r7');"
                    "UPDATE document SET text = 'other' WHERE num ="
                    " (SELECT num FROM record WHERE id = 'r8');"
                    "DELETE FROM document_text_docsize WHERE id ="
                    " (SELECT num FROM record WHERE id = 'r9');"
                    "UPDATE record SET id = 'other' WHERE id = 'r10';"
                    "INSERT INTO record SELECT * FROM kept; INSERT INTO embedding"
                    " SELECT num, zeroblob(64) FROM kept;"
                    "UPDATE record SET num = num + 10000000 WHERE id = 'r12';");
    report = check(&scene, ROWS);
    assert_int_equal(count_of(&report, "ROW_EXTRA", "r5"), 2); // and r12's
    assert_true(count_of(&report, "ANSWER_DELETED", NULL) > 0);
    assert_int_equal(count_of(&report, "EMBEDDING_EXTRA", NULL), 2);
    assert_int_equal(count_of(&report, "ROW_DIFFERS", "r6"), 2); // and "other"
    assert_int_equal(count_of(&report, "CONTENT_DAMAGED", "r6"), 3);
    assert_int_equal(count_of(&report, "EMBEDDING_DAMAGED", "r7"), 1);
    assert_int_equal(count_of(&report, "TEXT_DIFFERS", NULL), 1);
    assert_int_equal(count_of(&report, "ROW_MISSING", "r11"), 2);
    assert_int_equal(count_of(&report, "COUNT_DIFFERS", NULL), 0); // one less, one more
    assert_int_equal(report.finding_count, 8);
    scene_fini(&scene);
}

static void a_graph_that_leads_astray_is_found(void **unused)
{
    (void)unused;
    struct scene scene;
    struct collection_reader reader;
    scene_init(&scene, METRIC_COSINE);
    struct collection_row row = scene_get(&scene.base, "c");
    assert_int_equal(collection_read_begin(scene.base.vectors, row.uid, MONO_NEVER, &reader, NULL),
                     SOMA_OK);
    assert_int_equal(collection_read_at(&reader, row.sequence, MONO_NEVER, NULL), SOMA_OK);
    struct row *rows = reader.view.rows->chunks[0]->rows;
    graph_code(reader.view.graph, atomic_load(&rows[3].node))[5] ^= 1;
    atomic_store(&rows[4].node, atomic_load(&rows[5].node));
    struct check_report report = check(&scene, 10);
    assert_int_equal(count_of(&report, "CODE_DIFFERS", rows[3].id), 1);
    assert_int_equal(count_of(&report, "NODE_MISSING", rows[4].id), 1);
    assert_int_equal(report.finding_count, 2);
    assert_int_equal(report.rows_indexed, ROWS - 1);
    collection_read_end(&reader);
    scene_fini(&scene);
}

struct checker {
    struct scene *scene;
    atomic_bool is_over;
    size_t checks;
};

static void *check_on(void *context)
{
    struct checker *checker = context;
    do {
        struct check_report report = check(checker->scene, 20);
        agrees(&report);
        checker->checks++;
    } while (!atomic_load(&checker->is_over));
    return NULL;
}

static void a_check_sees_one_state_while_others_write(void **unused)
{
    (void)unused;
    struct scene scene;
    struct checker checker = {.scene = &scene};
    pthread_t thread;
    scene_init(&scene, METRIC_L2);
    assert_int_equal(pthread_create(&thread, NULL, check_on, &checker), 0);
    for (uint64_t round = 2; round < 30; round++) {
        put(&scene, round * 31 % 700, 200, round);
        const char *ids[] = {"r3", "r77", "r500", "r501", "r650"};
        struct delete_request request = {.collection = "c", .ids = ids, .count = 5};
        assert_int_equal(scene_delete(&scene.base, &request, NULL, NULL), SOMA_OK);
    }
    atomic_store(&checker.is_over, true);
    pthread_join(thread, NULL);
    assert_true(checker.checks > 0);
    scene_fini(&scene);
}

static void a_check_ends_at_its_deadline_and_needs_a_collection(void **unused)
{
    (void)unused;
    struct scene scene;
    struct check_report report;
    struct soma_error err;
    scene_init(&scene, METRIC_L2);
    struct check_request request = {"c", 10, clock_mono_now()};
    assert_int_equal(collection_check(scene.base.scratch.store, scene.base.vectors, &request,
                                      &scene.arena, &report, &err),
                     SOMA_DEADLINE_EXCEEDED);
    request = (struct check_request){"nowhere", 10, MONO_NEVER};
    assert_int_equal(collection_check(scene.base.scratch.store, scene.base.vectors, &request,
                                      &scene.arena, &report, &err),
                     SOMA_NOT_FOUND);
    scene_fini(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_whole_collection_agrees),
        cmocka_unit_test(small_and_empty_collections_agree),
        cmocka_unit_test(what_was_changed_behind_the_server_is_found),
        cmocka_unit_test(a_graph_that_leads_astray_is_found),
        cmocka_unit_test(a_check_sees_one_state_while_others_write),
        cmocka_unit_test(a_check_ends_at_its_deadline_and_needs_a_collection),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
