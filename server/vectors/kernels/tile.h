// The loops of every kernel, over a vector type that the including file defines:
//     VF            a vector of VF_LANES floats
//     vf_zero()     vf_load(p)     vf_load_tail(p, count), the lanes from count on are 0
//     vf_sub(a, b)  vf_fma(a, b, c) = a × b + c     vf_sum(v), of all lanes
//     TILE_QUERIES, TILE_ROWS: pairs that are worked on at once, as many as the registers hold
// It then has tile_dot and tile_squared_distance, which are kernel_fn, and apart_dot and
// apart_squared_distance, which are kernel_rows_fn.
//
// Every pair has one accumulator and sums in the same order whatever the shape of its tile.
// No include guard: included once by each kernels_*.c.

enum {
    TILE_ROWS_ALONE = 8, // rows at once for one query, to hide the latency of a fused multiply-add
    TILE_PAIRS_MAX =
        TILE_QUERIES * TILE_ROWS > TILE_ROWS_ALONE ? TILE_QUERIES *TILE_ROWS : TILE_ROWS_ALONE
};

#define TILE_INLINE static inline __attribute__((always_inline))

TILE_INLINE VF pair_step(VF query, VF row, VF sum, bool is_dot)
{
    if (is_dot)
        return vf_fma(query, row, sum);
    VF difference = vf_sub(query, row);
    return vf_fma(difference, difference, sum);
}

// One step of all pairs of a tile at component at; count < VF_LANES: the last, partial one.
TILE_INLINE void tile_step(const float *queries, int query_count, const float *rows, int row_count,
                           size_t dim, size_t at, size_t count, bool is_dot, VF *sums)
{
    VF query[TILE_QUERIES];
#pragma GCC unroll 8
    for (int q = 0; q < query_count; q++) {
        const float *from = queries + (size_t)q * dim + at;
        query[q] = count < VF_LANES ? vf_load_tail(from, count) : vf_load(from);
    }
#pragma GCC unroll 8
    for (int r = 0; r < row_count; r++) {
        const float *from = rows + (size_t)r * dim + at;
        VF row = count < VF_LANES ? vf_load_tail(from, count) : vf_load(from);
#pragma GCC unroll 8
        for (int q = 0; q < query_count; q++)
            sums[q * row_count + r] = pair_step(query[q], row, sums[q * row_count + r], is_dot);
    }
}

// query_count, row_count and is_dot are constants where this is called, and the loops vanish.
TILE_INLINE void tile(const float *queries, int query_count, const float *rows, int row_count,
                      size_t dim, bool is_dot, float *ret, size_t ret_stride)
{
    VF sums[TILE_PAIRS_MAX];
#pragma GCC unroll 16
    for (int i = 0; i < query_count * row_count; i++)
        sums[i] = vf_zero();
    size_t at = 0;
    for (; at + VF_LANES <= dim; at += VF_LANES)
        tile_step(queries, query_count, rows, row_count, dim, at, VF_LANES, is_dot, sums);
    if (at < dim)
        tile_step(queries, query_count, rows, row_count, dim, at, dim - at, is_dot, sums);
#pragma GCC unroll 8
    for (int q = 0; q < query_count; q++) {
#pragma GCC unroll 8
        for (int r = 0; r < row_count; r++)
            ret[(size_t)q * ret_stride + (size_t)r] = vf_sum(sums[q * row_count + r]);
    }
}

// query_count queries, a constant, against all rows.
TILE_INLINE void tile_stripe(const float *queries, int query_count, const float *rows,
                             size_t row_count, size_t dim, bool is_dot, float *ret)
{
    const size_t step = query_count == 1 ? TILE_ROWS_ALONE : TILE_ROWS;
    size_t r = 0;
    for (; r + step <= row_count; r += step)
        tile(queries, query_count, rows + r * dim, (int)step, dim, is_dot, ret + r, row_count);
    for (; r < row_count; r++)
        tile(queries, query_count, rows + r * dim, 1, dim, is_dot, ret + r, row_count);
}

TILE_INLINE void tile_all(const float *queries, size_t query_count, const float *rows,
                          size_t row_count, size_t dim, bool is_dot, float *ret)
{
    size_t q = 0;
    for (; q + TILE_QUERIES <= query_count; q += TILE_QUERIES)
        tile_stripe(queries + q * dim, TILE_QUERIES, rows, row_count, dim, is_dot,
                    ret + q * row_count);
    for (; q < query_count; q++)
        tile_stripe(queries + q * dim, 1, rows, row_count, dim, is_dot, ret + q * row_count);
}

static void tile_dot(const float *queries, size_t query_count, const float *rows, size_t row_count,
                     size_t dim, float *ret)
{
    tile_all(queries, query_count, rows, row_count, dim, true, ret);
}

static void tile_squared_distance(const float *queries, size_t query_count, const float *rows,
                                  size_t row_count, size_t dim, float *ret)
{
    tile_all(queries, query_count, rows, row_count, dim, false, ret);
}

// Four rows that lie apart; a pair sums in the same order as above.
TILE_INLINE void apart(const float *query, const float *const *rows, int row_count, size_t dim,
                       bool is_dot, float *ret)
{
    VF sums[4] = {vf_zero(), vf_zero(), vf_zero(), vf_zero()};
    size_t at = 0;
    for (; at + VF_LANES <= dim; at += VF_LANES) {
        VF q = vf_load(query + at);
#pragma GCC unroll 4
        for (int r = 0; r < row_count; r++)
            sums[r] = pair_step(q, vf_load(rows[r] + at), sums[r], is_dot);
    }
    for (int r = 0; at < dim && r < row_count; r++)
        sums[r] = pair_step(vf_load_tail(query + at, dim - at),
                            vf_load_tail(rows[r] + at, dim - at), sums[r], is_dot);
#pragma GCC unroll 4
    for (int r = 0; r < row_count; r++)
        ret[r] = vf_sum(sums[r]);
}

TILE_INLINE void apart_all(const float *query, const float *const *rows, size_t row_count,
                           size_t dim, bool is_dot, float *ret)
{
    size_t r = 0;
    for (; r + 4 <= row_count; r += 4)
        apart(query, rows + r, 4, dim, is_dot, ret + r);
    for (; r < row_count; r++)
        apart(query, rows + r, 1, dim, is_dot, ret + r);
}

static void apart_dot(const float *query, const float *const *rows, size_t row_count, size_t dim,
                      float *ret)
{
    apart_all(query, rows, row_count, dim, true, ret);
}

static void apart_squared_distance(const float *query, const float *const *rows, size_t row_count,
                                   size_t dim, float *ret)
{
    apart_all(query, rows, row_count, dim, false, ret);
}
