#include "vectors/index/codes.h"

#include <math.h>
#include <string.h>

enum {
    LINE_BYTES = 64,
    ASKED_BYTES = 6 << 10, // ahead of the code that is compared
    ASKED_MIN = 2,
    SUMS = 8 // side by side
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

kernel_code_fn *code_kernel(const struct kernels *kernels, enum quantization quantization)
{
    switch (quantization) {
    case QUANTIZATION_BF16:
        return kernels->bf16;
    case QUANTIZATION_INT8:
        return kernels->int8;
    case QUANTIZATION_INT4:
        return kernels->int4;
    case QUANTIZATION_NONE:
        break;
    }
    return kernels->float32;
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
    size_t ahead = ASKED_BYTES / format->stride;
    format->asked_ahead = (uint32_t)(ahead < ASKED_MIN ? ASKED_MIN : ahead);
    format->kernel = code_kernel(format->kernels, quantization);
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

// The largest absolute value and the sum of padded numbers.
static void measure(const float *numbers, size_t padded, float *ret_largest, float *ret_sum)
{
    float largest[SUMS] = {0}, sums[SUMS] = {0};
    for (size_t at = 0; at < padded; at += SUMS) {
        for (size_t i = 0; i < SUMS; i++) {
            float size = fabsf(numbers[at + i]);
            largest[i] = size > largest[i] ? size : largest[i];
            sums[i] += numbers[at + i];
        }
    }
    *ret_largest = *ret_sum = 0;
    for (size_t i = 0; i < SUMS; i++) {
        *ret_largest = largest[i] > *ret_largest ? largest[i] : *ret_largest;
        *ret_sum += sums[i];
    }
}

bool code_query_init(const struct code_format *format, const float *vector, void *memory,
                     struct code_query *ret_query)
{
    float *numbers = memory;
    int16_t *steps = (int16_t *)(void *)(numbers + format->padded);
    float largest, sum, norm = 0;
    memcpy(numbers, vector, format->dim * sizeof *numbers);
    memset(numbers + format->dim, 0, (format->padded - format->dim) * sizeof *numbers);
    measure(numbers, format->padded, &largest, &sum);
    format->kernels->dot(vector, 1, vector, 1, format->dim, &norm);
    float per_number = largest > 0 ? (float)CODE_STEPS_MAX / largest : 0;
    if (!isfinite(per_number) || !isfinite(norm * 4))
        return false;
    for (size_t i = 0; i < format->padded; i++) {
        float scaled = numbers[i] * per_number;
        steps[i] = (int16_t)(scaled + copysignf(0.5f, scaled));
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
