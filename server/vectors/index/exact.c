// Exact search: every living row against every query. Bound by memory, so a block of rows that
// fits in the second-level cache is compared with all queries before the next is read.
#include "vectors/index.h"

#include <math.h>
#include <stdlib.h>

enum {
    BLOCK_BYTES = 64 << 10,
    BLOCK_ROWS_MIN = 8,
    BLOCK_ROWS_MAX = 512,
    QUERIES_AT_ONCE = 32
};

struct scan {
    const struct index_search *search;
    bool only_waiting;
    const struct kernels *kernels;
    struct topk *topks;
    uint32_t block_rows;
    uint32_t *picked; // rows of the chunk that may be found, of the block in hand
    float *gathered;  // their vectors, where they lie apart
    float *results;   // float[QUERIES_AT_ONCE][block_rows]
    size_t compared;  // rows
};

// What a sum in float32 could not hold.
static double exact_result(enum metric metric, const float *query, const float *row, uint32_t dim)
{
    return metric == METRIC_L2 ? kernel_exact_squared_distance(query, row, dim)
                               : kernel_exact_dot(query, row, dim);
}

double index_distance(const struct index_search *search, const float *query, const float *row,
                      float raw)
{
    double result = (double)raw;
    if (!isfinite(raw))
        result = exact_result(search->metric, query, row, search->dim);
    if (search->metric == METRIC_L2)
        return result;
    double distance = 1 - result;
    if (search->metric == METRIC_COSINE) // rounding may lead out of the range
        return distance < 0 ? 0 : distance > 2 ? 2 : distance;
    return distance;
}

static bool is_outside_the_graph(const struct row *row)
{
    uint32_t node = atomic_load_explicit(&row->node, memory_order_acquire);
    return node == ROW_WAITING || node == ROW_UNFIT;
}

static uint32_t pick(const struct scan *scan, const struct row_chunk *chunk, uint32_t from,
                     uint32_t to)
{
    const struct num_set *only = scan->search->only;
    uint32_t count = 0;
    for (uint32_t row = from; row < to; row++) {
        const struct row *at = &chunk->rows[row];
        if (row_is_alive(at, scan->search->sequence) && (!only || num_set_has(only, at->num)) &&
            (!scan->only_waiting || is_outside_the_graph(at)))
            scan->picked[count++] = row;
    }
    return count;
}

// Offers results of the picked rows; column of a row: its place in the block the kernel saw.
static void offer(const struct scan *scan, const struct row_chunk *chunk, size_t query,
                  const float *results, uint32_t picked_count, bool is_gathered, uint32_t from)
{
    const struct index_search *search = scan->search;
    struct topk *topk = &scan->topks[query];
    for (uint32_t i = 0; i < picked_count; i++) {
        uint32_t row = scan->picked[i];
        const struct row *found = &chunk->rows[row];
        float raw = results[is_gathered ? i : row - from];
        topk_offer(
            topk, index_distance(search, search->queries + query * search->dim, found->vector, raw),
            found->num, found->id);
    }
}

static const float *gather(const struct scan *scan, const struct row_chunk *chunk, uint32_t count)
{
    size_t dim = scan->search->dim;
    for (uint32_t i = 0; i < count; i++)
        memcpy(scan->gathered + i * dim, chunk->vectors + scan->picked[i] * dim,
               dim * sizeof *scan->gathered);
    return scan->gathered;
}

static void scan_block(struct scan *scan, const struct row_chunk *chunk, uint32_t from, uint32_t to)
{
    const struct index_search *search = scan->search;
    uint32_t picked = pick(scan, chunk, from, to);
    if (!picked)
        return;
    scan->compared += picked;
    bool is_gathered = picked * 2 < to - from;
    const float *rows =
        is_gathered ? gather(scan, chunk, picked) : chunk->vectors + (size_t)from * search->dim;
    size_t row_count = is_gathered ? picked : to - from;
    kernel_fn *kernel =
        search->metric == METRIC_L2 ? scan->kernels->squared_distance : scan->kernels->dot;
    for (size_t q = 0; q < search->query_count; q += QUERIES_AT_ONCE) {
        size_t left = search->query_count - q;
        size_t count = left < QUERIES_AT_ONCE ? left : QUERIES_AT_ONCE;
        kernel(search->queries + q * search->dim, count, rows, row_count, search->dim,
               scan->results);
        for (size_t i = 0; i < count; i++)
            offer(scan, chunk, q + i, scan->results + i * row_count, picked, is_gathered, from);
    }
}

static bool chunk_is_in_the_graph(const struct row_chunk *chunk)
{
    uint32_t settled = atomic_load_explicit(&chunk->settled, memory_order_acquire);
    return settled == atomic_load_explicit(&chunk->count, memory_order_acquire) &&
           !atomic_load_explicit(&chunk->alone, memory_order_relaxed);
}

static enum soma_code scan_chunks(struct scan *scan, const struct row_set *rows,
                                  struct soma_error *err)
{
    for (uint32_t i = 0; i < rows->count; i++) {
        const struct row_chunk *chunk = rows->chunks[i];
        if (!chunk || (scan->only_waiting && chunk_is_in_the_graph(chunk)))
            continue;
        if (clock_left_ms(scan->search->deadline) == 0)
            return error_set(err, REASON_DEADLINE_EXCEEDED, NULL,
                             "the deadline passed during the search");
        uint32_t count = atomic_load_explicit(&chunk->count, memory_order_acquire);
        for (uint32_t from = 0; from < count; from += scan->block_rows) {
            uint32_t left = count - from;
            scan_block(scan, chunk, from,
                       from + (left < scan->block_rows ? left : scan->block_rows));
        }
    }
    return SOMA_OK;
}

enum soma_code exact_search(const struct row_set *rows, const struct index_search *search,
                            bool only_waiting, struct topk *topks, size_t *ret_compared,
                            struct soma_error *err)
{
    struct scan scan = {
        .search = search, .only_waiting = only_waiting, .kernels = kernels_best(), .topks = topks};
    uint32_t fitting = BLOCK_BYTES / (search->dim * (uint32_t)sizeof(float));
    scan.block_rows = fitting < BLOCK_ROWS_MIN   ? BLOCK_ROWS_MIN
                      : fitting > BLOCK_ROWS_MAX ? BLOCK_ROWS_MAX
                                                 : fitting;
    scan.picked = malloc(scan.block_rows * sizeof *scan.picked);
    scan.gathered = malloc((size_t)scan.block_rows * search->dim * sizeof *scan.gathered);
    scan.results = malloc((size_t)scan.block_rows * QUERIES_AT_ONCE * sizeof *scan.results);
    enum soma_code code = SOMA_OK;
    if (!scan.picked || !scan.gathered || !scan.results)
        code = error_set_no_memory(err);
    else
        code = scan_chunks(&scan, rows, err);
    if (ret_compared)
        *ret_compared = scan.compared;
    free(scan.picked);
    free(scan.gathered);
    free(scan.results);
    return code;
}
