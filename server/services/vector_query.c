// QueryRecords: the request into a domain query, the answer's hits into messages.
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "services/record_list.h"
#include "services/validate.h"
#include "services/vector_private.h"
#include "vectors/query.h"

enum {
    QUERY_K_DEFAULT = 10,
    FUSION_K_DEFAULT = 60,
    FUSION_K_MAX = 10000,
    HIT_BYTES = 64 // of a hit beside its record and its group
};

// --- the request

static enum soma_code fusion_from_message(const Pb__Fusion *message, struct fusion *ret_fusion,
                                          struct soma_error *err)
{
    *ret_fusion = (struct fusion){FUSION_K_DEFAULT, 1, 1};
    if (!message)
        return SOMA_OK;
    if (message->k != 0)
        ret_fusion->k = message->k;
    if (message->vector_weight_presence_case)
        ret_fusion->vector_weight = message->vector_weight;
    if (message->text_weight_presence_case)
        ret_fusion->text_weight = message->text_weight;
    if (!(ret_fusion->k >= 1 && ret_fusion->k <= FUSION_K_MAX))
        return error_set(err, REASON_FIELD_OUT_OF_RANGE, "fusion.k", "k is 1 to %d", FUSION_K_MAX);
    bool are_weights = isfinite(ret_fusion->vector_weight) && ret_fusion->vector_weight >= 0 &&
                       isfinite(ret_fusion->text_weight) && ret_fusion->text_weight >= 0 &&
                       ret_fusion->vector_weight + ret_fusion->text_weight > 0;
    return are_weights ? SOMA_OK
                       : error_set(err, REASON_FIELD_OUT_OF_RANGE, "fusion",
                                   "weights are 0 or more, and not both 0");
}

static enum soma_code check_cuts(const Pb__QueryRecordsRequest *request, struct soma_error *err)
{
    if (request->k > LIMIT_QUERY_K)
        return error_set(err, REASON_FIELD_OUT_OF_RANGE, "k", "k is at most %d", LIMIT_QUERY_K);
    if (request->ef > LIMIT_QUERY_EF)
        return error_set(err, REASON_FIELD_OUT_OF_RANGE, "ef", "ef is at most %d", LIMIT_QUERY_EF);
    if (request->offset > LIMIT_QUERY_K)
        return error_set(err, REASON_FIELD_OUT_OF_RANGE, "offset", "offset is at most %d",
                         LIMIT_QUERY_K);
    if (request->max_distance_presence_case && isnan(request->max_distance))
        return error_set(err, REASON_FIELD_OUT_OF_RANGE, "max_distance",
                         "max_distance is not a number");
    if (request->min_score_presence_case && isnan(request->min_score))
        return error_set(err, REASON_FIELD_OUT_OF_RANGE, "min_score", "min_score is not a number");
    return SOMA_OK;
}

static enum soma_code check_texts(const Pb__QueryRecordsRequest *request, struct soma_error *err)
{
    enum soma_code code = SOMA_OK;
    for (size_t i = 0; i < request->n_texts && !code; i++) {
        char field[48];
        snprintf(field, sizeof field, "texts[%zu]", i);
        code = check_length(strlen(request->texts[i]), LIMIT_QUERY_TEXT_BYTES, field, err);
    }
    if (code)
        return code;
    if (request->group_size > LIMIT_GROUP_SIZE)
        return error_set(err, REASON_FIELD_OUT_OF_RANGE, "group_size", "group_size is at most %d",
                         LIMIT_GROUP_SIZE);
    if (request->group_size && !*request->group_by)
        return error_set(err, REASON_FIELD_REQUIRED, "group_by", "group_size without a key");
    code = check_length(strlen(request->group_by), LIMIT_METADATA_KEY_BYTES, "group_by", err);
    return code ? code : check_record_ids(request->ids, request->n_ids, err);
}

static void query_from_message(const Pb__QueryRecordsRequest *request, struct mono_time deadline,
                               struct query_request *ret_query)
{
    *ret_query = (struct query_request){
        .collection = request->collection,
        .embeddings = request->embeddings,
        .number_count = request->n_embeddings,
        .ids = request->ids,
        .id_count = request->n_ids,
        .texts = request->texts,
        .text_count = request->n_texts,
        .k = request->k ? request->k : QUERY_K_DEFAULT,
        .offset = request->offset,
        .max_distance = request->max_distance_presence_case ? request->max_distance : INFINITY,
        .min_score = request->min_score_presence_case ? request->min_score : -INFINITY,
        .group_by = *request->group_by ? request->group_by : NULL,
        .group_size = request->group_size ? request->group_size : 1,
        .min_sequence = request->min_sequence,
        .ef = request->ef,
        .is_exact = request->exact,
        .deadline = deadline};
}

// --- the answer

static enum soma_code hit_to_message(const struct query_hit *hit, bool is_grouped,
                                     struct arena *arena, Pb__Hit *message, struct soma_error *err)
{
    message->distance = hit->distance;
    message->score = hit->score;
    message->vector_rank = hit->vector_rank;
    message->text_rank = hit->text_rank;
    message->text_score = hit->text_score;
    return is_grouped ? message_from_item(hit->group, arena, &message->group, err) : SOMA_OK;
}

// Where nothing but the id is wanted, the one in memory will do.
static enum soma_code add_record(struct record_list *list, const struct query_answer *answer,
                                 const struct query_hit *hit, size_t room, struct soma_error *err)
{
    struct record_parts parts = list->parts;
    bool fits = true, is_id_enough = !parts.document && !parts.metadata && !parts.embedding;
    enum soma_code code = is_id_enough && hit->id
                              ? record_list_add_id(list, hit->id, room, &fits, err)
                              : record_list_add(list, answer->txn, hit->num, room, &fits, err);
    if (!code && !fits)
        code = error_set(err, REASON_MESSAGE_TOO_LARGE, "k",
                         "the answer does not fit in a frame: ask for fewer hits, fewer queries"
                         " at once, or without documents or embeddings");
    return code;
}

static enum soma_code fill_result(const struct query_answer *answer,
                                  const struct query_result *found, bool is_grouped,
                                  struct record_parts parts, struct arena *arena,
                                  size_t *bytes_left, Pb__QueryResult *result,
                                  struct soma_error *err)
{
    struct record_list list;
    enum soma_code code =
        record_list_init(&list, parts, answer->row.dimension, found->count, arena, err);
    if (code)
        return code;
    result->hits = messages_new(arena, found->count, sizeof(Pb__Hit));
    if (!result->hits)
        return error_set_no_memory(err);
    for (uint32_t i = 0; i < found->count; i++) {
        size_t taken = (size_t)(i + 1) * HIT_BYTES;
        size_t room = *bytes_left > taken ? *bytes_left - taken : 0;
        code = add_record(&list, answer, &found->hits[i], room, err);
        if (code)
            return code;
        pb__hit__init(result->hits[i]);
        result->hits[i]->record = list.records[i];
        code = hit_to_message(&found->hits[i], is_grouped, arena, result->hits[i], err);
        if (code)
            return code;
    }
    result->n_hits = found->count;
    result->embeddings = list.embeddings;
    result->n_embeddings = record_list_number_count(&list);
    result->short_reason = found->short_reason;
    size_t used = protobuf_c_message_get_packed_size(&result->base) + FIELD_OVERHEAD;
    *bytes_left -= used < *bytes_left ? used : *bytes_left;
    return SOMA_OK;
}

static enum soma_code fill_results(const struct query_answer *answer,
                                   const Pb__QueryRecordsRequest *request, struct arena *arena,
                                   Pb__QueryRecordsResponse *response, struct soma_error *err)
{
    size_t bytes_left = REPLY_BYTES;
    response->n_results = answer->query_count;
    response->results = messages_new(arena, answer->query_count, sizeof(Pb__QueryResult));
    if (!response->results)
        return error_set_no_memory(err);
    for (size_t i = 0; i < answer->query_count; i++) {
        pb__query_result__init(response->results[i]);
        enum soma_code code = fill_result(answer, &answer->results[i], *request->group_by != '\0',
                                          parts_from_message(request->include), arena, &bytes_left,
                                          response->results[i], err);
        if (code)
            return code;
    }
    // Groups stand beside the records, and were not counted above.
    if (*request->group_by &&
        protobuf_c_message_get_packed_size(&response->base) > REPLY_BYTES - 1024)
        return error_set(err, REASON_MESSAGE_TOO_LARGE, "k",
                         "the answer does not fit in a frame: ask for fewer groups");
    response->plan = answer->plan;
    response->sequence = answer->row.sequence;
    return SOMA_OK;
}

static void explain_to_message(const struct query_explain *explain, int64_t read_us,
                               Pb__QueryExplain *message)
{
    pb__query_explain__init(message);
    message->records = explain->records;
    message->filter_source = explain->filter_source;
    message->estimated_matches = explain->estimated_matches;
    message->matches = explain->matches;
    message->text_matches = explain->text_matches;
    message->candidates = explain->candidates;
    message->rounds = explain->rounds;
    message->open_us = explain->open_us;
    message->filter_us = explain->filter_us;
    message->vector_us = explain->vector_us;
    message->text_us = explain->text_us;
    message->rank_us = explain->rank_us;
    message->read_us = read_us;
}

static enum soma_code answer_query(struct vector_service *service, struct rpc_call *call,
                                   const Pb__QueryRecordsRequest *request,
                                   const struct query_request *query, struct soma_error *err)
{
    struct arena *arena = rpc_call_arena(call);
    struct query_answer answer;
    Pb__QueryRecordsResponse response = PB__QUERY_RECORDS_RESPONSE__INIT;
    Pb__QueryExplain explain;
    enum soma_code code =
        query_answer_open(service->rooms.store, service->rooms.vectors, query, arena, &answer, err);
    if (code)
        return code;
    int64_t start_us = clock_mono_us();
    code = fill_results(&answer, request, arena, &response, err);
    query_answer_close(&answer);
    if (code)
        return code;
    explain_to_message(&answer.explain, clock_mono_us() - start_us, &explain);
    response.explain = request->explain ? &explain : NULL;
    rpc_call_reply(call, &response.base);
    return SOMA_OK;
}

enum soma_code vector_query_records(struct vector_service *service, struct rpc_call *call,
                                    const ProtobufCMessage *message, struct soma_error *err)
{
    const Pb__QueryRecordsRequest *request = (const Pb__QueryRecordsRequest *)message;
    struct query_request query;
    query_from_message(request, rpc_call_deadline(call), &query);
    enum soma_code code = check_cuts(request, err);
    if (!code)
        code = take_collection_ref(call, &query.collection, err);
    if (!code)
        code = check_texts(request, err);
    if (!code)
        code = fusion_from_message(request->fusion, &query.fusion, err);
    if (!code)
        code = filter_from_text(request->where, rpc_call_arena(call), &query.filter, err);
    if (!code && *request->where_document)
        code = document_filter_new(request->where_document, &query.documents, err);
    if (!code)
        code = answer_query(service, call, request, &query, err);
    document_filter_free(query.documents);
    return code;
}
