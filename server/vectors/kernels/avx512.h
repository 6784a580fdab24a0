// What the two tables for AVX-512 are made of; the one that is compiled with -mavx512vnni
// multiplies and adds in one instruction. No include guard: included once by each.
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

static inline VF vf_load_bf16(const uint16_t *from)
{
    __m512i wide = _mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)(const void *)from));
    return _mm512_castsi512_ps(_mm512_slli_epi32(wide, 16));
}

typedef __m512i VI;

static inline VI vi_zero(void)
{
    return _mm512_setzero_si512();
}

static inline VI add_products(VI sum, __m512i a, __m512i b)
{
#ifdef __AVX512VNNI__
    return _mm512_dpwssd_epi32(sum, a, b);
#else
    return _mm512_add_epi32(sum, _mm512_madd_epi16(a, b));
#endif
}

static inline VI vi_step8(const int16_t *query, const int8_t *code, VI sum)
{
    __m512i wide = _mm512_cvtepi8_epi16(_mm256_loadu_si256((const __m256i *)(const void *)code));
    return add_products(sum, _mm512_loadu_si512(query), wide);
}

static inline VI vi_step4(const int16_t *query, const uint8_t *code, VI sum)
{
    __m256i both = _mm256_cvtepu8_epi16(_mm_loadu_si128((const __m128i *)(const void *)code));
    __m256i low = _mm256_and_si256(both, _mm256_set1_epi16(15));
    __m256i high = _mm256_srli_epi16(both, 4);
    __m512i wide = _mm512_inserti64x4(_mm512_castsi256_si512(low), high, 1);
    return add_products(sum, _mm512_loadu_si512(query), wide);
}

static inline int64_t vi_sum(VI v)
{
    __m512i low = _mm512_cvtepi32_epi64(_mm512_castsi512_si256(v));
    __m512i high = _mm512_cvtepi32_epi64(_mm512_extracti64x4_epi64(v, 1));
    return _mm512_reduce_add_epi64(_mm512_add_epi64(low, high));
}

#include "vectors/kernels/tile.h"

#include "vectors/kernels/codes.h"
