// The methods that read records, each in one read transaction. Replies are bounded in bytes.
#include <math.h>
#include <string.h>

#include "services/vector_messages.h"
#include "services/vector_private.h"
#include "vectors/query.h"
#include "wire/limits.h"

enum {
    // What a reply's message may take of its frame.
    REPLY_BYTES = LIMIT_FRAME_BYTES - LIMIT_HEADER_BYTES - 1024,
    // Where a page ends that the caller can go on from; small replies keep the server responsive.
    PAGE_BYTES = 1 << 20,
    SCAN_PAGE_DEFAULT = 100,
    QUERY_K_DEFAULT = 10,
    FIELD_OVERHEAD = 8 // tag and length around one message
};

// Records of a reply, with their embeddings beside them.
struct record_list {
    struct arena *arena;
    struct record_parts parts;
    uint32_t dim;
    Pb__Record **records; // room for room
    float *embeddings;    // float[room][dim] where wanted
    size_t count, room;
    size_t bytes; // when packed
};

static enum soma_code list_init(struct record_list *list, struct record_parts parts, uint32_t dim,
                                size_t room, struct arena *arena, struct soma_error *err)
{
    *list = (struct record_list){.arena = arena, .parts = parts, .dim = dim, .room = room};
    // More embeddings than a reply holds are never put in.
    size_t row_bytes = dim * sizeof(float);
    size_t row_room = room < REPLY_BYTES / row_bytes + 1 ? room : REPLY_BYTES / row_bytes + 1;
    list->records = arena_alloc(arena, room * sizeof *list->records);
    list->embeddings = arena_alloc(arena, parts.embedding ? row_room * row_bytes : 1);
    return list->records && list->embeddings ? SOMA_OK : error_set_no_memory(err);
}

// Reads a record and appends it, unless the list would take more than max_bytes; *ret_fits.
static enum soma_code list_add(struct record_list *list, struct store_txn *txn, int64_t num,
                               size_t max_bytes, bool *ret_fits, struct soma_error *err)
{
    struct record_row row;
    Pb__Record *message;
    enum soma_code code = records_read(txn, num, list->parts, list->dim, list->arena, &row, err);
    if (!code)
        code = message_from_record(&row, list->arena, &message, err);
    if (code)
        return code;
    size_t row_bytes = list->parts.embedding ? list->dim * sizeof(float) : 0;
    size_t bytes = protobuf_c_message_get_packed_size(&message->base) + row_bytes + FIELD_OVERHEAD;
    *ret_fits = list->bytes + bytes <= max_bytes;
    if (!*ret_fits)
        return SOMA_OK;
    if (row_bytes)
        memcpy(list->embeddings + list->count * list->dim, row.embedding, row_bytes);
    list->records[list->count++] = message;
    list->bytes += bytes;
    return SOMA_OK;
}

static size_t list_number_count(const struct record_list *list)
{
    return list->parts.embedding ? list->count * list->dim : 0;
}

// --- get

static enum soma_code get_all(const Pb__GetRecordsRequest *request, struct store_txn *txn,
                              const struct collection_row *row, struct record_list *list,
                              Pb__GetRecordsResponse *response, struct soma_error *err)
{
    for (size_t i = 0; i < request->n_ids; i++) {
        int64_t num = 0;
        uint8_t hash[RECORD_HASH_BYTES];
        bool found = false, fits = true;
        enum soma_code code =
            records_find(txn, row->partition, request->ids[i], &num, hash, &found, err);
        if (code)
            return code;
        if (found)
            code = list_add(list, txn, num, REPLY_BYTES, &fits, err);
        if (code)
            return code;
        if (!found) {
            size_t bytes = strlen(request->ids[i]) + FIELD_OVERHEAD;
            fits = list->bytes + bytes <= REPLY_BYTES;
            list->bytes += bytes;
        }
        if (!fits) {
            response->next_index = (uint32_t)i;
            return SOMA_OK;
        }
        if (!found)
            response->missing_ids[response->n_missing_ids++] = request->ids[i];
    }
    return SOMA_OK;
}

enum soma_code vector_get_records(struct vector_service *service, struct rpc_call *call,
                                  const ProtobufCMessage *message, struct soma_error *err)
{
    const Pb__GetRecordsRequest *request = (const Pb__GetRecordsRequest *)message;
    struct arena *arena = rpc_call_arena(call);
    if (!request->n_ids)
        return error_set(err, REASON_FIELD_REQUIRED, "ids", "no id is given");
    Pb__GetRecordsResponse response = PB__GET_RECORDS_RESPONSE__INIT;
    response.missing_ids = arena_alloc(arena, request->n_ids * sizeof *response.missing_ids);
    if (!response.missing_ids)
        return error_set_no_memory(err);
    struct store_txn *txn;
    struct collection_row row;
    struct record_list list;
    enum soma_code code = check_collection_ref(request->collection, err);
    if (!code)
        code = check_record_ids(request->ids, request->n_ids, err);
    if (!code)
        code = collection_snapshot(service->rooms.store, request->collection, request->min_sequence,
                                   arena, &txn, &row, err);
    if (code)
        return code;
    code = list_init(&list, parts_from_message(request->include), row.dimension, request->n_ids,
                     arena, err);
    if (!code)
        code = get_all(request, txn, &row, &list, &response, err);
    store_read_end(txn);
    if (code)
        return code;
    response.records = list.records;
    response.n_records = list.count;
    response.embeddings = list.embeddings;
    response.n_embeddings = list_number_count(&list);
    response.sequence = row.sequence;
    rpc_call_reply(call, &response.base);
    return SOMA_OK;
}

// --- count

struct counting {
    const struct filter *filter;
    int64_t count;
};

static bool count_match(void *context, const struct record_row *row)
{
    struct counting *counting = context;
    counting->count += filter_matches(counting->filter, row->metadata);
    return true;
}

enum soma_code vector_count_records(struct vector_service *service, struct rpc_call *call,
                                    const ProtobufCMessage *message, struct soma_error *err)
{
    const Pb__CountRecordsRequest *request = (const Pb__CountRecordsRequest *)message;
    struct arena *arena = rpc_call_arena(call);
    struct counting counting = {0};
    struct store_txn *txn;
    struct collection_row row;
    enum soma_code code = check_collection_ref(request->collection, err);
    if (!code)
        code = filter_from_text(request->where, arena, &counting.filter, err);
    if (!code)
        code = collection_snapshot(service->rooms.store, request->collection, request->min_sequence,
                                   arena, &txn, &row, err);
    if (code)
        return code;
    counting.count = counting.filter ? 0 : row.record_count;
    if (counting.filter)
        code = records_scan_metadata(txn, row.partition, count_match, &counting, err);
    store_read_end(txn);
    if (code)
        return code;
    Pb__CountRecordsResponse response = PB__COUNT_RECORDS_RESPONSE__INIT;
    response.count = counting.count;
    response.sequence = row.sequence;
    rpc_call_reply(call, &response.base);
    return SOMA_OK;
}

// --- scan

// Finds the numbers of a page; the records are read afterwards.
struct scanning {
    const struct filter *filter;
    int64_t *nums; // room for wanted
    size_t count, wanted;
    bool has_more;
};

static bool scan_match(void *context, const struct record_row *row)
{
    struct scanning *scanning = context;
    if (scanning->filter && !filter_matches(scanning->filter, row->metadata))
        return true;
    if (scanning->count == scanning->wanted) {
        scanning->has_more = true;
        return false;
    }
    scanning->nums[scanning->count++] = row->num;
    return true;
}

// The last record of the page names the place to go on from.
static enum soma_code fill_page(struct store_txn *txn, const struct collection_row *row,
                                const char *cursor, struct scanning *scanning,
                                struct record_list *list, struct soma_error *err)
{
    enum soma_code code = records_scan_ids(txn, row->partition, cursor, scan_match, scanning, err);
    for (size_t i = 0; i < scanning->count && !code; i++) {
        bool fits = true;
        // The first record always fits: no record is larger than a frame.
        code = list_add(list, txn, scanning->nums[i], i ? PAGE_BYTES : REPLY_BYTES, &fits, err);
        if (!code && !fits) {
            scanning->has_more = true;
            return SOMA_OK;
        }
    }
    return code;
}

static enum soma_code check_scan(const Pb__ScanRecordsRequest *request, struct soma_error *err)
{
    if (request->page_size > LIMIT_BATCH_RECORDS)
        return error_set(err, REASON_FIELD_OUT_OF_RANGE, "page_size",
                         "a page has at most %d records", LIMIT_BATCH_RECORDS);
    if (strlen(request->cursor) > LIMIT_RECORD_ID_BYTES)
        return error_set(err, REASON_CURSOR_INVALID, "cursor", "the cursor is not of this method");
    return check_collection_ref(request->collection, err);
}

enum soma_code vector_scan_records(struct vector_service *service, struct rpc_call *call,
                                   const ProtobufCMessage *message, struct soma_error *err)
{
    const Pb__ScanRecordsRequest *request = (const Pb__ScanRecordsRequest *)message;
    struct arena *arena = rpc_call_arena(call);
    struct scanning scanning = {.wanted =
                                    request->page_size ? request->page_size : SCAN_PAGE_DEFAULT};
    struct store_txn *txn;
    struct collection_row row;
    struct record_list list;
    enum soma_code code = check_scan(request, err);
    if (!code)
        code = filter_from_text(request->where, arena, &scanning.filter, err);
    if (!code)
        code = collection_snapshot(service->rooms.store, request->collection, request->min_sequence,
                                   arena, &txn, &row, err);
    if (code)
        return code;
    scanning.nums = arena_alloc(arena, scanning.wanted * sizeof *scanning.nums);
    code = list_init(&list, parts_from_message(request->include), row.dimension, scanning.wanted,
                     arena, err);
    if (!code && !scanning.nums)
        code = error_set_no_memory(err);
    if (!code)
        code = fill_page(txn, &row, request->cursor, &scanning, &list, err);
    store_read_end(txn);
    if (code)
        return code;
    Pb__ScanRecordsResponse response = PB__SCAN_RECORDS_RESPONSE__INIT;
    response.records = list.records;
    response.n_records = list.count;
    response.embeddings = list.embeddings;
    response.n_embeddings = list_number_count(&list);
    response.sequence = row.sequence;
    if (scanning.has_more && list.count)
        response.next_cursor = list.records[list.count - 1]->id;
    rpc_call_reply(call, &response.base);
    return SOMA_OK;
}

// --- query

static double score_of(int metric, double distance)
{
    return metric == METRIC_L2 ? 1 / (1 + distance) : 1 - distance;
}

static enum soma_code fill_result(const struct query_answer *answer, const struct topk *found,
                                  struct record_parts parts, struct arena *arena,
                                  size_t *bytes_left, Pb__QueryResult *result,
                                  struct soma_error *err)
{
    struct record_list list;
    enum soma_code code = list_init(&list, parts, answer->row.dimension, found->count, arena, err);
    if (code)
        return code;
    result->hits = messages_new(arena, found->count, sizeof(Pb__Hit));
    if (!result->hits)
        return error_set_no_memory(err);
    for (uint32_t i = 0; i < found->count; i++) {
        bool fits = true;
        size_t room = *bytes_left > (size_t)(i + 1) * 24 ? *bytes_left - (size_t)(i + 1) * 24 : 0;
        code = list_add(&list, answer->txn, found->hits[i].num, room, &fits, err);
        if (!code && !fits)
            code = error_set(err, REASON_MESSAGE_TOO_LARGE, "k",
                             "the answer does not fit in a frame: ask for fewer hits, fewer queries"
                             " at once, or without documents or embeddings");
        if (code)
            return code;
        pb__hit__init(result->hits[i]);
        result->hits[i]->distance = found->hits[i].distance;
        result->hits[i]->score = score_of(answer->row.metric, found->hits[i].distance);
        result->hits[i]->record = list.records[i];
    }
    result->n_hits = found->count;
    result->embeddings = list.embeddings;
    result->n_embeddings = list_number_count(&list);
    result->short_reason = query_short_reason(found);
    size_t used = protobuf_c_message_get_packed_size(&result->base) + FIELD_OVERHEAD;
    *bytes_left -= used < *bytes_left ? used : *bytes_left;
    return SOMA_OK;
}

static enum soma_code fill_results(const struct query_answer *answer, struct record_parts parts,
                                   struct arena *arena, Pb__QueryRecordsResponse *response,
                                   struct soma_error *err)
{
    size_t bytes_left = REPLY_BYTES;
    response->n_results = answer->query_count;
    response->results = messages_new(arena, answer->query_count, sizeof(Pb__QueryResult));
    if (!response->results)
        return error_set_no_memory(err);
    for (size_t i = 0; i < answer->query_count; i++) {
        pb__query_result__init(response->results[i]);
        enum soma_code code = fill_result(answer, &answer->results[i], parts, arena, &bytes_left,
                                          response->results[i], err);
        if (code)
            return code;
    }
    response->plan = answer->plan;
    response->sequence = answer->row.sequence;
    return SOMA_OK;
}

static enum soma_code check_query(const Pb__QueryRecordsRequest *request, struct soma_error *err)
{
    if (request->k > LIMIT_QUERY_K)
        return error_set(err, REASON_FIELD_OUT_OF_RANGE, "k", "k is at most %d", LIMIT_QUERY_K);
    if (request->max_distance_presence_case ==
            PB__QUERY_RECORDS_REQUEST__MAX_DISTANCE_PRESENCE_MAX_DISTANCE &&
        isnan(request->max_distance))
        return error_set(err, REASON_FIELD_OUT_OF_RANGE, "max_distance",
                         "max_distance is not a number");
    return check_collection_ref(request->collection, err);
}

enum soma_code vector_query_records(struct vector_service *service, struct rpc_call *call,
                                    const ProtobufCMessage *message, struct soma_error *err)
{
    const Pb__QueryRecordsRequest *request = (const Pb__QueryRecordsRequest *)message;
    struct arena *arena = rpc_call_arena(call);
    bool has_max = request->max_distance_presence_case ==
                   PB__QUERY_RECORDS_REQUEST__MAX_DISTANCE_PRESENCE_MAX_DISTANCE;
    struct query_request query = {.collection = request->collection,
                                  .embeddings = request->embeddings,
                                  .number_count = request->n_embeddings,
                                  .k = request->k ? request->k : QUERY_K_DEFAULT,
                                  .max_distance = has_max ? request->max_distance : INFINITY,
                                  .min_sequence = request->min_sequence,
                                  .deadline = rpc_call_deadline(call)};
    struct query_answer answer;
    enum soma_code code = check_query(request, err);
    if (!code)
        code = filter_from_text(request->where, arena, &query.filter, err);
    if (!code)
        code = query_answer_open(service->rooms.store, service->rooms.vectors, &query, arena,
                                 &answer, err);
    if (code)
        return code;
    Pb__QueryRecordsResponse response = PB__QUERY_RECORDS_RESPONSE__INIT;
    code = fill_results(&answer, parts_from_message(request->include), arena, &response, err);
    query_answer_close(&answer);
    if (!code)
        rpc_call_reply(call, &response.base);
    return code;
}
