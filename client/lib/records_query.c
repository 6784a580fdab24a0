// VectorService: the nearest records of each query vector. More queries than one request may hold
// go in pieces.
#include "lib/metadata.h"
#include "lib/packing.h"
#include "lib/reading.h"
#include "wire/limits.h"

enum {
    K_DEFAULT = 10,
    // A reply is taken to be a large one from this many hits on, or numbers of their embeddings.
    BULK_HITS = 200,
    BULK_NUMBERS = 16384
};

static size_t queries_in_piece(const struct soma_records_query_request *request, size_t first,
                               uint32_t k)
{
    size_t left = request->query_count - first;
    size_t wanted = (size_t)k + request->offset;
    if (request->group_by && request->group_size)
        wanted *= request->group_size;
    size_t most = LIMIT_QUERY_HITS / wanted;
    if (most > LIMIT_QUERY_BATCH)
        most = LIMIT_QUERY_BATCH;
    if (most == 0)
        most = 1;
    return left < most ? left : most;
}

static void pack_fusion(const struct soma_fusion *fusion, Pb__QueryRecordsRequest *message,
                        struct packing *packing)
{
    message->fusion = pack_message(packing, &pb__fusion__descriptor);
    if (!message->fusion)
        return;
    message->fusion->k = fusion->k;
    message->fusion->vector_weight_presence_case = PB__FUSION__VECTOR_WEIGHT_PRESENCE_VECTOR_WEIGHT;
    message->fusion->vector_weight = fusion->vector_weight;
    message->fusion->text_weight_presence_case = PB__FUSION__TEXT_WEIGHT_PRESENCE_TEXT_WEIGHT;
    message->fusion->text_weight = fusion->text_weight;
}

static void pack_options(const struct soma_records_query_request *request,
                         Pb__QueryRecordsRequest *message, struct packing *packing)
{
    message->k = request->k;
    message->where = pack_text_or_none(request->where);
    message->min_sequence = request->min_sequence;
    message->ef = request->ef;
    message->exact = request->exact;
    if (request->max_distance) {
        message->max_distance_presence_case =
            PB__QUERY_RECORDS_REQUEST__MAX_DISTANCE_PRESENCE_MAX_DISTANCE;
        message->max_distance = *request->max_distance;
    }
    message->where_document = pack_text_or_none(request->where_document);
    message->offset = request->offset;
    message->group_by = pack_text_or_none(request->group_by);
    message->group_size = request->group_size;
    message->explain = request->explain;
    if (request->min_score) {
        message->min_score_presence_case = PB__QUERY_RECORDS_REQUEST__MIN_SCORE_PRESENCE_MIN_SCORE;
        message->min_score = *request->min_score;
    }
    if (request->fusion)
        pack_fusion(request->fusion, message, packing);
    if (!request->include)
        return;
    message->include = pack_message(packing, &pb__include__descriptor);
    if (!message->include)
        return;
    message->include->document = request->include->document;
    message->include->metadata = request->include->metadata;
    message->include->embedding = request->include->embedding;
}

void records_query_pack(const struct soma_records_query_request *request, struct packing *packing)
{
    Pb__QueryRecordsRequest *message = packing->message;
    uint32_t k = request->k ? request->k : K_DEFAULT;
    message->collection = pack_text(packing, "collection", request->collection);
    if (request->query_count && !request->embeddings && !request->ids && !request->texts)
        pack_required(packing, "embeddings");
    if (request->dimension > LIMIT_DIMENSION && packing->code == SOMA_OK)
        packing->code = error_set(packing->err, REASON_FIELD_OUT_OF_RANGE, "dimension",
                                  "more than %d", LIMIT_DIMENSION);
    if (packing->code != SOMA_OK)
        return;
    size_t count = queries_in_piece(request, packing->first, k);
    if (count && request->embeddings) {
        message->embeddings =
            (float *)(uintptr_t)request->embeddings + packing->first * request->dimension;
        message->n_embeddings = count * request->dimension;
    }
    if (count && request->ids)
        message->ids = pack_texts(packing, "ids", request->ids + packing->first, count);
    message->n_ids = message->ids ? count : 0;
    if (count && request->texts)
        message->texts = pack_texts(packing, "texts", request->texts + packing->first, count);
    message->n_texts = message->texts ? count : 0;
    pack_options(request, message, packing);
    bool with_embeddings = request->include && request->include->embedding;
    packing->asked.item_count = count;
    packing->asked.dimension = request->dimension;
    packing->asked.k = k * (request->group_by && request->group_size ? request->group_size : 1);
    packing->more = packing->first + count < request->query_count;
    packing->bulk = count * k >= BULK_HITS ||
                    (with_embeddings && count * k * request->dimension >= BULK_NUMBERS);
}

static void read_hit(struct reading *reading, const Pb__Hit *message, struct soma_hit *hit)
{
    const Pb__Record *record = message->record;
    if (!record) {
        read_invalid(reading, "has a hit without a record");
        return;
    }
    hit->distance = message->distance;
    hit->score = message->score;
    hit->vector_rank = message->vector_rank;
    hit->text_rank = message->text_rank;
    hit->text_score = message->text_score;
    hit->group = message->group ? metadata_read(reading, &message->group, 1) : NULL;
    hit->record.id = record->id;
    if (record->document_presence_case == PB__RECORD__DOCUMENT_PRESENCE_DOCUMENT)
        hit->record.document = record->document;
    hit->record.metadata = metadata_read(reading, record->metadata, record->n_metadata);
    hit->record.metadata_count = record->n_metadata;
}

static void read_result(struct reading *reading, const struct asked *asked,
                        const Pb__QueryResult *message, struct soma_query_result *result,
                        uint32_t *dimension_of_all)
{
    // Where the queries are no vectors, the first embeddings say how long they are.
    size_t dimension = message->n_hits ? message->n_embeddings / message->n_hits : 0;
    bool is_whole = message->n_embeddings == message->n_hits * dimension &&
                    dimension <= LIMIT_DIMENSION &&
                    (!dimension || !*dimension_of_all || dimension == *dimension_of_all);
    if (message->n_hits > asked->k || !is_whole) {
        read_invalid(reading, "has more hits than were asked for, or torn embeddings");
        return;
    }
    if (dimension)
        *dimension_of_all = (uint32_t)dimension;
    struct soma_hit *hits = read_array(reading, message->n_hits, sizeof *hits);
    for (size_t i = 0; hits && i < message->n_hits; i++) {
        read_hit(reading, message->hits[i], &hits[i]);
        if (message->n_embeddings)
            hits[i].embedding = message->embeddings + i * dimension;
    }
    result->hits = hits;
    result->hit_count = message->n_hits;
    result->short_reason = read_text_or_null(message->short_reason);
}

static const struct soma_query_explain *read_explain(struct reading *reading,
                                                     const Pb__QueryExplain *message)
{
    struct soma_query_explain *explain = message ? read_array(reading, 1, sizeof *explain) : NULL;
    if (!explain)
        return NULL;
    *explain = (struct soma_query_explain){
        .records = message->records,
        .filter_source = read_text_or_null(message->filter_source),
        .estimated_matches = message->estimated_matches,
        .matches = message->matches,
        .text_matches = message->text_matches,
        .candidates = message->candidates,
        .rounds = message->rounds,
        .open_us = message->open_us,
        .filter_us = message->filter_us,
        .vector_us = message->vector_us,
        .text_us = message->text_us,
        .rank_us = message->rank_us,
        .read_us = message->read_us,
    };
    return explain;
}

void records_query_read(struct reading *reading, struct soma_query_results *result)
{
    for (const struct reply *reply = reading->replies; reply; reply = reply->next) {
        const Pb__QueryRecordsResponse *message = reply->message;
        if (message->n_results != reply->asked.item_count)
            read_invalid(reading, "has %zu results for %zu queries", message->n_results,
                         reply->asked.item_count);
        result->result_count += message->n_results;
        result->plan = message->plan;
        result->sequence = message->sequence;
        result->explain = read_explain(reading, message->explain);
    }
    // Asked with vectors: theirs.
    uint32_t dimension = reading->replies ? reading->replies->asked.dimension : 0;
    struct soma_query_result *rows = read_array(reading, result->result_count, sizeof *rows);
    result->results = rows;
    for (const struct reply *reply = reading->replies; rows && reply; reply = reply->next) {
        const Pb__QueryRecordsResponse *message = reply->message;
        for (size_t i = 0; i < message->n_results; i++)
            read_result(reading, &reply->asked, message->results[i], rows++, &dimension);
    }
    result->dimension = dimension;
}
