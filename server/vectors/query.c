#include "vectors/query.h"

#include <stdio.h>
#include <string.h>

#include "vectors/query_private.h"
#include "wire/limits.h"

enum {
    // A hybrid query's legs give at least so many hits, so that a record that is good in both but
    // best in none is seen.
    FUSED_DEPTH_MIN = 100,
    FUSED_DEPTH_FACTOR = 4,
    GROUP_DEPTH_FACTOR = 2,
    WIDER = 4, // times deeper where there are too few groups
    // Twice LIMIT_QUERY_HITS × FUSED_DEPTH_FACTOR hits, as the legs find them and as they are
    // ranked.
    ROUND_BYTES_MAX = 128 << 20
};

enum soma_code check_sequence(const struct collection_row *row, const char *field, int64_t sequence,
                              struct soma_error *err)
{
    if (sequence < 0)
        return error_set(err, REASON_FIELD_OUT_OF_RANGE, field, "%s is below 0", field);
    if (sequence > row->sequence)
        return error_set(err, REASON_SEQUENCE_AHEAD, field, "the collection is at sequence %lld",
                         (long long)row->sequence);
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
        code = check_sequence(ret_row, "min_sequence", min_sequence, err);
    if (code)
        store_read_end(txn);
    else
        *ret_txn = txn;
    return code;
}

// --- checks

static enum soma_code check_hits(const struct query_request *request, size_t count,
                                 struct soma_error *err)
{
    uint64_t wanted = (uint64_t)request->k + request->offset;
    if (wanted > LIMIT_QUERY_K)
        return error_set(err, REASON_FIELD_OUT_OF_RANGE, request->offset ? "offset" : "k",
                         "offset and k together are at most %d", LIMIT_QUERY_K);
    if (count * wanted * (request->group_by ? request->group_size : 1) > LIMIT_QUERY_HITS)
        return error_set(err, REASON_FIELD_OUT_OF_RANGE, "k",
                         "%zu queries × %llu hits; %d hits at most", count,
                         (unsigned long long)wanted, LIMIT_QUERY_HITS);
    return SOMA_OK;
}

// How many queries there are.
static enum soma_code count_queries(const struct query_request *request, uint32_t dim,
                                    size_t *ret_count, struct soma_error *err)
{
    const char *field = request->number_count ? "embeddings" : request->id_count ? "ids" : "texts";
    size_t count = request->number_count ? request->number_count / dim
                   : request->id_count   ? request->id_count
                                         : request->text_count;
    if (!request->number_count && !count)
        return error_set(err, REASON_FIELD_REQUIRED, "embeddings",
                         "there is no query: neither embeddings, ids nor texts");
    if (request->number_count && request->id_count)
        return error_set(err, REASON_FIELD_INVALID, "ids", "embeddings and ids exclude each other");
    if (request->number_count % dim)
        return error_set(err, REASON_DIMENSION_MISMATCH, "embeddings",
                         "%zu numbers are no whole queries of dimension %u", request->number_count,
                         dim);
    if (count > LIMIT_QUERY_BATCH)
        return error_set(err, REASON_FIELD_OUT_OF_RANGE, field, "%zu queries; %d at most", count,
                         LIMIT_QUERY_BATCH);
    if (request->text_count && request->text_count != count)
        return error_set(err, REASON_FIELD_INVALID, "texts",
                         "%zu texts for %zu vectors; there is one for each, or none",
                         request->text_count, count);
    *ret_count = count;
    return check_hits(request, count, err);
}

// --- searching

static enum soma_code find_matches(const struct query *query, struct filter_matches *ret_matches,
                                   struct soma_error *err)
{
    struct query_answer *answer = query->answer;
    const struct filter_search search = {.vectors = answer->reader.vectors,
                                         .reader = answer->has_reader ? &answer->reader : NULL,
                                         .txn = answer->txn,
                                         .row = &answer->row,
                                         .filter = query->request->filter,
                                         .documents = query->request->documents,
                                         .deadline = query->request->deadline};
    int64_t start_us = clock_mono_us();
    enum soma_code code =
        filter_search_run(&search, ret_matches, &answer->explain.filter_source, err);
    answer->explain.filter_us = clock_mono_us() - start_us;
    if (code)
        return code;
    answer->explain.estimated_matches = (int64_t)ret_matches->estimate;
    answer->explain.matches = (int64_t)ret_matches->set.count;
    return SOMA_OK;
}

static uint32_t first_depth(const struct query *query)
{
    const struct query_request *request = query->request;
    uint32_t wanted = request->k + request->offset;
    uint32_t depth = wanted + (query->own_nums != NULL);
    if (request->group_by)
        depth = wanted * request->group_size * GROUP_DEPTH_FACTOR + (query->own_nums != NULL);
    if (!query->vectors || !request->text_count)
        return depth;
    depth *= FUSED_DEPTH_FACTOR;
    return depth < FUSED_DEPTH_MIN ? FUSED_DEPTH_MIN : depth;
}

// Deeper and deeper until there are enough groups, or as many hits were looked at as are allowed.
static enum soma_code search_and_rank(struct query *query, struct soma_error *err)
{
    struct query_answer *answer = query->answer;
    uint64_t depth = first_depth(query);
    uint64_t depth_max = LIMIT_QUERY_HITS * FUSED_DEPTH_FACTOR / answer->query_count;
    struct arena round;
    enum soma_code code = SOMA_OK;
    arena_init(&round, ROUND_BYTES_MAX);
    query->round = &round;
    for (bool is_enough = false; !is_enough && !code; depth *= WIDER) {
        bool is_last = depth >= depth_max;
        query->depth = (uint32_t)(is_last ? depth_max : depth);
        arena_reset(&round, 0);
        code = query_legs_run(query, err);
        if (!code)
            code = query_rank(query, &is_enough, err);
        answer->explain.rounds++;
        answer->explain.candidates = query->depth;
        if (is_last)
            break;
    }
    arena_fini(&round);
    return code;
}

static void describe_plan(const struct query *query)
{
    struct query_answer *answer = query->answer;
    const char *kind = query->vectors ? query->report.kind : "text";
    const char *and_text = query->vectors && query->request->text_count ? " and text, fused" : "";
    if (query->matches)
        snprintf(answer->plan, PLAN_SIZE, "%s%s, filtered %lld of %lld", kind, and_text,
                 (long long)answer->explain.matches, (long long)answer->row.record_count);
    else
        snprintf(answer->plan, PLAN_SIZE, "%s%s", kind, and_text);
}

static enum soma_code run(struct query *query, struct soma_error *err)
{
    struct query_answer *answer = query->answer;
    struct filter_matches matches = {0};
    bool is_filtered = query->request->filter || query->request->documents;
    answer->results = arena_calloc(query->arena, answer->query_count, sizeof *answer->results);
    if (!answer->results)
        return error_set_no_memory(err);
    enum soma_code code = query_vectors_prepare(query, err);
    if (!code && is_filtered)
        code = find_matches(query, &matches, err);
    query->matches = is_filtered ? &matches.set : NULL;
    if (!code)
        code = search_and_rank(query, err);
    describe_plan(query);
    query->matches = NULL;
    filter_matches_fini(&matches);
    return code;
}

// --- together

// The same collection's state in a new transaction.
static enum soma_code renew_snapshot(struct query *query, struct store *store,
                                     struct soma_error *err)
{
    struct query_answer *answer = query->answer;
    char uid[ID_SIZE];
    memcpy(uid, answer->row.uid, sizeof uid);
    enum soma_code code = store_read_begin(store, &answer->txn, err);
    if (!code)
        code = collections_get(answer->txn, uid, query->arena, &answer->row, err);
    if (!code)
        code = check_sequence(&answer->row, "min_sequence", query->request->min_sequence, err);
    return code;
}

// Takes the rows that belong to the transaction. Memory is wanted where there are vectors; for a
// filter alone it is used where it is there. Where it has to be loaded first, or may have lost rows
// that the transaction sees, the transaction is another one afterwards.
static enum soma_code open_reader(struct query *query, struct store *store, struct vectors *vectors,
                                  struct soma_error *err)
{
    const struct query_request *request = query->request;
    struct query_answer *answer = query->answer;
    bool is_wanted = request->number_count || request->id_count;
    enum soma_code code = SOMA_OK;
    if (!is_wanted && !request->filter)
        return SOMA_OK;
    answer->has_reader = collection_read_begin_loaded(vectors, answer->row.uid, &answer->reader);
    if (!answer->has_reader && !is_wanted)
        return SOMA_OK;
    if (!answer->has_reader || answer->reader.floor > answer->row.sequence) {
        store_read_end(answer->txn);
        answer->txn = NULL;
        if (!answer->has_reader) {
            code = collection_read_begin(vectors, answer->row.uid, request->deadline,
                                         &answer->reader, err);
            answer->has_reader = !code;
        }
        if (!code)
            code = renew_snapshot(query, store, err);
    }
    if (!code)
        code = collection_read_at(&answer->reader, answer->row.sequence, request->deadline, err);
    return code;
}

enum soma_code query_answer_open(struct store *store, struct vectors *vectors,
                                 const struct query_request *request, struct arena *arena,
                                 struct query_answer *ret_answer, struct soma_error *err)
{
    struct query_answer *answer = ret_answer;
    struct query query = {.request = request, .answer = answer, .arena = arena};
    int64_t start_us = clock_mono_us();
    *answer = (struct query_answer){
        .explain = {
            .filter_source = "", .estimated_matches = -1, .matches = -1, .text_matches = -1}};
    enum soma_code code = collection_snapshot(store, request->collection, request->min_sequence,
                                              arena, &answer->txn, &answer->row, err);
    if (!code)
        code = count_queries(request, answer->row.dimension, &answer->query_count, err);
    if (!code)
        code = open_reader(&query, store, vectors, err);
    answer->explain.records = answer->row.record_count;
    answer->explain.open_us = clock_mono_us() - start_us;
    if (!code)
        code = run(&query, err);
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
