// The loops of every kernel of codes, over what tile.h needs and
//     vf_load_bf16(p)      VF_LANES numbers of which the upper halves are given
//     VI                   accumulators of int32
//     vi_zero()            vi_sum(v), of all lanes, as int64_t
//     vi_step8(q, c, v)    v + q × c over CODE_BLOCK components: int16_t × int8_t
//     vi_step4(q, c, v)    the same for components of 4 bits, which are not negative
// The including file then has code_float32, code_bf16, code_int8 and code_int4, which are
// kernel_code_fn.
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

TILE_INLINE void code_ask(const uint8_t *soon, const uint8_t *later, size_t at)
{
    __builtin_prefetch(soon + at);
    __builtin_prefetch(later + at);
}

static float code_float32(const struct code_query *query, const uint8_t *code, const uint8_t *soon,
                          const uint8_t *later)
{
    const float *numbers = (const float *)(const void *)code;
    VF sum = vf_zero();
    for (size_t at = 0; at < query->padded; at += VF_LANES) {
        code_ask(soon, later, at * sizeof *numbers);
        sum = pair_step(vf_load(query->numbers + at), vf_load(numbers + at), sum, query->is_dot);
    }
    return query->is_dot ? -vf_sum(sum) : vf_sum(sum);
}

static float code_bf16(const struct code_query *query, const uint8_t *code, const uint8_t *soon,
                       const uint8_t *later)
{
    const uint16_t *numbers = (const uint16_t *)(const void *)code;
    VF even = vf_zero(), odd = vf_zero();
    for (size_t at = 0; at < query->padded; at += 2 * VF_LANES) {
        const float *q = query->numbers + at;
        code_ask(soon, later, at * sizeof *numbers);
        even = pair_step(vf_load(q), vf_load_bf16(numbers + at), even, query->is_dot);
        odd = pair_step(vf_load(q + VF_LANES), vf_load_bf16(numbers + at + VF_LANES), odd,
                        query->is_dot);
    }
    float sum = vf_sum(even) + vf_sum(odd);
    return query->is_dot ? -sum : sum;
}

static float code_int8(const struct code_query *query, const uint8_t *code, const uint8_t *soon,
                       const uint8_t *later)
{
    VI sum = vi_zero();
    for (size_t at = 0; at < query->padded; at += CODE_BLOCK) {
        code_ask(soon, later, at);
        sum = vi_step8(query->steps + at, (const int8_t *)code + at, sum);
    }
    code_ask(soon, later, query->padded);
    return code_distance(query, tail_of(code, query->padded), vi_sum(sum));
}

static float code_int4(const struct code_query *query, const uint8_t *code, const uint8_t *soon,
                       const uint8_t *later)
{
    VI sum = vi_zero();
    for (size_t at = 0; at < query->padded; at += CODE_BLOCK) {
        code_ask(soon, later, at / 2);
        sum = vi_step4(query->steps + at, code + at / 2, sum);
    }
    code_ask(soon, later, query->padded / 2);
    return code_distance(query, tail_of(code, query->padded / 2), vi_sum(sum));
}

// The rest of a table: everything behind its name and is_usable.
#define KERNELS_ALL                                                                              \
    tile_dot, tile_squared_distance, apart_dot, apart_squared_distance, code_float32, code_bf16, \
        code_int8, code_int4
