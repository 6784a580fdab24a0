// The graph on seeded data, with exact search as the oracle: recall, agreement, churn, parallel
// build.
#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#include "graph_scene.h"

static void check_recall(enum metric metric, enum quantization quantization, double least)
{
    struct scene scene;
    scene_open(&scene, metric, quantization);
    put_new(&scene, 1, ROWS);
    catch_up(&scene);
    double recall = recall_of(&scene, (struct index_search){.ef = 100});
    print_message("metric %d, codes %d: recall %.4f\n", metric, quantization, recall);
    assert_true(recall >= least);
    scene_close(&scene);
}

static void every_metric_and_code_finds_the_nearest(void **state)
{
    (void)state;
    for (int code = QUANTIZATION_NONE; code <= QUANTIZATION_INT4; code++) {
        check_recall(METRIC_L2, (enum quantization)code, 0.98);
        check_recall(METRIC_COSINE, (enum quantization)code, 0.98);
        check_recall(METRIC_DOT, (enum quantization)code, 0.95);
    }
}

static void a_wide_walk_agrees_with_exact_search(void **state)
{
    (void)state;
    struct scene scene;
    scene_open(&scene, METRIC_L2, QUANTIZATION_INT8);
    put_new(&scene, 1, ROWS);
    catch_up(&scene);
    assert_true(recall_of(&scene, (struct index_search){.ef = ROWS / 2 - 1}) == 1);
    scene_close(&scene);
}

static void rows_that_wait_are_found_at_once(void **state)
{
    (void)state;
    struct scene scene;
    scene_open(&scene, METRIC_L2, QUANTIZATION_INT8);
    put_new(&scene, 1, ROWS);
    catch_up(&scene);
    scene.sequence++;
    for (size_t i = 0; i < QUERIES; i++) // each query's own vector
        put(&scene, ROWS + 1 + (int64_t)i, scene.queries + i * DIM);
    static struct topk topks[QUERIES];
    static struct hit hits[QUERIES * K];
    struct index_report report;
    for (int is_indexed = 0; is_indexed < 2; is_indexed++) {
        search(&scene, &(struct index_search){0}, topks, hits, &report);
        assert_string_equal(report.kind, "hnsw");
        for (size_t i = 0; i < QUERIES; i++)
            assert_int_equal(topks[i].hits[0].num, ROWS + 1 + (int64_t)i);
        catch_up(&scene);
    }
    scene_close(&scene);
}

static void a_reader_keeps_its_sequence(void **state)
{
    (void)state;
    struct scene scene;
    scene_open(&scene, METRIC_L2, QUANTIZATION_INT8);
    put_new(&scene, 1, ROWS);
    catch_up(&scene);
    put_new(&scene, 1, ROWS / 2); // all of these are others now
    catch_up(&scene);
    assert_true(recall_of(&scene, (struct index_search){.ef = 200, .sequence = 1}) > 0.98);
    assert_true(recall_of(&scene, (struct index_search){.ef = 200, .sequence = 2}) > 0.98);
    scene_close(&scene);
}

// As where a collection's last record was removed just now: there is no room for a hit.
static void nothing_is_asked_for_and_nothing_found(void **state)
{
    (void)state;
    struct scene scene;
    bool is_fit;
    scene_open(&scene, METRIC_L2, QUANTIZATION_INT8);
    put_new(&scene, 1, 100);
    catch_up(&scene);
    struct topk none = {.max_distance = INFINITY};
    const struct index_search how = {.metric = METRIC_L2,
                                     .dim = DIM,
                                     .queries = scene.queries,
                                     .query_count = 1,
                                     .sequence = scene.sequence,
                                     .deadline = MONO_NEVER};
    assert_true(graph_search(scene.graph, &how, 0, &none, &is_fit));
    assert_int_equal(none.count, 0);
    scene_close(&scene);
}

static double churned_recall(struct scene *scene)
{
    return recall_of(scene, (struct index_search){.ef = K});
}

static rlim_t addresses_in_use(void)
{
    char text[64];
    FILE *file = fopen("/proc/self/statm", "r");
    assert_non_null(file);
    assert_non_null(fgets(text, sizeof text, file));
    fclose(file);
    return (rlim_t)strtoul(text, NULL, 10) * (rlim_t)sysconf(_SC_PAGESIZE);
}

// A process that may not have many addresses has smaller indexes, not none.
static void few_addresses_are_enough_for_few_rows(void **state)
{
    (void)state;
    struct rlimit before, few;
    struct scene scene;
    assert_int_equal(getrlimit(RLIMIT_AS, &before), 0);
    few = before;
    few.rlim_cur = addresses_in_use() + ((rlim_t)4 << 30);
    assert_int_equal(setrlimit(RLIMIT_AS, &few), 0);
    scene_open(&scene, METRIC_L2, QUANTIZATION_INT8);
    put_new(&scene, 1, ROWS);
    catch_up(&scene);
    setrlimit(RLIMIT_AS, &before);
    assert_true(recall_of(&scene, (struct index_search){.ef = 100}) > 0.97);
    scene_close(&scene);
}

// Deletes half of the rows and puts others in their place, three times.
static void churn_costs_no_recall_and_no_space(void **state)
{
    (void)state;
    struct scene churned, fresh;
    scene_open(&churned, METRIC_L2, QUANTIZATION_INT8);
    scene_open(&fresh, METRIC_L2, QUANTIZATION_INT8);
    static float vectors[ROWS * 3][DIM];
    fill(vectors[0], ROWS * 3);
    churned.sequence = fresh.sequence = 1;
    for (int64_t i = 0; i < ROWS; i++)
        put(&churned, i + 1, vectors[i]);
    catch_up(&churned);
    int64_t next = ROWS;
    for (int round = 0; round < 3; round++) {
        churned.sequence++;
        for (int64_t i = round % 2; i < ROWS; i += 2)
            rows_kill(churned.rows, i + 1, churned.sequence);
        rows_compact(churned.rows, churned.sequence);
        sweep(&churned);
        churned.sequence++;
        for (int64_t i = round % 2; i < ROWS; i += 2)
            put(&churned, i + 1, vectors[next++ % (ROWS * 3)]);
        catch_up(&churned);
    }
    fresh.sequence = churned.sequence;
    for (int64_t i = 0; i < ROWS; i++) {
        const struct row_place *place = row_map_find(&churned.rows->map, i + 1);
        put(&fresh, i + 1, churned.rows->set->chunks[place->chunk]->rows[place->row].vector);
    }
    catch_up(&fresh);
    memcpy(fresh.queries, churned.queries, sizeof fresh.queries);
    double before = churned_recall(&fresh), after = churned_recall(&churned);
    print_message("recall fresh %.4f, churned %.4f\n", before, after);
    assert_true(before < 0.999); // so narrow that a worse graph would show
    assert_true(after >= before - 0.01);
    assert_int_equal(atomic_load(&churned.graph->live_count), ROWS);
    assert_int_equal(atomic_load(&churned.graph->count), ROWS);
    scene_close(&churned);
    scene_close(&fresh);
}

static void what_codes_cannot_say_is_searched_exactly(void **state)
{
    (void)state;
    struct scene scene;
    scene_open(&scene, METRIC_L2, QUANTIZATION_INT8);
    put_new(&scene, 1, ROWS);
    float huge[DIM] = {[0] = 1e30f}, zero[DIM] = {0};
    scene.sequence++;
    put(&scene, ROWS + 1, huge);
    put(&scene, ROWS + 2, zero);
    catch_up(&scene);
    static struct topk topks[QUERIES];
    static struct hit hits[QUERIES * K];
    struct index_report report;
    memcpy(scene.queries, huge, sizeof huge);
    memcpy(scene.queries + DIM, zero, sizeof zero);
    search(&scene, &(struct index_search){0}, topks, hits, &report);
    assert_int_equal(topks[0].hits[0].num, ROWS + 1);
    assert_int_equal(topks[1].hits[0].num, ROWS + 2);
    scene_close(&scene);
}

static void *catch_up_in_a_thread(void *context)
{
    struct scene *scene = context;
    struct row_set *set = rows_take_set(scene->rows);
    while (graph_catch_up(scene->graph, set, 0, 100))
        ;
    row_set_release(set);
    return NULL;
}

// Four threads insert while this one searches, kills rows and sweeps.
static void many_threads_build_and_search_at_once(void **state)
{
    (void)state;
    struct scene scene;
    pthread_t threads[4];
    scene_open(&scene, METRIC_COSINE, QUANTIZATION_INT8);
    put_new(&scene, 1, ROWS);
    catch_up(&scene);
    put_new(&scene, ROWS + 1, ROWS);
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, catch_up_in_a_thread, &scene), 0);
    for (int i = 0; i < 5; i++) {
        scene.sequence++;
        for (int64_t num = 1 + i; num <= ROWS; num += 10)
            rows_kill(scene.rows, num, scene.sequence);
        assert_true(recall_of(&scene, (struct index_search){.ef = 100}) > 0.97);
        struct row_set *set = rows_take_set(scene.rows);
        graph_sweep(scene.graph, scene.sequence, 500);
        row_set_release(set);
    }
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    sweep(&scene);
    assert_true(recall_of(&scene, (struct index_search){.ef = 100}) > 0.99);
    scene_close(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_metric_and_code_finds_the_nearest),
        cmocka_unit_test(a_wide_walk_agrees_with_exact_search),
        cmocka_unit_test(rows_that_wait_are_found_at_once),
        cmocka_unit_test(a_reader_keeps_its_sequence),
        cmocka_unit_test(nothing_is_asked_for_and_nothing_found),
        cmocka_unit_test(few_addresses_are_enough_for_few_rows),
        cmocka_unit_test(churn_costs_no_recall_and_no_space),
        cmocka_unit_test(what_codes_cannot_say_is_searched_exactly),
        cmocka_unit_test(many_threads_build_and_search_at_once),
    };
    return cmocka_run_group_tests_name("graph", tests, NULL, NULL);
}
