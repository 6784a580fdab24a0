#include "graph_scene.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

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
void fill(float *vectors, size_t count)
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

void scene_open(struct scene *scene, enum metric metric, enum quantization quantization)
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

void scene_close(struct scene *scene)
{
    rows_free(scene->rows);
}

void put(struct scene *scene, int64_t num, const float *vector)
{
    char id[24];
    snprintf(id, sizeof id, "%lld", (long long)num);
    assert_true(rows_put(scene->rows, num, id, vector, scene->sequence));
}

void put_new(struct scene *scene, int64_t first, size_t count)
{
    float vector[DIM];
    scene->sequence++;
    for (size_t i = 0; i < count; i++) {
        fill(vector, 1);
        put(scene, first + (int64_t)i, vector);
    }
}

void catch_up(struct scene *scene)
{
    struct row_set *set = rows_take_set(scene->rows);
    while (graph_catch_up(scene->graph, set, scene->sequence, 100))
        ;
    row_set_release(set);
}

void sweep(struct scene *scene)
{
    struct row_set *set = rows_take_set(scene->rows);
    while (graph_sweep(scene->graph, scene->sequence, 500) ||
           graph_dead_count(scene->graph, scene->sequence))
        ;
    row_set_release(set);
    assert_int_equal(graph_dead_count(scene->graph, scene->sequence), 0);
}

void search(struct scene *scene, const struct index_search *how, struct topk *topks,
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
double recall_of(struct scene *scene, struct index_search how)
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

// Every so manyth record, from the first on.
struct num_set every_nth(uint64_t *words, size_t every)
{
    struct num_set only = {.first = 1, .size = ROWS, .words = words};
    memset(words, 0, (ROWS / 64 + 1) * sizeof *words);
    for (size_t bit = 0; bit < ROWS; bit += every, only.count++)
        words[bit / 64] |= (uint64_t)1 << bit % 64;
    return only;
}
