// Kernels for x86-64 with AVX-512F; compiled with -mavx512f.
#include "vectors/kernels_tables.h"

#include <immintrin.h>

typedef __m512 VF;

enum {
    VF_LANES = 16,
    TILE_QUERIES = 4,
    TILE_ROWS = 4
};

static inline VF vf_zero(void)
{
    return _mm512_setzero_ps();
}

static inline VF vf_load(const float *from)
{
    return _mm512_loadu_ps(from);
}

static inline VF vf_load_tail(const float *from, size_t count)
{
    return _mm512_maskz_loadu_ps((__mmask16)((1u << count) - 1), from);
}

static inline VF vf_sub(VF a, VF b)
{
    return _mm512_sub_ps(a, b);
}

static inline VF vf_fma(VF a, VF b, VF c)
{
    return _mm512_fmadd_ps(a, b, c);
}

static inline float vf_sum(VF v)
{
    return _mm512_reduce_add_ps(v);
}

#include "vectors/kernel_tile.h"

static bool is_usable(void)
{
    return __builtin_cpu_supports("avx512f");
}

const struct kernels kernels_avx512 = {"avx512", is_usable, tile_dot, tile_squared_distance};
