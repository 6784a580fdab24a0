// Kernels for x86-64 with AVX2 and FMA (Haswell, 2013, and Zen); compiled with -mavx2 -mfma.
#include "vectors/kernels_tables.h"

#include <immintrin.h>
#include <stdint.h>

typedef __m256 VF;

enum {
    VF_LANES = 8,
    TILE_QUERIES = 2,
    TILE_ROWS = 4
};

static inline VF vf_zero(void)
{
    return _mm256_setzero_ps();
}

static inline VF vf_load(const float *from)
{
    return _mm256_loadu_ps(from);
}

// A masked load touches no byte behind the count, so no page that is not ours.
static inline VF vf_load_tail(const float *from, size_t count)
{
    static const int32_t masks[2 * VF_LANES] = {-1, -1, -1, -1, -1, -1, -1, -1};
    const int32_t *mask = masks + VF_LANES - count;
    return _mm256_maskload_ps(from, _mm256_loadu_si256((const __m256i *)mask));
}

static inline VF vf_sub(VF a, VF b)
{
    return _mm256_sub_ps(a, b);
}

static inline VF vf_fma(VF a, VF b, VF c)
{
    return _mm256_fmadd_ps(a, b, c);
}

static inline float vf_sum(VF v)
{
    __m128 four = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
}

#include "vectors/kernel_tile.h"

static bool is_usable(void)
{
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}

const struct kernels kernels_avx2 = {"avx2", is_usable, tile_dot, tile_squared_distance};
