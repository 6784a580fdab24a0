// How many of a row's nearest neighbours the index finds, of those that exact search finds.
#include <math.h>

#include "store/records.h"
#include "vectors/check_private.h"
#include "vectors/index/graph.h"

enum {
    DEPTH = CHECK_K + 1 // the row itself is left out
};

struct sample {
    int64_t *nums;  // [count]: the rows' own
    float *vectors; // float[count][dim]
    size_t count;
};

// Spread evenly over the rows as they lie.
static bool sample_take(struct check *check, struct sample *sample)
{
    const struct row_set *set = check->reader.view.rows;
    size_t dim = check->row.dimension, living = (size_t)check->report.rows, seen = 0;
    size_t wanted = check->request->sample < living ? check->request->sample : living;
    sample->nums = arena_alloc(check->arena, (wanted + 1) * sizeof *sample->nums);
    sample->vectors = arena_alloc(check->arena, (wanted + 1) * dim * sizeof *sample->vectors);
    if (!sample->nums || !sample->vectors)
        return false;
    for (uint32_t i = 0; i < set->count; i++) {
        const struct row_chunk *chunk = set->chunks[i];
        uint32_t count = chunk ? atomic_load_explicit(&chunk->count, memory_order_acquire) : 0;
        for (uint32_t at = 0; at < count && sample->count < wanted; at++) {
            const struct row *row = &chunk->rows[at];
            if (!row_is_alive(row, check->row.sequence) || seen++ < sample->count * living / wanted)
                continue;
            memcpy(sample->vectors + sample->count * dim, row->vector, dim * sizeof(float));
            sample->nums[sample->count++] = row->num;
        }
    }
    return true;
}

static struct topk *topks_new(struct check *check, size_t count)
{
    uint32_t depth = check->report.rows < DEPTH ? (uint32_t)check->report.rows : DEPTH;
    struct topk *topks = arena_calloc(check->arena, count, sizeof *topks);
    struct hit *hits = arena_alloc(check->arena, count * DEPTH * sizeof *hits);
    if (!topks || !hits)
        return NULL;
    for (size_t i = 0; i < count; i++)
        topks[i] = (struct topk){
            .hits = hits + i * DEPTH, .k = depth, .wanted = depth, .max_distance = INFINITY};
    return topks;
}

static enum soma_code search(struct check *check, const struct sample *sample, bool is_exact,
                             struct topk *topks, struct soma_error *err)
{
    struct index_report report = {.kind = "exact"};
    const struct index_search wanted = {.metric = (enum metric)check->row.metric,
                                        .dim = check->row.dimension,
                                        .queries = sample->vectors,
                                        .query_count = sample->count,
                                        .sequence = check->row.sequence,
                                        .is_exact = is_exact,
                                        .deadline = check->request->deadline};
    enum soma_code code = index_search(&check->reader.view, &wanted, topks, &report, err);
    for (size_t i = 0; i < sample->count && !code; i++)
        topk_sort(&topks[i]);
    if (!is_exact)
        check->report.index_kind = report.kind;
    return code;
}

// The k nearest but the row itself: how many, and how far the last is.
static uint32_t neighbours(const struct topk *topk, int64_t own, double *ret_farthest)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < topk->count && count < CHECK_K; i++) {
        if (topk->hits[i].num == own)
            continue;
        *ret_farthest = topk->hits[i].distance;
        count++;
    }
    return count;
}

// What is as near as the last of the exact ones is as good.
static uint32_t count_found(const struct topk *topk, int64_t own, double farthest, uint32_t due)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < topk->count && count < due; i++)
        count += topk->hits[i].num != own && topk->hits[i].distance <= farthest;
    return count;
}

static void measure(struct check *check, const struct sample *sample, const struct topk *found,
                    const struct topk *exact)
{
    uint64_t all_due = 0, all_found = 0;
    check->report.recall_min = 1;
    for (size_t i = 0; i < sample->count; i++) {
        double farthest = 0;
        uint32_t due = neighbours(&exact[i], sample->nums[i], &farthest);
        uint32_t count = count_found(&found[i], sample->nums[i], farthest, due);
        all_due += due;
        all_found += count;
        if (due && (double)count / due < check->report.recall_min)
            check->report.recall_min = (double)count / due;
    }
    check->report.recall = all_due ? (double)all_found / (double)all_due : 1;
}

// Every answer is a record.
static enum soma_code look_up(struct check *check, const struct topk *found, size_t count,
                              struct soma_error *err)
{
    for (size_t i = 0; i < count; i++) {
        for (uint32_t at = 0; at < found[i].count; at++) {
            bool is_record = false;
            const struct hit *hit = &found[i].hits[at];
            enum soma_code code = records_has(check->txn, hit->num, &is_record, err);
            if (code)
                return code;
            if (!is_record)
                check_note(check, CHECK_ANSWER_DELETED, 1, hit->id);
        }
    }
    return SOMA_OK;
}

enum soma_code check_recall(struct check *check, struct soma_error *err)
{
    struct sample sample = {0};
    check->report.index_kind = check->reader.view.graph ? "hnsw" : "exact";
    check->report.recall = check->report.recall_min = 1;
    if (!sample_take(check, &sample))
        return error_set_no_memory(err);
    check->report.sampled = (uint32_t)sample.count;
    if (!sample.count)
        return SOMA_OK;
    struct topk *found = topks_new(check, sample.count);
    struct topk *exact = topks_new(check, sample.count);
    if (!found || !exact)
        return error_set_no_memory(err);
    enum soma_code code = search(check, &sample, false, found, err);
    if (!code)
        code = search(check, &sample, true, exact, err);
    if (code)
        return code;
    measure(check, &sample, found, exact);
    return look_up(check, found, sample.count, err);
}
