// Kernels for 64-bit ARM, where NEON is part of the base instruction set.
#include "vectors/kernels/tables.h"

#include <arm_neon.h>

typedef float32x4_t VF;

enum {
    VF_LANES = 4,
    TILE_QUERIES = 4,
    TILE_ROWS = 4
};

static inline VF vf_zero(void)
{
    return vdupq_n_f32(0);
}

static inline VF vf_load(const float *from)
{
    return vld1q_f32(from);
}

static inline VF vf_load_tail(const float *from, size_t count)
{
    float lanes[VF_LANES] = {0};
    for (size_t i = 0; i < count; i++)
        lanes[i] = from[i];
    return vld1q_f32(lanes);
}

static inline VF vf_sub(VF a, VF b)
{
    return vsubq_f32(a, b);
}

static inline VF vf_fma(VF a, VF b, VF c)
{
    return vfmaq_f32(c, a, b);
}

static inline float vf_sum(VF v)
{
    return vaddvq_f32(v);
}

static inline VF vf_load_bf16(const uint16_t *from)
{
    return vreinterpretq_f32_u32(vshll_n_u16(vld1_u16(from), 16));
}

typedef struct {
    int32x4_t low, high;
} VI;

static inline VI vi_zero(void)
{
    return (VI){vdupq_n_s32(0), vdupq_n_s32(0)};
}

static inline VI add_products(VI sum, const int16_t *query, int8x16_t code)
{
    int16x8_t first = vmovl_s8(vget_low_s8(code)), second = vmovl_s8(vget_high_s8(code));
    int16x8_t q = vld1q_s16(query), r = vld1q_s16(query + 8);
    sum.low = vmlal_s16(sum.low, vget_low_s16(q), vget_low_s16(first));
    sum.high = vmlal_s16(sum.high, vget_high_s16(q), vget_high_s16(first));
    sum.low = vmlal_s16(sum.low, vget_low_s16(r), vget_low_s16(second));
    sum.high = vmlal_s16(sum.high, vget_high_s16(r), vget_high_s16(second));
    return sum;
}

static inline VI vi_step8(const int16_t *query, const int8_t *code, VI sum)
{
    sum = add_products(sum, query, vld1q_s8(code));
    return add_products(sum, query + 16, vld1q_s8(code + 16));
}

static inline VI vi_step4(const int16_t *query, const uint8_t *code, VI sum)
{
    uint8x16_t both = vld1q_u8(code);
    sum = add_products(sum, query, vreinterpretq_s8_u8(vandq_u8(both, vdupq_n_u8(15))));
    return add_products(sum, query + 16, vreinterpretq_s8_u8(vshrq_n_u8(both, 4)));
}

static inline int64_t vi_sum(VI v)
{
    return vaddlvq_s32(v.low) + vaddlvq_s32(v.high);
}

#include "vectors/kernels/tile.h"

#include "vectors/kernels/codes.h"

static bool is_usable(void)
{
    return true;
}

const struct kernels kernels_neon = {"neon", is_usable, KERNELS_ALL};
