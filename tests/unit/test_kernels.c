// server/vectors/kernels: every instruction set of this CPU against double precision.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "vectors/kernels/kernels.h"

enum {
    DIM_MAX = 4096,
    QUERIES_MAX = 9,
    ROWS_MAX = 19
};

struct data {
    float queries[QUERIES_MAX * DIM_MAX];
    float rows[ROWS_MAX * DIM_MAX];
    float got[QUERIES_MAX * ROWS_MAX];
    float alone[ROWS_MAX];
};

static uint64_t random_state = 42;

static uint32_t random_bits(void)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(random_state >> 33);
}

// Between -1 and 1, with magnitudes from 1e-4 on.
static float random_number(void)
{
    float scale = powf(10, -(float)(random_bits() % 5));
    return ((float)(random_bits() % 20001) / 10000.0f - 1.0f) * scale;
}

static void fill(struct data *data)
{
    for (size_t i = 0; i < QUERIES_MAX * DIM_MAX; i++)
        data->queries[i] = random_number();
    for (size_t i = 0; i < ROWS_MAX * DIM_MAX; i++)
        data->rows[i] = random_number();
}

// What rounding may do to a sum of dim products in any order: γ Σ|terms| with γ = n u / (1 - n u),
// u = 2^-24 (Higham, Accuracy and Stability of Numerical Algorithms, section 3.1); n is dim + 2 as
// a difference is rounded before it is squared.
static double tolerance(const float *a, const float *b, size_t dim, bool is_dot)
{
    double magnitude = 0;
    for (size_t i = 0; i < dim; i++) {
        double difference = (double)a[i] - (double)b[i];
        magnitude += is_dot ? fabs((double)a[i] * (double)b[i]) : difference * difference;
    }
    double nu = (double)(dim + 2) * ldexp(1, -24);
    return nu / (1 - nu) * magnitude;
}

static void check_shape(const struct kernels *kernels, struct data *data, size_t query_count,
                        size_t row_count, size_t dim, bool is_dot)
{
    kernel_fn *fn = is_dot ? kernels->dot : kernels->squared_distance;
    memset(data->got, 0xff, sizeof data->got);
    fn(data->queries, query_count, data->rows, row_count, dim, data->got);
    for (size_t q = 0; q < query_count; q++) {
        for (size_t r = 0; r < row_count; r++) {
            const float *a = data->queries + q * dim;
            const float *b = data->rows + r * dim;
            double exact =
                is_dot ? kernel_exact_dot(a, b, dim) : kernel_exact_squared_distance(a, b, dim);
            double got = (double)data->got[q * row_count + r];
            if (!(fabs(got - exact) <= tolerance(a, b, dim, is_dot)))
                fail_msg("%s %s dim %zu, query %zu of %zu, row %zu of %zu: %.9g for %.9g",
                         kernels->name, is_dot ? "dot" : "l2", dim, q, query_count, r, row_count,
                         got, exact);
            fn(a, 1, b, 1, dim, &data->alone[0]);
            assert_memory_equal(&data->alone[0], &data->got[q * row_count + r], sizeof(float));
        }
    }
    for (size_t i = query_count * row_count; i < QUERIES_MAX * ROWS_MAX; i++)
        assert_true(isnan(data->got[i]));
}

// Rows that lie apart get the same results, bit by bit.
static void check_rows_apart(const struct kernels *kernels, struct data *data, size_t row_count,
                             size_t dim)
{
    const float *rows[ROWS_MAX];
    for (size_t i = 0; i < row_count; i++)
        rows[i] = data->rows + i * dim;
    kernels->dot(data->queries, 1, data->rows, row_count, dim, data->got);
    kernels->dot_rows(data->queries, rows, row_count, dim, data->alone);
    assert_memory_equal(data->alone, data->got, row_count * sizeof(float));
    kernels->squared_distance(data->queries, 1, data->rows, row_count, dim, data->got);
    kernels->squared_distance_rows(data->queries, rows, row_count, dim, data->alone);
    assert_memory_equal(data->alone, data->got, row_count * sizeof(float));
}

static void check_all_shape(struct data *data, size_t query_count, size_t row_count, size_t dim)
{
    for (const struct kernels *const *kernels = kernel_table; *kernels; kernels++) {
        if (!(*kernels)->is_usable())
            continue;
        check_shape(*kernels, data, query_count, row_count, dim, true);
        check_shape(*kernels, data, query_count, row_count, dim, false);
        check_rows_apart(*kernels, data, row_count, dim);
    }
}

static void check_dim(struct data *data, size_t dim)
{
    static const size_t shapes[][2] = {{1, 1}, {1, 19}, {2, 5}, {4, 4}, {9, 13}};
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++)
        check_all_shape(data, shapes[i][0], shapes[i][1], dim);
}

// Also: a pair alone and in a batch agree bit for bit, and nothing is written behind the result.
static void every_kernel_agrees_with_double_precision(void **state)
{
    (void)state;
    struct data *data = malloc(sizeof *data);
    assert_non_null(data);
    fill(data);
    for (size_t dim = 1; dim <= 130; dim++)
        check_dim(data, dim);
    static const size_t larger[] = {191, 255, 256, 257, 384, 511, 768, 784, 1023, 1536, 3071, 4096};
    for (size_t i = 0; i < sizeof larger / sizeof larger[0]; i++)
        check_dim(data, larger[i]);
    for (size_t dim = 131; dim <= DIM_MAX; dim++)
        check_all_shape(data, 1, 3, dim);
    free(data);
}

static void small_whole_numbers_are_exact(void **state)
{
    (void)state;
    float query[37], row[37], dot, squared;
    double exact_dot = 0, exact_squared = 0;
    for (int i = 0; i < 37; i++) {
        query[i] = (float)(i - 18);
        row[i] = (float)(3 * i % 11);
        exact_dot += (double)query[i] * (double)row[i];
        exact_squared += ((double)query[i] - (double)row[i]) * ((double)query[i] - (double)row[i]);
    }
    for (const struct kernels *const *kernels = kernel_table; *kernels; kernels++) {
        if (!(*kernels)->is_usable())
            continue;
        (*kernels)->dot(query, 1, row, 1, 37, &dot);
        (*kernels)->squared_distance(query, 1, row, 1, 37, &squared);
        assert_true((double)dot == exact_dot);
        assert_true((double)squared == exact_squared);
    }
}

// The vectors end at a page that may not be read.
static void no_kernel_reads_behind_the_end(void **state)
{
    (void)state;
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    char *pages = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(pages, MAP_FAILED);
    assert_int_equal(mprotect(pages + page, page, PROT_NONE), 0);
    for (size_t dim = 1; dim <= 70; dim++) {
        float *row = (float *)(void *)(pages + page) - dim;
        for (size_t i = 0; i < dim; i++)
            row[i] = 1;
        for (const struct kernels *const *kernels = kernel_table; *kernels; kernels++) {
            float got = 0;
            if ((*kernels)->is_usable())
                (*kernels)->dot(row, 1, row, 1, dim, &got);
            assert_true(got == ((*kernels)->is_usable() ? (float)dim : 0.0f));
        }
    }
    munmap(pages, 2 * page);
}

static void normalising_gives_length_one_and_refuses_zero(void **state)
{
    (void)state;
    static const float scales[] = {1e-44f, 1e-30f, 1, 3e37f};
    for (size_t i = 0; i < sizeof scales / sizeof scales[0]; i++) {
        float vector[5] = {scales[i], -scales[i], 0, scales[i] * 3, -0.0f};
        assert_true(kernel_normalise(vector, 5, vector));
        assert_true(fabs(kernel_exact_dot(vector, vector, 5) - 1) < 1e-6);
    }
    float zero[3] = {0, -0.0f, 0};
    float untouched[3] = {7, 7, 7};
    assert_false(kernel_normalise(zero, 3, untouched));
    assert_true(untouched[0] == 7);
}

static void infinity_and_nan_are_not_finite(void **state)
{
    (void)state;
    float vector[3] = {1, 3.4e38f, -1e-45f};
    assert_true(kernel_all_finite(vector, 3));
    vector[2] = NAN;
    assert_false(kernel_all_finite(vector, 3));
    vector[2] = -INFINITY;
    assert_false(kernel_all_finite(vector, 3));
}

static void the_best_kernels_are_usable(void **state)
{
    (void)state;
    assert_true(kernels_best()->is_usable());
    print_message("kernels: %s\n", kernels_best()->name);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kernel_agrees_with_double_precision),
        cmocka_unit_test(small_whole_numbers_are_exact),
        cmocka_unit_test(no_kernel_reads_behind_the_end),
        cmocka_unit_test(normalising_gives_length_one_and_refuses_zero),
        cmocka_unit_test(infinity_and_nan_are_not_finite),
        cmocka_unit_test(the_best_kernels_are_usable),
    };
    return cmocka_run_group_tests_name("kernels", tests, NULL, NULL);
}
