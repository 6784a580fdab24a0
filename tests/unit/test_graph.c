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

#include "vectors/index.h"
#include "vectors/index/graph.h"

enum {
    K = 10,
    ROWS = 2000,
    DIM = 24,
    QUERIES = 40,
    CLUSTERS = 40
};

static uint64_t random_state = 11;

static uint32_t random_bits(void)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(random_state >> 33);
}

static float random_number(void)
{
    return (float)random_bits() / 1073741824.0f - 1;
}

// Clusters of different widths, as real embeddings have them.
static void fill(float *vectors, size_t count)
{
    static float centres[CLUSTERS][DIM];
    static bool is_made;
    for (size_t i = 0; !is_made && i < CLUSTERS * DIM; i++)
        centres[i / DIM][i % DIM] = random_number();
    is_made = true;
    for (size_t i = 0; i < count; i++) {
        const float *centre = centres[random_bits() % CLUSTERS];
        float width = 0.1f + 0.4f * fabsf(random_number());
        for (size_t at = 0; at < DIM; at++)
            vectors[i * DIM + at] = centre[at] + width * random_number();
    }
}

struct scene {
    enum metric metric;
    struct rows *rows;
    struct graph *graph;
    int64_t sequence;
    float queries[QUERIES * DIM];
};

static void scene_open(struct scene *scene, enum metric metric, enum quantization quantization)
{
    struct index_settings settings = {.quantization = quantization, .ef_construction = 100};
    index_settings_complete(&settings);
    *scene = (struct scene){.metric = metric};
    scene->rows = rows_new(DIM, metric == METRIC_COSINE, 0);
    scene->graph = graph_new(&settings, metric == METRIC_DOT, DIM);
    assert_non_null(scene->rows);
    assert_non_null(scene->graph);
    rows_set_graph(scene->rows, scene->graph);
    fill(scene->queries, QUERIES);
    for (size_t i = 0; i < QUERIES && metric == METRIC_COSINE; i++)
        kernel_normalise(scene->queries + i * DIM, DIM, scene->queries + i * DIM);
}

static void scene_close(struct scene *scene)
{
    rows_free(scene->rows);
}

static void put(struct scene *scene, int64_t num, const float *vector)
{
    char id[24];
    snprintf(id, sizeof id, "%lld", (long long)num);
    assert_true(rows_put(scene->rows, num, id, vector, scene->sequence));
}

static void put_new(struct scene *scene, int64_t first, size_t count)
{
    float vector[DIM];
    scene->sequence++;
    for (size_t i = 0; i < count; i++) {
        fill(vector, 1);
        put(scene, first + (int64_t)i, vector);
    }
}

static void catch_up(struct scene *scene)
{
    struct row_set *set = rows_take_set(scene->rows);
    while (graph_catch_up(scene->graph, set, scene->sequence, 100))
        ;
    row_set_release(set);
}

static void sweep(struct scene *scene)
{
    struct row_set *set = rows_take_set(scene->rows);
    while (graph_sweep(scene->graph, scene->sequence, 500) ||
           graph_dead_count(scene->graph, scene->sequence))
        ;
    row_set_release(set);
    assert_int_equal(graph_dead_count(scene->graph, scene->sequence), 0);
}

static void search(struct scene *scene, const struct index_search *how, struct topk *topks,
                   struct hit *hits, struct index_report *ret_report)
{
    struct index_search wanted = *how;
    struct index_view view;
    wanted.metric = scene->metric;
    wanted.dim = DIM;
    wanted.queries = scene->queries;
    wanted.query_count = QUERIES;
    wanted.deadline = MONO_NEVER;
    if (!wanted.sequence)
        wanted.sequence = scene->sequence;
    for (size_t i = 0; i < QUERIES; i++)
        topks[i] =
            (struct topk){.hits = hits + i * K, .k = K, .wanted = K, .max_distance = INFINITY};
    view.rows = rows_take(scene->rows, &view.graph);
    assert_int_equal(index_search(&view, &wanted, topks, ret_report, NULL), SOMA_OK);
    row_set_release(view.rows);
    graph_release(view.graph);
    for (size_t i = 0; i < QUERIES; i++)
        topk_sort(&topks[i]);
}

// The part of the true nearest that the graph finds; what it finds has the very distance and order
// of the exact search.
static double recall_of(struct scene *scene, struct index_search how)
{
    static struct topk exact[QUERIES], found[QUERIES];
    static struct hit exact_hits[QUERIES * K], found_hits[QUERIES * K];
    struct index_report report;
    how.is_exact = true;
    search(scene, &how, exact, exact_hits, &report);
    assert_string_equal(report.kind, "exact");
    how.is_exact = false;
    search(scene, &how, found, found_hits, &report);
    assert_true(how.only || strcmp(report.kind, "hnsw") == 0);
    size_t same = 0, all = 0;
    for (size_t q = 0; q < QUERIES; q++) {
        assert_int_equal(found[q].count, exact[q].count);
        for (size_t i = 0, j = 0; i < exact[q].count; i++) {
            all++;
            if (j < found[q].count && found[q].hits[j].num == exact[q].hits[i].num) {
                assert_true(found[q].hits[j].distance == exact[q].hits[i].distance);
                same++;
                j++;
            }
        }
    }
    return (double)same / (double)all;
}

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

// Every so manyth record, from the first on.
static struct num_set every_nth(uint64_t *words, size_t every)
{
    struct num_set only = {.first = 1, .size = ROWS, .words = words};
    memset(words, 0, (ROWS / 64 + 1) * sizeof *words);
    for (size_t bit = 0; bit < ROWS; bit += every, only.count++)
        words[bit / 64] |= (uint64_t)1 << bit % 64;
    return only;
}

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
        cmocka_unit_test(a_row_set_gets_its_k_whatever_its_size),
        cmocka_unit_test(the_codes_of_what_matches_are_as_good_as_its_rows),
        cmocka_unit_test(records_with_far_numbers_are_found_too),
        cmocka_unit_test(a_walk_finds_far_numbers_too),
        cmocka_unit_test(nothing_is_asked_for_and_nothing_found),
        cmocka_unit_test(few_addresses_are_enough_for_few_rows),
        cmocka_unit_test(churn_costs_no_recall_and_no_space),
        cmocka_unit_test(what_codes_cannot_say_is_searched_exactly),
        cmocka_unit_test(many_threads_build_and_search_at_once),
    };
    return cmocka_run_group_tests_name("graph", tests, NULL, NULL);
}
