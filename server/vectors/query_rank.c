// From what the legs found to an answer: fused, cut off, without the query's own record, without
// the offset.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "vectors/query_private.h"

static double score_of(int metric, double distance)
{
    return metric == METRIC_L2 ? 1 / (1 + distance) : 1 - distance;
}

// --- candidates

// Of the record that is the query, which is no hit and has no rank; 0: of none.
static int64_t own_num(const struct query *query, size_t i)
{
    return query->own_nums ? query->own_nums[i] : 0;
}

static void take_vectors(const struct query *query, size_t i, struct query_result *result)
{
    const struct topk *topk = &query->by_vector[i];
    uint32_t rank = 0;
    for (uint32_t n = 0; n < topk->count; n++) {
        double distance = topk->hits[n].distance;
        if (topk->hits[n].num == own_num(query, i))
            continue;
        result->hits[result->count++] =
            (struct query_hit){.distance = distance,
                               .score = score_of(query->answer->row.metric, distance),
                               .num = topk->hits[n].num,
                               .vector_rank = ++rank,
                               .id = topk->hits[n].id};
    }
}

static void take_texts(const struct query *query, size_t i, struct query_result *result)
{
    const struct topk *topk = &query->by_text[i];
    uint32_t rank = 0;
    for (uint32_t n = 0; n < topk->count; n++) {
        double score = -topk->hits[n].distance;
        if (topk->hits[n].num == own_num(query, i))
            continue;
        result->hits[result->count++] = (struct query_hit){.distance = NAN,
                                                           .score = score,
                                                           .text_score = score,
                                                           .num = topk->hits[n].num,
                                                           .text_rank = ++rank};
    }
}

static int compare_nums(const void *a, const void *b)
{
    const struct query_hit *left = a, *right = b;
    if (left->num != right->num)
        return left->num < right->num ? -1 : 1;
    // What was found by vector first, for fuse.
    return (left->vector_rank == 0) - (right->vector_rank == 0);
}

static int compare_scores(const void *a, const void *b)
{
    const struct query_hit *left = a, *right = b;
    if (left->score != right->score)
        return left->score > right->score ? -1 : 1;
    return (left->num > right->num) - (left->num < right->num);
}

static double fused(const struct fusion *fusion, const struct query_hit *hit)
{
    double score = 0;
    if (hit->vector_rank)
        score += fusion->vector_weight / (fusion->k + hit->vector_rank);
    if (hit->text_rank)
        score += fusion->text_weight / (fusion->k + hit->text_rank);
    return score;
}

// One hit of each record that both legs found.
static void fuse(const struct fusion *fusion, struct query_result *result)
{
    uint32_t kept = 0;
    qsort(result->hits, result->count, sizeof *result->hits, compare_nums);
    for (uint32_t n = 0; n < result->count; n++) {
        struct query_hit *hit = &result->hits[n];
        if (kept && result->hits[kept - 1].num == hit->num) {
            result->hits[kept - 1].text_rank = hit->text_rank;
            result->hits[kept - 1].text_score = hit->text_score;
        } else {
            result->hits[kept++] = *hit;
        }
    }
    result->count = kept;
    for (uint32_t n = 0; n < kept; n++)
        result->hits[n].score = fused(fusion, &result->hits[n]);
    qsort(result->hits, kept, sizeof *result->hits, compare_scores);
}

// --- cuts

// Best first, so that the first that is too bad ends the list.
static bool drop_bad(double min_score, struct query_result *result)
{
    uint32_t n = 0;
    while (n < result->count && result->hits[n].score >= min_score)
        n++;
    bool was_cut = n < result->count;
    result->count = n;
    return was_cut;
}

static void drop_first(uint32_t offset, struct query_result *result)
{
    uint32_t dropped = offset < result->count ? offset : result->count;
    result->hits += dropped;
    result->count -= dropped;
}

// Leaves the hits that are asked for, in the answer's memory. False: there is none.
static bool keep_page(const struct query *query, struct query_result *result)
{
    drop_first(query->request->offset, result);
    if (result->count > query->request->k)
        result->count = query->request->k;
    struct query_hit *kept = arena_alloc(query->arena, result->count * sizeof *kept);
    if (kept && result->count)
        memcpy(kept, result->hits, result->count * sizeof *kept);
    result->hits = kept;
    return kept != NULL;
}

// --- one query

static bool leg_is_exhausted(const struct query *query, const struct topk *topks, size_t i)
{
    return !topks || topks[i].count < query->depth;
}

static enum soma_code rank_one(struct query *query, size_t i, bool *ret_is_enough,
                               struct soma_error *err)
{
    const struct query_request *request = query->request;
    struct query_result *result = &query->answer->results[i];
    uint32_t found = 0, room = (query->by_vector ? query->by_vector[i].count : 0) +
                               (query->by_text ? query->by_text[i].count : 0);
    bool are_full = false;
    *result = (struct query_result){.hits = arena_alloc(query->round, room * sizeof *result->hits)};
    if (!result->hits)
        return error_set_no_memory(err);
    if (query->by_vector)
        take_vectors(query, i, result);
    if (query->by_text)
        take_texts(query, i, result);
    if (query->by_vector && query->by_text)
        fuse(&request->fusion, result);
    bool was_cut = drop_bad(request->min_score, result);
    enum soma_code code = SOMA_OK;
    if (request->group_by) {
        code = query_group(query, result, &found, &are_full, err);
    } else {
        code = keep_page(query, result) ? SOMA_OK : error_set_no_memory(err);
        found = result->count;
    }
    bool is_exhausted = was_cut || (leg_is_exhausted(query, query->by_vector, i) &&
                                    leg_is_exhausted(query, query->by_text, i));
    *ret_is_enough = !request->group_by || are_full || is_exhausted;
    bool was_far = query->by_vector && query->by_vector[i].was_cut;
    if (found >= request->k)
        result->short_reason = "";
    else if (!*ret_is_enough)
        result->short_reason = "GROUP_DEPTH";
    else
        result->short_reason = was_cut ? "MIN_SCORE" : was_far ? "MAX_DISTANCE" : "FEWER_MATCHES";
    return code;
}

enum soma_code query_rank(struct query *query, bool *ret_is_enough, struct soma_error *err)
{
    struct query_answer *answer = query->answer;
    int64_t start_us = clock_mono_us();
    enum soma_code code = SOMA_OK;
    *ret_is_enough = true;
    for (size_t i = 0; i < answer->query_count && !code; i++) {
        bool is_enough = true;
        code = rank_one(query, i, &is_enough, err);
        *ret_is_enough = *ret_is_enough && is_enough;
    }
    answer->explain.rank_us += clock_mono_us() - start_us;
    return code;
}
