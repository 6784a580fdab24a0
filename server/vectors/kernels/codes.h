// The loops of every kernel of codes, over what tile.h needs and
//     vf_load_bf16(p)      VF_LANES numbers of which the upper halves are given
//     VI                   accumulators of int32
//     vi_zero()            vi_sum(v), of all lanes, as int64_t
//     vi_step8(q, c, v)    v + q × c over CODE_BLOCK components: int16_t × int8_t
//     vi_step4(q, c, v)    the same for components of 4 bits, which are not negative
// The including file then has code_bf16, code_int8 and code_int4, which are kernel_code_fn.
//
// A lane sums at most 4 096 / 8 products of 8 191 × 128, so int32 does not overflow.
// No include guard: included once by each file of kernels, after tile.h.

TILE_INLINE const struct code_tail *tail_of(const uint8_t *code, size_t bytes)
{
    return (const struct code_tail *)(const void *)(code + bytes);
}

TILE_INLINE float code_distance(const struct code_query *query, const struct code_tail *tail,
                                int64_t sum)
{
    float dot = tail->scale * query->step * (float)sum + tail->offset * query->sum;
    return query->is_dot ? -dot : query->norm + tail->norm - 2 * dot;
}

static void code_bf16(const struct code_query *query, const uint8_t *codes, size_t stride,
                      const uint32_t *numbers, size_t count, float *ret)
{
    for (size_t i = 0; i < count; i++) {
        const uint16_t *code = (const uint16_t *)(const void *)(codes + numbers[i] * stride);
        VF even = vf_zero(), odd = vf_zero();
        for (size_t at = 0; at < query->padded; at += 2 * VF_LANES) {
            const float *q = query->numbers + at;
            even = pair_step(vf_load(q), vf_load_bf16(code + at), even, query->is_dot);
            odd = pair_step(vf_load(q + VF_LANES), vf_load_bf16(code + at + VF_LANES), odd,
                            query->is_dot);
        }
        float sum = vf_sum(even) + vf_sum(odd);
        ret[i] = query->is_dot ? -sum : sum;
    }
}

static void code_int8(const struct code_query *query, const uint8_t *codes, size_t stride,
                      const uint32_t *numbers, size_t count, float *ret)
{
    for (size_t i = 0; i < count; i++) {
        const uint8_t *code = codes + numbers[i] * stride;
        VI sum = vi_zero();
        for (size_t at = 0; at < query->padded; at += CODE_BLOCK)
            sum = vi_step8(query->steps + at, (const int8_t *)code + at, sum);
        ret[i] = code_distance(query, tail_of(code, query->padded), vi_sum(sum));
    }
}

static void code_int4(const struct code_query *query, const uint8_t *codes, size_t stride,
                      const uint32_t *numbers, size_t count, float *ret)
{
    for (size_t i = 0; i < count; i++) {
        const uint8_t *code = codes + numbers[i] * stride;
        VI sum = vi_zero();
        for (size_t at = 0; at < query->padded; at += CODE_BLOCK)
            sum = vi_step4(query->steps + at, code + at / 2, sum);
        ret[i] = code_distance(query, tail_of(code, query->padded / 2), vi_sum(sum));
    }
}

// The rest of a table: everything behind its name and is_usable.
#define KERNELS_ALL                                                                           \
    tile_dot, tile_squared_distance, apart_dot, apart_squared_distance, code_bf16, code_int8, \
        code_int4
