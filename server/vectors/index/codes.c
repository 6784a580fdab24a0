#include "vectors/index/codes.h"

#include <math.h>
#include <string.h>

enum {
    LINE_BYTES = 64,
    SCORED_AT_ONCE = 64
};

static size_t padded_dim(uint32_t dim)
{
    return ((size_t)dim + CODE_BLOCK - 1) / CODE_BLOCK * CODE_BLOCK;
}

size_t code_bytes(enum quantization quantization, uint32_t dim)
{
    size_t padded = padded_dim(dim);
    size_t bytes = 0;
    switch (quantization) {
    case QUANTIZATION_NONE:
        bytes = padded * sizeof(float);
        break;
    case QUANTIZATION_BF16:
        bytes = padded * sizeof(uint16_t);
        break;
    case QUANTIZATION_INT8:
        bytes = padded + sizeof(struct code_tail);
        break;
    case QUANTIZATION_INT4:
        bytes = padded / 2 + sizeof(struct code_tail);
        break;
    }
    return (bytes + LINE_BYTES - 1) / LINE_BYTES * LINE_BYTES;
}

void code_format_init(struct code_format *format, enum quantization quantization, bool is_dot,
                      uint32_t dim)
{
    *format = (struct code_format){.quantization = quantization,
                                   .is_dot = is_dot,
                                   .dim = dim,
                                   .padded = (uint32_t)padded_dim(dim),
                                   .stride = code_bytes(quantization, dim),
                                   .kernels = kernels_best()};
}

// To the nearest, ties to even, as the hardware does it; vectors are finite, and what would round
// to infinity is cut.
static uint16_t to_bf16(float number)
{
    uint32_t bits;
    memcpy(&bits, &number, sizeof bits);
    uint32_t rounded = bits + 0x7fff + (bits >> 16 & 1);
    if ((rounded & 0x7f800000) == 0x7f800000)
        rounded = bits;
    return (uint16_t)(rounded >> 16);
}

static void encode_bf16(const float *vector, uint32_t dim, uint8_t *code)
{
    for (uint32_t i = 0; i < dim; i++) {
        uint16_t number = to_bf16(vector[i]);
        memcpy(code + i * sizeof number, &number, sizeof number);
    }
}

struct range {
    float low, step;
};

static struct range range_of(const float *vector, uint32_t dim, int steps)
{
    float low = vector[0], high = vector[0];
    for (uint32_t i = 1; i < dim; i++) {
        low = vector[i] < low ? vector[i] : low;
        high = vector[i] > high ? vector[i] : high;
    }
    return (struct range){low, high / (float)steps - low / (float)steps};
}

static int step_of(float number, struct range range, int steps)
{
    if (!(range.step > 0))
        return 0;
    float at = (number - range.low) / range.step + 0.5f;
    return at >= (float)steps ? steps : at > 0 ? (int)at : 0;
}

// Writes components as whole numbers from base on, and the tail behind them.
static void encode_steps(const struct code_format *format, const float *vector, int steps, int base,
                         uint8_t *code)
{
    struct range range = range_of(vector, format->dim, steps);
    bool is_half = format->quantization == QUANTIZATION_INT4;
    double norm = 0;
    for (uint32_t i = 0; i < format->dim; i++) {
        int step = step_of(vector[i], range, steps);
        double number = (double)range.low + (double)range.step * step;
        norm += number * number;
        if (is_half)
            code[i / 32 * 16 + i % 16] |= (uint8_t)(i % 32 < 16 ? step : step << 4);
        else
            code[i] = (uint8_t)(step + base);
    }
    struct code_tail tail = {
        .scale = range.step, .offset = range.low - range.step * (float)base, .norm = (float)norm};
    memcpy(code + (is_half ? format->padded / 2 : format->padded), &tail, sizeof tail);
}

void code_encode(const struct code_format *format, const float *vector, uint8_t *ret_code)
{
    memset(ret_code, 0, format->stride);
    switch (format->quantization) {
    case QUANTIZATION_NONE:
        memcpy(ret_code, vector, format->dim * sizeof *vector);
        break;
    case QUANTIZATION_BF16:
        encode_bf16(vector, format->dim, ret_code);
        break;
    case QUANTIZATION_INT8:
        encode_steps(format, vector, 255, -128, ret_code);
        break;
    case QUANTIZATION_INT4:
        encode_steps(format, vector, 15, 0, ret_code);
        break;
    }
}

size_t code_query_bytes(const struct code_format *format)
{
    return format->padded * (sizeof(float) + sizeof(int16_t));
}

bool code_query_init(const struct code_format *format, const float *vector, void *memory,
                     struct code_query *ret_query)
{
    float *numbers = memory;
    int16_t *steps = (int16_t *)(void *)(numbers + format->padded);
    memset(memory, 0, code_query_bytes(format));
    memcpy(numbers, vector, format->dim * sizeof *numbers);
    float largest = 0, sum = 0, norm = 0;
    for (uint32_t i = 0; i < format->dim; i++) {
        largest = fabsf(vector[i]) > largest ? fabsf(vector[i]) : largest;
        sum += vector[i];
    }
    format->kernels->dot(vector, 1, vector, 1, format->dim, &norm);
    float per_number = largest > 0 ? (float)CODE_STEPS_MAX / largest : 0;
    if (!isfinite(per_number) || !isfinite(norm * 4))
        return false;
    for (uint32_t i = 0; i < format->dim; i++) {
        float scaled = vector[i] * per_number;
        steps[i] = (int16_t)(scaled + (scaled < 0 ? -0.5f : 0.5f));
    }
    *ret_query = (struct code_query){.padded = format->padded,
                                     .numbers = numbers,
                                     .steps = steps,
                                     .step = largest / (float)CODE_STEPS_MAX,
                                     .sum = sum,
                                     .norm = norm,
                                     .is_dot = format->is_dot};
    return true;
}

static void score_floats(const struct code_format *format, const struct code_query *query,
                         const uint8_t *codes, const uint32_t *numbers, size_t count, float *ret)
{
    const float *rows[SCORED_AT_ONCE];
    kernel_rows_fn *kernel =
        format->is_dot ? format->kernels->dot_rows : format->kernels->squared_distance_rows;
    for (size_t from = 0; from < count; from += SCORED_AT_ONCE) {
        size_t left = count - from;
        size_t some = left < SCORED_AT_ONCE ? left : SCORED_AT_ONCE;
        for (size_t i = 0; i < some; i++)
            rows[i] = (const float *)(const void *)(codes + numbers[from + i] * format->stride);
        kernel(query->numbers, rows, some, format->dim, ret + from);
    }
    for (size_t i = 0; format->is_dot && i < count; i++)
        ret[i] = -ret[i];
}

void code_score(const struct code_format *format, const struct code_query *query,
                const uint8_t *codes, const uint32_t *numbers, size_t count, float *ret_distances)
{
    const struct kernels *kernels = format->kernels;
    switch (format->quantization) {
    case QUANTIZATION_NONE:
        score_floats(format, query, codes, numbers, count, ret_distances);
        break;
    case QUANTIZATION_BF16:
        kernels->bf16(query, codes, format->stride, numbers, count, ret_distances);
        break;
    case QUANTIZATION_INT8:
        kernels->int8(query, codes, format->stride, numbers, count, ret_distances);
        break;
    case QUANTIZATION_INT4:
        kernels->int4(query, codes, format->stride, numbers, count, ret_distances);
        break;
    }
}
