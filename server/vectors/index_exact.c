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
    const struct kernels *kernels;
    struct topk *topks;
    uint32_t block_rows;
    uint32_t *picked; // rows of the chunk that may be found, of the block in hand
    float *gathered;  // their vectors, where they lie apart
    float *results;   // float[QUERIES_AT_ONCE][block_rows]
};

static double distance_of(enum metric metric, double raw)
{
    if (metric == METRIC_L2)
        return raw;
    double distance = 1 - raw;
    if (metric == METRIC_COSINE) // rounding may lead out of the range
        return distance < 0 ? 0 : distance > 2 ? 2 : distance;
    return distance;
}

// What a sum in float32 could not hold.
static double exact_result(enum metric metric, const float *query, const float *row, uint32_t dim)
{
    return metric == METRIC_L2 ? kernel_exact_squared_distance(query, row, dim)
                               : kernel_exact_dot(query, row, dim);
}

static uint32_t pick(const struct scan *scan, const struct row_chunk *chunk, uint32_t from,
                     uint32_t to)
{
    const struct num_set *only = scan->search->only;
    uint32_t count = 0;
    for (uint32_t row = from; row < to; row++) {
        if (row_is_alive(chunk, row, scan->search->sequence) &&
            (!only || num_set_has(only, chunk->nums[row])))
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
        double raw = (double)results[is_gathered ? i : row - from];
        if (!isfinite(raw))
            raw = exact_result(search->metric, search->queries + query * search->dim,
                               chunk->vectors + (size_t)row * search->dim, search->dim);
        topk_offer(topk, distance_of(search->metric, raw), chunk->nums[row], chunk->ids[row]);
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

static void scan_block(const struct scan *scan, const struct row_chunk *chunk, uint32_t from,
                       uint32_t to)
{
    const struct index_search *search = scan->search;
    uint32_t picked = pick(scan, chunk, from, to);
    if (!picked)
        return;
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

static enum soma_code scan_chunks(const struct scan *scan, const struct row_set *rows,
                                  struct soma_error *err)
{
    for (uint32_t i = 0; i < rows->count; i++) {
        const struct row_chunk *chunk = rows->chunks[i];
        if (!chunk)
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

static enum soma_code search_exactly(const struct row_set *rows, const struct index_search *search,
                                     struct topk *topks, struct soma_error *err)
{
    struct scan scan = {.search = search, .kernels = kernels_best(), .topks = topks};
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
    free(scan.picked);
    free(scan.gathered);
    free(scan.results);
    return code;
}

const struct index_kind index_exact = {"exact", search_exactly};
