// The two ways to find records: by vector in memory, by words in the store.
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "store/records.h"
#include "store/texts.h"
#include "vectors/query_private.h"
#include "wire/limits.h"

// --- vectors

static enum soma_code read_record(struct query *query, size_t i, float *to, int64_t *ret_num,
                                  struct soma_error *err)
{
    const struct query_answer *answer = query->answer;
    const char *id = query->request->ids[i];
    uint8_t hash[RECORD_HASH_BYTES];
    struct record_row row;
    bool found = false;
    char field[32];
    snprintf(field, sizeof field, "ids[%zu]", i);
    enum soma_code code =
        records_find(answer->txn, answer->row.partition, id, ret_num, hash, &found, err);
    if (!code && !found)
        return error_set(err, REASON_RECORD_NOT_FOUND, field, "no record has the id '%s'", id);
    if (!code)
        code = records_read(answer->txn, *ret_num, (struct record_parts){.embedding = true},
                            answer->row.dimension, query->arena, &row, err);
    if (!code)
        memcpy(to, row.embedding, answer->row.dimension * sizeof *to);
    return code;
}

static enum soma_code read_records(struct query *query, float *vectors, struct soma_error *err)
{
    size_t count = query->request->id_count;
    int64_t *nums = arena_alloc(query->arena, count * sizeof *nums);
    if (!nums)
        return error_set_no_memory(err);
    for (size_t i = 0; i < count; i++) {
        enum soma_code code =
            read_record(query, i, vectors + i * query->answer->row.dimension, &nums[i], err);
        if (code)
            return code;
    }
    query->own_nums = nums;
    return SOMA_OK;
}

// Of length 1 where only the direction counts.
static enum soma_code check_vector(float *vector, uint32_t dim, int metric, const char *field,
                                   struct soma_error *err)
{
    if (!kernel_all_finite(vector, dim))
        return error_set(err, REASON_EMBEDDING_NOT_FINITE, field,
                         "the query holds NaN or infinity");
    if (metric == METRIC_COSINE && !kernel_normalise(vector, dim, vector))
        return error_set(err, REASON_EMBEDDING_ZERO, field,
                         "the query is all zeros and has no direction");
    return SOMA_OK;
}

enum soma_code query_vectors_prepare(struct query *query, struct soma_error *err)
{
    const struct query_request *request = query->request;
    const struct collection_row *row = &query->answer->row;
    size_t count = query->answer->query_count;
    if (!request->number_count && !request->id_count)
        return SOMA_OK;
    float *vectors = arena_alloc(query->arena, count * row->dimension * sizeof *vectors);
    if (!vectors)
        return error_set_no_memory(err);
    enum soma_code code = SOMA_OK;
    if (request->id_count)
        code = read_records(query, vectors, err);
    else
        memcpy(vectors, request->embeddings, request->number_count * sizeof *vectors);
    for (size_t i = 0; i < count && !code; i++) {
        char field[48];
        snprintf(field, sizeof field, "%s[%zu]", request->id_count ? "ids" : "embeddings", i);
        code = check_vector(vectors + i * row->dimension, row->dimension, row->metric, field, err);
    }
    query->vectors = vectors;
    return code;
}

// A list for each query, with room for depth hits; no list is longer than there are records.
static struct topk *topks_new(const struct query *query, double max_distance)
{
    size_t count = query->answer->query_count;
    int64_t records = query->answer->row.record_count;
    uint32_t room = records < query->depth ? (uint32_t)records : query->depth;
    struct topk *topks = arena_calloc(query->round, count, sizeof *topks);
    struct hit *hits = arena_alloc(query->round, count * room * sizeof *hits);
    if (!topks || !hits)
        return NULL;
    for (size_t i = 0; i < count; i++)
        topks[i] = (struct topk){.hits = hits + i * room,
                                 .k = room,
                                 .wanted = query->depth,
                                 .max_distance = max_distance};
    return topks;
}

static enum soma_code search_vectors(struct query *query, struct soma_error *err)
{
    struct query_answer *answer = query->answer;
    const struct index_search search = {.metric = (enum metric)answer->row.metric,
                                        .dim = answer->row.dimension,
                                        .queries = query->vectors,
                                        .query_count = answer->query_count,
                                        .sequence = answer->row.sequence,
                                        .only = query->matches,
                                        .ef = query->request->ef,
                                        .is_exact = query->request->is_exact,
                                        .deadline = query->request->deadline,
                                        .spread = vectors_spread(answer->reader.vectors)};
    query->report = (struct index_report){.kind = "exact"};
    query->by_vector = topks_new(query, query->request->max_distance);
    if (!query->by_vector)
        return error_set_no_memory(err);
    if (query->matches && !query->matches->count)
        return SOMA_OK;
    enum soma_code code =
        index_search(&answer->reader.view, &search, query->by_vector, &query->report, err);
    for (size_t i = 0; i < answer->query_count && !code; i++)
        topk_sort(&query->by_vector[i]);
    return code;
}

// --- texts

struct text_leg {
    const struct query *query;
    struct topk *topk;
    int64_t found;
};

static bool offer_text(void *context, int64_t num, double score)
{
    struct text_leg *leg = context;
    const struct num_set *matches = leg->query->matches;
    if (!matches || num_set_has(matches, num)) {
        topk_offer(leg->topk, -score, num, "");
        leg->found++;
    }
    return true;
}

static enum soma_code search_text(struct query *query, size_t i, struct soma_error *err)
{
    struct query_answer *answer = query->answer;
    struct text_leg leg = {.query = query, .topk = &query->by_text[i]};
    const char **words;
    size_t count = 0;
    enum soma_code code = texts_split(answer->txn, query->request->texts[i], LIMIT_QUERY_WORDS,
                                      query->round, &words, &count, err);
    if (!code && count && leg.topk->k)
        code = texts_search(answer->txn, answer->row.partition, answer->row.record_count, words,
                            count, query->request->deadline, query->round, offer_text, &leg, err);
    topk_sort(leg.topk);
    answer->explain.text_matches += leg.found;
    return code;
}

static enum soma_code search_texts(struct query *query, struct soma_error *err)
{
    enum soma_code code = SOMA_OK;
    query->by_text = topks_new(query, INFINITY);
    if (!query->by_text)
        return error_set_no_memory(err);
    query->answer->explain.text_matches = 0;
    for (size_t i = 0; i < query->request->text_count && !code; i++)
        code = search_text(query, i, err);
    return code;
}

enum soma_code query_legs_run(struct query *query, struct soma_error *err)
{
    struct query_explain *explain = &query->answer->explain;
    enum soma_code code = SOMA_OK;
    int64_t start_us = clock_mono_us();
    if (query->vectors)
        code = search_vectors(query, err);
    int64_t between_us = clock_mono_us();
    // Words are found whole at once; more depth only keeps more of them.
    if (!code && query->request->text_count)
        code = search_texts(query, err);
    explain->vector_us += between_us - start_us;
    explain->text_us += clock_mono_us() - between_us;
    return code;
}
