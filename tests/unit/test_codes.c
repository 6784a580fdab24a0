// Codes: every kernel against the plain way to compute the same, for all dimensions.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "vectors/index/codes.h"

enum {
    DIM_MAX = 4096,
    CODES = 3
};

static uint64_t random_state = 3;

static float random_number(void)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (float)(random_state >> 40) / 8388608.0f - 1;
}

// Component i of a code, as its description says.
static double decoded(const struct code_format *format, const uint8_t *code, uint32_t i)
{
    struct code_tail tail;
    uint32_t bits;
    float number;
    switch (format->quantization) {
    case QUANTIZATION_NONE:
        memcpy(&number, code + i * sizeof number, sizeof number);
        return (double)number;
    case QUANTIZATION_BF16:
        bits = (uint32_t)((const uint16_t *)(const void *)code)[i] << 16;
        memcpy(&number, &bits, sizeof number);
        return (double)number;
    case QUANTIZATION_INT8:
        memcpy(&tail, code + format->padded, sizeof tail);
        return (double)tail.scale * ((const int8_t *)code)[i] + (double)tail.offset;
    case QUANTIZATION_INT4:
        memcpy(&tail, code + format->padded / 2, sizeof tail);
        return (double)tail.scale * (code[i / 32 * 16 + i % 16] >> (i % 32 < 16 ? 0 : 4) & 15) +
               (double)tail.offset;
    }
    return NAN;
}

static double plain_distance(const struct code_format *format, const float *query,
                             const uint8_t *code)
{
    double sum = 0;
    for (uint32_t i = 0; i < format->dim; i++) {
        double x = decoded(format, code, i), q = (double)query[i];
        sum += format->is_dot ? -q * x : (q - x) * (q - x);
    }
    return sum;
}

// What 14 bits of a query's component and sums of float32 may do to a distance, with room to spare.
static double tolerance(const float *query, const uint8_t *code, const struct code_format *format)
{
    double sum = 0;
    for (uint32_t i = 0; i < format->dim; i++)
        sum += fabs(decoded(format, code, i)) + fabs((double)query[i]);
    return 1e-6 * format->dim + sum * 3e-4;
}

static void check(enum quantization quantization, bool is_dot, uint32_t dim, const float *numbers)
{
    struct code_format format;
    code_format_init(&format, quantization, is_dot, dim);
    uint8_t *codes = aligned_alloc(64, CODES * format.stride);
    void *memory = aligned_alloc(64, (code_query_bytes(&format) + 63) / 64 * 64);
    assert_non_null(codes);
    assert_non_null(memory);
    for (size_t i = 0; i < CODES; i++)
        code_encode(&format, numbers + (i + 1) * DIM_MAX, codes + i * format.stride);
    struct code_query query;
    assert_true(code_query_init(&format, numbers, memory, &query));
    static const uint32_t wanted[] = {2, 0, 1, 1};
    for (const struct kernels *const *kernels = kernel_table; *kernels; kernels++) {
        if (!(*kernels)->is_usable())
            continue;
        format.kernel = code_kernel(*kernels, quantization);
        struct code_run run = {.numbers = wanted, .known_count = 4};
        for (size_t i = 0; i < 4; i++) {
            const uint8_t *code = codes + wanted[i] * format.stride;
            double got = (double)code_run_next(&format, &query, codes, &run);
            double plain = plain_distance(&format, numbers, code);
            if (!(fabs(got - plain) <= tolerance(numbers, code, &format)))
                fail_msg("%s, codes %d, dim %u: %.9g for %.9g", (*kernels)->name, quantization, dim,
                         got, plain);
        }
    }
    free(codes);
    free(memory);
}

static void every_kernel_agrees_with_the_description_in_all_dimensions(void **state)
{
    (void)state;
    float *numbers = malloc((CODES + 1) * DIM_MAX * sizeof *numbers);
    assert_non_null(numbers);
    for (size_t i = 0; i < (CODES + 1) * DIM_MAX; i++)
        numbers[i] = random_number();
    for (uint32_t dim = 301; dim <= DIM_MAX; dim++)
        check((enum quantization)(1 + dim % 4), dim / 4 % 2, dim, numbers);
    for (uint32_t dim = 1; dim <= 300; dim++) {
        for (int code = QUANTIZATION_NONE; code <= QUANTIZATION_INT4; code++) {
            check((enum quantization)code, false, dim, numbers);
            check((enum quantization)code, true, dim, numbers);
        }
    }
    for (int code = QUANTIZATION_NONE; code <= QUANTIZATION_INT4; code++)
        check((enum quantization)code, false, DIM_MAX, numbers);
    free(numbers);
}

// The largest sum there is: every component at its bound.
static void the_largest_sums_do_not_overflow(void **state)
{
    (void)state;
    static float numbers[(CODES + 1) * DIM_MAX];
    for (size_t i = 0; i < DIM_MAX; i++)
        numbers[i] = 1;
    for (size_t i = DIM_MAX; i < (CODES + 1) * DIM_MAX; i++)
        numbers[i] = i % DIM_MAX ? -1.0f : 1.0f;
    for (int code = QUANTIZATION_NONE; code <= QUANTIZATION_INT4; code++)
        check((enum quantization)code, true, DIM_MAX, numbers);
}

static void a_component_is_off_by_half_a_step_at_most(void **state)
{
    (void)state;
    float vector[100];
    uint8_t code[512];
    for (size_t i = 0; i < 100; i++)
        vector[i] = 3 * random_number() + 1;
    for (int quantization = QUANTIZATION_INT8; quantization <= QUANTIZATION_INT4; quantization++) {
        struct code_format format;
        code_format_init(&format, (enum quantization)quantization, false, 100);
        assert_true(format.stride <= sizeof code);
        code_encode(&format, vector, code);
        double step = 6.0 / (quantization == QUANTIZATION_INT8 ? 255 : 15);
        for (uint32_t i = 0; i < 100; i++)
            assert_true(fabs(decoded(&format, code, i) - (double)vector[i]) < step * 0.501);
    }
}

static void a_query_too_long_for_codes_is_refused(void **state)
{
    (void)state;
    struct code_format format;
    struct code_query query;
    float vector[4] = {1e19f, -1e19f, 0, 1e19f};
    _Alignas(64) char memory[1024];
    code_format_init(&format, QUANTIZATION_INT8, false, 4);
    assert_true(code_query_bytes(&format) <= sizeof memory);
    assert_false(code_query_init(&format, vector, memory, &query));
    memset(vector, 0, sizeof vector);
    assert_true(code_query_init(&format, vector, memory, &query));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kernel_agrees_with_the_description_in_all_dimensions),
        cmocka_unit_test(the_largest_sums_do_not_overflow),
        cmocka_unit_test(a_component_is_off_by_half_a_step_at_most),
        cmocka_unit_test(a_query_too_long_for_codes_is_refused),
    };
    return cmocka_run_group_tests_name("codes", tests, NULL, NULL);
}
