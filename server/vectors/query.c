#include "vectors/query.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "vectors/query_filter.h"
#include "wire/limits.h"

enum soma_code check_min_sequence(const struct collection_row *row, int64_t min_sequence,
                                  struct soma_error *err)
{
    if (min_sequence < 0)
        return error_set(err, REASON_FIELD_OUT_OF_RANGE, "min_sequence", "min_sequence is below 0");
    if (min_sequence > row->sequence)
        return error_set(err, REASON_SEQUENCE_AHEAD, "min_sequence",
                         "the collection is at sequence %lld", (long long)row->sequence);
    return SOMA_OK;
}

enum soma_code collection_snapshot(struct store *store, const char *name, int64_t min_sequence,
                                   struct arena *arena, struct store_txn **ret_txn,
                                   struct collection_row *ret_row, struct soma_error *err)
{
    struct store_txn *txn;
    enum soma_code code = store_read_begin(store, &txn, err);
    if (code)
        return code;
    code = collections_find(txn, name, arena, ret_row, err);
    if (!code)
        code = check_min_sequence(ret_row, min_sequence, err);
    if (code)
        store_read_end(txn);
    else
        *ret_txn = txn;
    return code;
}

// --- the queries

static enum soma_code check_counts(const struct query_request *request, uint32_t dim,
                                   struct soma_error *err)
{
    size_t count = request->number_count / dim;
    if (!request->number_count)
        return error_set(err, REASON_FIELD_REQUIRED, "embeddings", "there is no query");
    if (request->number_count % dim)
        return error_set(err, REASON_DIMENSION_MISMATCH, "embeddings",
                         "%zu numbers are no whole queries of dimension %u", request->number_count,
                         dim);
    if (count > LIMIT_QUERY_BATCH)
        return error_set(err, REASON_FIELD_OUT_OF_RANGE, "embeddings", "%zu queries; %d at most",
                         count, LIMIT_QUERY_BATCH);
    if (count * request->k > LIMIT_QUERY_HITS)
        return error_set(err, REASON_FIELD_OUT_OF_RANGE, "k",
                         "%zu queries × %u hits; %d hits at most", count, request->k,
                         LIMIT_QUERY_HITS);
    return SOMA_OK;
}

// The queries as the kernels want them: of length 1 where only the direction counts.
static enum soma_code prepare_queries(const struct query_request *request, uint32_t dim,
                                      enum metric metric, struct arena *arena,
                                      const float **ret_queries, struct soma_error *err)
{
    size_t count = request->number_count / dim;
    float *queries = arena_alloc(arena, request->number_count * sizeof *queries);
    if (!queries)
        return error_set_no_memory(err);
    memcpy(queries, request->embeddings, request->number_count * sizeof *queries);
    for (size_t i = 0; i < count; i++) {
        float *query = queries + i * dim;
        char field[48];
        snprintf(field, sizeof field, "embeddings[%zu]", i);
        if (!kernel_all_finite(query, dim))
            return error_set(err, REASON_EMBEDDING_NOT_FINITE, field,
                             "the query holds NaN or infinity");
        if (metric == METRIC_COSINE && !kernel_normalise(query, dim, query))
            return error_set(err, REASON_EMBEDDING_ZERO, field,
                             "the query is all zeros and has no direction");
    }
    *ret_queries = queries;
    return SOMA_OK;
}

static enum soma_code make_results(struct query_answer *answer, const struct query_request *request,
                                   struct arena *arena, struct soma_error *err)
{
    size_t count = answer->query_count;
    // No query has more hits than there are records.
    int64_t records = answer->row.record_count;
    uint32_t room = records < request->k ? (uint32_t)records : request->k;
    answer->results = arena_calloc(arena, count, sizeof *answer->results);
    struct hit *hits = arena_alloc(arena, count * room * sizeof *hits);
    if (!answer->results || !hits)
        return error_set_no_memory(err);
    for (size_t i = 0; i < count; i++)
        answer->results[i] = (struct topk){.hits = hits + i * room,
                                           .k = room,
                                           .wanted = request->k,
                                           .max_distance = request->max_distance};
    return SOMA_OK;
}

const char *query_short_reason(const struct topk *result)
{
    if (result->count == result->wanted)
        return "";
    return result->was_cut ? "MAX_DISTANCE" : "FEWER_MATCHES";
}

// --- together

static enum soma_code search(struct query_answer *answer, const struct query_request *request,
                             const float *queries, struct soma_error *err)
{
    struct filter_matches matches = {0};
    const char *source = NULL;
    enum soma_code code = SOMA_OK;
    const struct filter_search filter_search = {.vectors = answer->reader.vectors,
                                                .reader = &answer->reader,
                                                .txn = answer->txn,
                                                .row = &answer->row,
                                                .filter = request->filter,
                                                .deadline = request->deadline};
    if (request->filter)
        code = filter_search_run(&filter_search, &matches, &source, err);
    if (code)
        return code;
    const struct index_search search = {.metric = (enum metric)answer->row.metric,
                                        .dim = answer->row.dimension,
                                        .queries = queries,
                                        .query_count = answer->query_count,
                                        .sequence = answer->row.sequence,
                                        .only = request->filter ? &matches.set : NULL,
                                        .deadline = request->deadline};
    struct index_report report = {.kind = "exact"};
    if (!request->filter || matches.set.count)
        code = index_search(&answer->reader.view, &search, answer->results, &report, err);
    for (size_t i = 0; i < answer->query_count && !code; i++)
        topk_sort(&answer->results[i]);
    if (request->filter)
        snprintf(answer->plan, PLAN_SIZE, "%s, filtered %zu of %lld", report.kind,
                 matches.set.count, (long long)answer->row.record_count);
    else
        snprintf(answer->plan, PLAN_SIZE, "%s", report.kind);
    filter_matches_fini(&matches);
    return code;
}

// Takes the transaction and the rows that belong to it.
static enum soma_code open_snapshot(struct store *store, struct query_answer *answer,
                                    const char *uid, const struct query_request *request,
                                    struct arena *arena, struct soma_error *err)
{
    enum soma_code code = store_read_begin(store, &answer->txn, err);
    if (code)
        return code;
    code = collections_get(answer->txn, uid, arena, &answer->row, err);
    if (!code)
        code = check_min_sequence(&answer->row, request->min_sequence, err);
    if (!code)
        code = collection_read_at(&answer->reader, answer->row.sequence, request->deadline, err);
    return code;
}

enum soma_code query_answer_open(struct store *store, struct vectors *vectors,
                                 const struct query_request *request, struct arena *arena,
                                 struct query_answer *ret_answer, struct soma_error *err)
{
    struct query_answer *answer = ret_answer;
    *answer = (struct query_answer){0};
    struct store_txn *txn;
    struct collection_row row;
    const float *queries = NULL;
    enum soma_code code = collection_snapshot(store, request->collection, request->min_sequence,
                                              arena, &txn, &row, err);
    if (code)
        return code;
    store_read_end(txn);
    code = check_counts(request, row.dimension, err);
    if (!code)
        code =
            prepare_queries(request, row.dimension, (enum metric)row.metric, arena, &queries, err);
    if (!code)
        code = collection_read_begin(vectors, row.uid, request->deadline, &answer->reader, err);
    if (code)
        return code;
    answer->has_reader = true;
    answer->query_count = request->number_count / row.dimension;
    code = open_snapshot(store, answer, row.uid, request, arena, err);
    if (!code)
        code = make_results(answer, request, arena, err);
    if (!code)
        code = search(answer, request, queries, err);
    if (code)
        query_answer_close(answer);
    return code;
}

void query_answer_close(struct query_answer *answer)
{
    if (answer->txn)
        store_read_end(answer->txn);
    if (answer->has_reader)
        collection_read_end(&answer->reader);
    answer->txn = NULL;
    answer->has_reader = false;
}
