// Kernels for x86-64 with AVX2 and FMA (Haswell, 2013, and Zen); compiled with -mavx2 -mfma.
#include "vectors/kernels/tables.h"

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

static inline VF vf_load_bf16(const uint16_t *from)
{
    __m256i wide = _mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)(const void *)from));
    return _mm256_castsi256_ps(_mm256_slli_epi32(wide, 16));
}

typedef struct {
    __m256i low, high;
} VI;

static inline VI vi_zero(void)
{
    return (VI){_mm256_setzero_si256(), _mm256_setzero_si256()};
}

static inline __m256i load_steps(const int16_t *from)
{
    return _mm256_loadu_si256((const __m256i *)(const void *)from);
}

static inline __m256i add_products(__m256i sum, __m256i a, __m256i b)
{
    return _mm256_add_epi32(sum, _mm256_madd_epi16(a, b));
}

static inline VI vi_step8(const int16_t *query, const int8_t *code, VI sum)
{
    const __m128i *from = (const __m128i *)(const void *)code;
    __m256i low = _mm256_cvtepi8_epi16(_mm_loadu_si128(from));
    __m256i high = _mm256_cvtepi8_epi16(_mm_loadu_si128(from + 1));
    return (VI){add_products(sum.low, load_steps(query), low),
                add_products(sum.high, load_steps(query + 16), high)};
}

static inline VI vi_step4(const int16_t *query, const uint8_t *code, VI sum)
{
    __m256i both = _mm256_cvtepu8_epi16(_mm_loadu_si128((const __m128i *)(const void *)code));
    __m256i low = _mm256_and_si256(both, _mm256_set1_epi16(15));
    __m256i high = _mm256_srli_epi16(both, 4);
    return (VI){add_products(sum.low, load_steps(query), low),
                add_products(sum.high, load_steps(query + 16), high)};
}

static inline __m256i widened(__m256i v)
{
    return _mm256_add_epi64(_mm256_cvtepi32_epi64(_mm256_castsi256_si128(v)),
                            _mm256_cvtepi32_epi64(_mm256_extracti128_si256(v, 1)));
}

// Widened before it is summed: all lanes together may not fit into 32 bits.
static inline int64_t vi_sum(VI v)
{
    __m256i four = _mm256_add_epi64(widened(v.low), widened(v.high));
    __m128i two = _mm_add_epi64(_mm256_castsi256_si128(four), _mm256_extracti128_si256(four, 1));
    return _mm_cvtsi128_si64(two) + _mm_extract_epi64(two, 1);
}

#include "vectors/kernels/tile.h"

#include "vectors/kernels/codes.h"

static bool is_usable(void)
{
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}

const struct kernels kernels_avx2 = {"avx2", is_usable, KERNELS_ALL};
