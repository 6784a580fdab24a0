// Kernels for 64-bit ARM, where NEON is part of the base instruction set.
#include "vectors/kernels_tables.h"

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

#include "vectors/kernel_tile.h"

static bool is_usable(void)
{
    return true;
}

const struct kernels kernels_neon = {"neon", is_usable, tile_dot, tile_squared_distance};
