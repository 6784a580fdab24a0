// Kernels in the compilers' own vector type, which every target has or imitates.
#include "vectors/kernels/tables.h"

#include <string.h>

typedef float VF __attribute__((vector_size(16)));

enum {
    VF_LANES = 4,
    TILE_QUERIES = 2,
    TILE_ROWS = 4
};

static inline VF vf_zero(void)
{
    return (VF){0};
}

static inline VF vf_load(const float *from)
{
    VF v;
    memcpy(&v, from, sizeof v);
    return v;
}

static inline VF vf_load_tail(const float *from, size_t count)
{
    VF v = {0};
    memcpy(&v, from, count * sizeof *from);
    return v;
}

static inline VF vf_sub(VF a, VF b)
{
    return a - b;
}

static inline VF vf_fma(VF a, VF b, VF c)
{
    return a * b + c;
}

static inline float vf_sum(VF v)
{
    return (v[0] + v[1]) + (v[2] + v[3]);
}

static inline VF vf_load_bf16(const uint16_t *from)
{
    uint32_t bits[VF_LANES];
    for (size_t i = 0; i < VF_LANES; i++)
        bits[i] = (uint32_t)from[i] << 16;
    VF v;
    memcpy(&v, bits, sizeof v);
    return v;
}

typedef struct {
    int32_t lanes[8];
} VI;

static inline VI vi_zero(void)
{
    return (VI){{0}};
}

static inline VI vi_step8(const int16_t *query, const int8_t *code, VI sum)
{
    for (size_t i = 0; i < CODE_BLOCK; i++)
        sum.lanes[i % 8] += query[i] * code[i];
    return sum;
}

static inline VI vi_step4(const int16_t *query, const uint8_t *code, VI sum)
{
    for (size_t i = 0; i < CODE_BLOCK / 2; i++) {
        sum.lanes[i % 8] += query[i] * (code[i] & 15);
        sum.lanes[i % 8] += query[i + CODE_BLOCK / 2] * (code[i] >> 4);
    }
    return sum;
}

static inline int64_t vi_sum(VI v)
{
    int64_t sum = 0;
    for (size_t i = 0; i < 8; i++)
        sum += v.lanes[i];
    return sum;
}

#include "vectors/kernels/tile.h"

#include "vectors/kernels/codes.h"

static bool always(void)
{
    return true;
}

const struct kernels kernels_portable = {"portable", always, KERNELS_ALL};
