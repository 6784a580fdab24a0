// Exact search against the plain way to do it, on seeded data; and, where SOMA_TEST_DATA names the
// folder of larger sets, against the nearest neighbours that come with them.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "vectors/index.h"

enum {
    K = 10,
    TRUTH_QUERIES = 200
};

static uint64_t random_state = 5;

static float random_number(void)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (float)(random_state >> 40) / 8388608.0f - 1;
}

static void id_of(size_t i, char ret_id[24])
{
    snprintf(ret_id, 24, "%08zu", i);
}

// Rows 0 to count - 1 with the numbers 1 to count.
static struct rows *rows_of(const float *vectors, size_t count, uint32_t dim, enum metric metric)
{
    struct rows *rows = rows_new(dim, metric == METRIC_COSINE, count);
    assert_non_null(rows);
    for (size_t i = 0; i < count; i++) {
        char id[24];
        id_of(i, id);
        assert_true(rows_put(rows, (int64_t)i + 1, id, vectors + i * dim, 1));
    }
    return rows;
}

static void search(struct rows *rows, enum metric metric, const float *queries, size_t query_count,
                   const struct num_set *only, double max_distance, struct topk *topks,
                   struct hit *hits)
{
    for (size_t i = 0; i < query_count; i++)
        topks[i] =
            (struct topk){.hits = hits + i * K, .k = K, .wanted = K, .max_distance = max_distance};
    struct index_search wanted = {.metric = metric,
                                  .dim = rows->dim,
                                  .queries = queries,
                                  .query_count = query_count,
                                  .sequence = 1,
                                  .only = only,
                                  .deadline = MONO_NEVER};
    struct row_set *set = rows_take_set(rows);
    assert_int_equal(exact_search(set, &wanted, false, topks, NULL, NULL), SOMA_OK);
    row_set_release(set);
    for (size_t i = 0; i < query_count; i++)
        topk_sort(&topks[i]);
}

// --- seeded data

enum {
    ROWS = 3000,
    DIM = 37,
    QUERIES = 70
};

static float vectors[ROWS * DIM];
static float queries[QUERIES * DIM];

static double plain_distance(enum metric metric, const float *query, const float *row)
{
    if (metric == METRIC_L2)
        return kernel_exact_squared_distance(query, row, DIM);
    return 1 - kernel_exact_dot(query, row, DIM);
}

static int compare_doubles(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;
    return (left > right) - (left < right);
}

static void check_against_plain(enum metric metric, const struct num_set *only)
{
    static struct topk topks[QUERIES];
    static struct hit hits[QUERIES * K];
    static double distances[ROWS];
    struct rows *rows = rows_of(vectors, ROWS, DIM, metric);
    search(rows, metric, queries, QUERIES, only, INFINITY, topks, hits);
    for (size_t q = 0; q < QUERIES; q++) {
        size_t count = 0;
        for (size_t r = 0; r < ROWS; r++) {
            if (!only || num_set_has(only, (int64_t)r + 1))
                distances[count++] = plain_distance(metric, queries + q * DIM, vectors + r * DIM);
        }
        qsort(distances, count, sizeof *distances, compare_doubles);
        assert_int_equal(topks[q].count, count < K ? count : K);
        for (size_t i = 0; i < topks[q].count; i++) {
            const struct hit *hit = &topks[q].hits[i];
            double own =
                plain_distance(metric, queries + q * DIM, vectors + (size_t)(hit->num - 1) * DIM);
            assert_true(fabs(hit->distance - own) < 1e-4);
            assert_true(fabs(own - distances[i]) < 1e-4);
        }
    }
    rows_free(rows);
}

static void fill(bool is_normalised)
{
    for (size_t i = 0; i < ROWS * DIM; i++)
        vectors[i] = random_number();
    for (size_t i = 0; i < QUERIES * DIM; i++)
        queries[i] = random_number();
    for (size_t i = 0; i < ROWS && is_normalised; i++)
        kernel_normalise(vectors + i * DIM, DIM, vectors + i * DIM);
    for (size_t i = 0; i < QUERIES && is_normalised; i++)
        kernel_normalise(queries + i * DIM, DIM, queries + i * DIM);
}

static void exact_search_finds_the_nearest_of_all(void **state)
{
    (void)state;
    fill(false);
    check_against_plain(METRIC_L2, NULL);
    check_against_plain(METRIC_DOT, NULL);
    fill(true);
    check_against_plain(METRIC_COSINE, NULL);
}

static void exact_search_finds_the_nearest_of_those_allowed(void **state)
{
    (void)state;
    uint64_t words[ROWS / 64 + 1] = {0};
    struct num_set only = {.first = 1, .size = ROWS, .words = words};
    fill(false);
    for (size_t every = 1; every < ROWS; every *= 7) { // dense to nearly none
        memset(words, 0, sizeof words);
        for (size_t bit = 0; bit < ROWS; bit += every)
            words[bit / 64] |= (uint64_t)1 << bit % 64;
        check_against_plain(METRIC_L2, &only);
    }
}

static void equal_distances_are_ordered_by_id(void **state)
{
    (void)state;
    static struct hit hits[K];
    struct topk topk;
    struct rows *rows = rows_new(2, false, 0);
    float same[2] = {1, 1}, query[2] = {0, 0};
    for (int i = 0; i < 500; i++) { // ids in no order
        char id[24];
        id_of((size_t)(i * 211 % 500), id);
        assert_true(rows_put(rows, i + 1, id, same, 1));
    }
    search(rows, METRIC_L2, query, 1, NULL, INFINITY, &topk, hits);
    for (size_t i = 0; i < K; i++) {
        char id[24];
        id_of(i, id);
        assert_string_equal(hits[i].id, id);
    }
    rows_free(rows);
}

static void max_distance_cuts_off_and_says_so(void **state)
{
    (void)state;
    static struct hit hits[K];
    struct topk topk;
    float line[20], query[1] = {0};
    for (int i = 0; i < 20; i++)
        line[i] = (float)i;
    struct rows *rows = rows_of(line, 20, 1, METRIC_L2);
    search(rows, METRIC_L2, query, 1, NULL, 9, &topk, hits); // 0, 1, 4 and 9 itself
    assert_int_equal(topk.count, 4);
    assert_true(topk.was_cut);
    search(rows, METRIC_L2, query, 1, NULL, -1, &topk, hits);
    assert_int_equal(topk.count, 0);
    rows_free(rows);
}

static void huge_and_tiny_numbers_have_true_distances(void **state)
{
    (void)state;
    static struct hit hits[K];
    struct topk topk;
    float huge[] = {3e38f, 3e38f, -3e38f, 3e38f, 1, 1};
    float query[] = {3e38f, 3e38f};
    struct rows *rows = rows_of(huge, 3, 2, METRIC_L2);
    search(rows, METRIC_L2, query, 1, NULL, INFINITY, &topk, hits);
    assert_int_equal(topk.count, 3);
    assert_true(hits[0].distance == 0);
    assert_int_equal(hits[1].num, 3);
    assert_true(fabs(hits[2].distance / 3.6e77 - 1) < 1e-6);
    rows_free(rows);
    rows = rows_of(huge, 3, 2, METRIC_DOT);
    search(rows, METRIC_DOT, query, 1, NULL, INFINITY, &topk, hits);
    assert_int_equal(hits[0].num, 1);
    assert_true(isfinite(hits[0].distance));
    rows_free(rows);
    float tiny[] = {1e-40f, 0, 0, 1e-40f};
    float unit[] = {1, 0};
    rows = rows_of(tiny, 2, 2, METRIC_COSINE);
    search(rows, METRIC_COSINE, unit, 1, NULL, INFINITY, &topk, hits);
    assert_true(hits[0].distance < 1e-6 && fabs(hits[1].distance - 1) < 1e-6);
    rows_free(rows);
}

static void a_search_past_its_deadline_ends(void **state)
{
    (void)state;
    struct hit hits[K];
    struct topk topk = {.hits = hits, .k = K, .wanted = K, .max_distance = INFINITY};
    float row[1] = {1};
    struct rows *rows = rows_of(row, 1, 1, METRIC_L2);
    struct row_set *set = rows_take_set(rows);
    struct index_search wanted = {.metric = METRIC_L2,
                                  .dim = 1,
                                  .queries = row,
                                  .query_count = 1,
                                  .sequence = 1,
                                  .deadline = {0}};
    struct soma_error err;
    assert_int_equal(exact_search(set, &wanted, false, &topk, NULL, &err), SOMA_DEADLINE_EXCEEDED);
    row_set_release(set);
    rows_free(rows);
}

// --- larger sets

// A .npy file of version 1: rows of uint8, float16 or int32, widened to float.
static float *read_npy(const char *name, size_t *ret_rows, size_t *ret_columns)
{
    char path[512], header[128] = "";
    snprintf(path, sizeof path, "%s/%s.npy", getenv("SOMA_TEST_DATA"), name);
    FILE *file = fopen(path, "rb");
    if (!file)
        fail_msg("cannot open %s", path);
    assert_int_equal(fread(header, 1, 128, file), 128);
    const char *shape = strstr(header + 10, "'shape': (");
    assert_non_null(shape);
    char *end;
    *ret_rows = strtoul(shape + strlen("'shape': ("), &end, 10);
    *ret_columns = strtoul(end + strlen(", "), NULL, 10);
    assert_true(*ret_rows && *ret_columns);
    size_t width = strstr(header + 10, "|u1") ? 1 : strstr(header + 10, "<f2") ? 2 : 4;
    size_t count = *ret_rows * *ret_columns;
    unsigned char *raw = malloc(count * width);
    float *numbers = malloc(count * sizeof *numbers);
    assert_true(raw && numbers);
    assert_int_equal(fread(raw, width, count, file), count);
    fclose(file);
    for (size_t i = 0; i < count; i++) {
        uint16_t half;
        int32_t whole;
        memcpy(&half, raw + i * width, width == 2 ? 2 : 0);
        memcpy(&whole, raw + i * width, width == 4 ? 4 : 0);
        if (width == 1)
            numbers[i] = raw[i];
        else if (width == 4)
            numbers[i] = (float)whole;
        else // sign, 5 bits of exponent, 10 of fraction; no infinities in these files
            numbers[i] =
                (half >> 10 & 31 ? ldexpf((float)((half & 1023) | 1024), (half >> 10 & 31) - 25)
                                 : ldexpf((float)(half & 1023), -24)) *
                (half >> 15 ? -1.0f : 1.0f);
    }
    free(raw);
    return numbers;
}

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

// A hit counts where it is no farther than the last true neighbour: at equal distance either does.
static size_t count_true(const struct topk *topk, const float *truth, const float *query,
                         const float *base, uint32_t dim, enum metric metric)
{
    size_t count = 0;
    const float *last = base + (size_t)truth[K - 1] * dim;
    for (size_t i = 0; i < topk->count; i++) {
        const float *row = base + (size_t)(topk->hits[i].num - 1) * dim;
        count += metric == METRIC_L2 ? kernel_exact_squared_distance(query, row, dim) <=
                                           kernel_exact_squared_distance(query, last, dim)
                                     : kernel_exact_dot(query, row, dim) >=
                                           kernel_exact_dot(query, last, dim) - 1e-6;
    }
    return count;
}

static void check_set(const char *set, enum metric metric)
{
    static struct topk topks[TRUTH_QUERIES];
    static struct hit hits[TRUTH_QUERIES * K];
    char name[64];
    size_t base_count, dim, query_count, truth_count, truth_k;
    snprintf(name, sizeof name, "%s.base", set);
    float *base = read_npy(name, &base_count, &dim);
    snprintf(name, sizeof name, "%s.query", set);
    float *query = read_npy(name, &query_count, &dim);
    snprintf(name, sizeof name, "%s.truth", set);
    float *truth = read_npy(name, &truth_count, &truth_k);
    for (size_t i = 0; i < base_count && metric == METRIC_COSINE; i++)
        kernel_normalise(base + i * dim, dim, base + i * dim);
    for (size_t i = 0; i < query_count && metric == METRIC_COSINE; i++)
        kernel_normalise(query + i * dim, dim, query + i * dim);
    struct rows *rows = rows_of(base, base_count, (uint32_t)dim, metric);
    double start = seconds();
    for (size_t i = 0; i < TRUTH_QUERIES; i++)
        search(rows, metric, query + i * dim, 1, NULL, INFINITY, &topks[i], hits + i * K);
    double alone = seconds() - start;
    start = seconds();
    size_t batches = TRUTH_QUERIES / 64;
    for (size_t i = 0; i < batches * 64; i += 64)
        search(rows, metric, query + i * dim, 64, NULL, INFINITY, &topks[i], hits + i * K);
    double batched = seconds() - start;
    size_t right = 0;
    for (size_t i = 0; i < TRUTH_QUERIES; i++)
        right += count_true(&topks[i], truth + i * truth_k, query + i * dim, base, (uint32_t)dim,
                            metric);
    print_message("%s: %zu of %d neighbours; %.0f queries/s alone, %.0f in batches of 64\n", set,
                  right, TRUTH_QUERIES * K, TRUTH_QUERIES / alone,
                  (double)(batches * 64) / batched);
    assert_int_equal(right, TRUTH_QUERIES * K);
    rows_free(rows);
    free(base);
    free(query);
    free(truth);
}

static void larger_sets_agree_with_their_truth(void **state)
{
    (void)state;
    if (!getenv("SOMA_TEST_DATA")) {
        print_message("SOMA_TEST_DATA is not set: the larger sets are not looked at\n");
        skip();
    }
    check_set("docs", METRIC_COSINE);
    check_set("mnist", METRIC_L2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exact_search_finds_the_nearest_of_all),
        cmocka_unit_test(exact_search_finds_the_nearest_of_those_allowed),
        cmocka_unit_test(equal_distances_are_ordered_by_id),
        cmocka_unit_test(max_distance_cuts_off_and_says_so),
        cmocka_unit_test(huge_and_tiny_numbers_have_true_distances),
        cmocka_unit_test(a_search_past_its_deadline_ends),
        cmocka_unit_test(larger_sets_agree_with_their_truth),
    };
    return cmocka_run_group_tests_name("search", tests, NULL, NULL);
}
