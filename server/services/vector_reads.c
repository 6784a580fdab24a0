// The methods that read records by their ids, or all of them page by page, each in one read
// transaction.
#include <string.h>

#include "services/record_list.h"
#include "services/validate.h"
#include "services/vector_private.h"
#include "vectors/query.h"
#include "vectors/selection.h"

enum {
    // Where a page ends that the caller can go on from; small replies keep the server responsive.
    PAGE_BYTES = 1 << 20,
    SCAN_PAGE_DEFAULT = 100,
    ROWS_BETWEEN_CLOCKS = 4096 // that are looked through for those of a page
};

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
            code = record_list_add(list, txn, num, REPLY_BYTES, &fits, err);
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
    const char *collection = request->collection;
    enum soma_code code = take_collection_ref(call, &collection, err);
    if (!code)
        code = check_record_ids(request->ids, request->n_ids, err);
    if (!code)
        code = collection_snapshot(service->rooms.store, collection, request->min_sequence, arena,
                                   &txn, &row, err);
    if (code)
        return code;
    code = record_list_init(&list, parts_from_message(request->include), row.dimension,
                            request->n_ids, arena, err);
    if (!code)
        code = get_all(request, txn, &row, &list, &response, err);
    store_read_end(txn);
    if (code)
        return code;
    response.records = list.records;
    response.n_records = list.count;
    response.embeddings = list.embeddings;
    response.n_embeddings = record_list_number_count(&list);
    response.sequence = row.sequence;
    rpc_call_reply(call, &response.base);
    return SOMA_OK;
}

// --- scan

// The places of a page; the records are read afterwards.
struct scanning {
    const Pb__ScanRecordsRequest *request;
    struct selection selection;
    struct order_place *places; // room for wanted
    struct order_place after;
    size_t count, wanted;
    struct mono_time deadline;
    size_t seen;
    bool has_more, is_late;
};

// By id, which the store's index is in the order of.
static bool scan_match(void *context, const struct record_row *row)
{
    struct scanning *scanning = context;
    if (++scanning->seen % ROWS_BETWEEN_CLOCKS == 0)
        scanning->is_late = clock_left_ms(scanning->deadline) == 0;
    if (scanning->is_late || !selection_has(&scanning->selection, row->num))
        return !scanning->is_late;
    if (scanning->count == scanning->wanted) {
        scanning->has_more = true;
        return false;
    }
    scanning->places[scanning->count++].num = row->num;
    return true;
}

static bool scan_is_ordered(const struct scanning *scanning)
{
    return *scanning->request->order_by || scanning->request->descending;
}

static enum soma_code find_by_id(struct scanning *scanning, struct soma_error *err)
{
    const struct selection *selection = &scanning->selection;
    enum soma_code code = records_scan_ids(selection->txn, selection->row.partition,
                                           scanning->request->cursor, scan_match, scanning, err);
    if (!code && scanning->is_late)
        return error_set(err, REASON_DEADLINE_EXCEEDED, NULL,
                         "the deadline passed while records were looked through");
    return code;
}

static enum soma_code find_places(struct scanning *scanning, struct soma_error *err)
{
    const Pb__ScanRecordsRequest *request = scanning->request;
    const struct selection *selection = &scanning->selection;
    if (!scan_is_ordered(scanning))
        return find_by_id(scanning, err);
    const struct order_request order = {.key = request->order_by,
                                        .is_descending = request->descending,
                                        .after = *request->cursor ? &scanning->after : NULL,
                                        .count = scanning->wanted,
                                        .deadline = scanning->deadline};
    return selection_order(selection, &order, scanning->places, &scanning->count,
                           &scanning->has_more, err);
}

// The last record of the page names the place to go on from.
static enum soma_code fill_page(struct scanning *scanning, struct record_list *list,
                                struct soma_error *err)
{
    enum soma_code code = find_places(scanning, err);
    for (size_t i = 0; i < scanning->count && !code; i++) {
        bool fits = true;
        // The first record always fits: no record is larger than a frame.
        code = record_list_add(list, scanning->selection.txn, scanning->places[i].num,
                               i ? PAGE_BYTES : REPLY_BYTES, &fits, err);
        if (!code && !fits) {
            scanning->has_more = true;
            return SOMA_OK;
        }
    }
    return code;
}

static enum soma_code check_scan(struct scanning *scanning, struct soma_error *err)
{
    const Pb__ScanRecordsRequest *request = scanning->request;
    if (request->page_size > LIMIT_BATCH_RECORDS)
        return error_set(err, REASON_FIELD_OUT_OF_RANGE, "page_size",
                         "a page has at most %d records", LIMIT_BATCH_RECORDS);
    enum soma_code code =
        check_length(strlen(request->order_by), LIMIT_METADATA_KEY_BYTES, "order_by", err);
    if (code)
        return code;
    bool is_cursor = scan_is_ordered(scanning)
                         ? !*request->cursor || order_place_parse(request->cursor, &scanning->after)
                         : strlen(request->cursor) <= LIMIT_RECORD_ID_BYTES;
    if (!is_cursor)
        return error_set(err, REASON_CURSOR_INVALID, "cursor", "the cursor is not of this method");
    return SOMA_OK;
}

static enum soma_code set_cursor(const struct scanning *scanning, const struct record_list *list,
                                 Pb__ScanRecordsResponse *response, struct soma_error *err)
{
    if (!scanning->has_more || !list->count)
        return SOMA_OK;
    if (!scan_is_ordered(scanning)) {
        response->next_cursor = list->records[list->count - 1]->id;
        return SOMA_OK;
    }
    char *cursor = arena_alloc(list->arena, ORDER_CURSOR_BYTES);
    if (!cursor)
        return error_set_no_memory(err);
    order_place_print(&scanning->places[list->count - 1], cursor);
    response->next_cursor = cursor;
    return SOMA_OK;
}

static enum soma_code scan(struct scanning *scanning, struct rpc_call *call,
                           Pb__ScanRecordsResponse *response, struct soma_error *err)
{
    struct arena *arena = rpc_call_arena(call);
    struct record_list list;
    scanning->places = arena_alloc(arena, scanning->wanted * sizeof *scanning->places);
    if (!scanning->places)
        return error_set_no_memory(err);
    enum soma_code code =
        record_list_init(&list, parts_from_message(scanning->request->include),
                         scanning->selection.row.dimension, scanning->wanted, arena, err);
    if (!code)
        code = fill_page(scanning, &list, err);
    if (!code)
        code = set_cursor(scanning, &list, response, err);
    if (code)
        return code;
    response->records = list.records;
    response->n_records = list.count;
    response->embeddings = list.embeddings;
    response->n_embeddings = record_list_number_count(&list);
    response->sequence = scanning->selection.row.sequence;
    return SOMA_OK;
}

enum soma_code vector_scan_records(struct vector_service *service, struct rpc_call *call,
                                   const ProtobufCMessage *message, struct soma_error *err)
{
    const Pb__ScanRecordsRequest *request = (const Pb__ScanRecordsRequest *)message;
    struct scanning scanning = {.request = request,
                                .wanted =
                                    request->page_size ? request->page_size : SCAN_PAGE_DEFAULT,
                                .deadline = rpc_call_deadline(call)};
    const struct selected wanted = {request->collection, request->where, request->where_document,
                                    request->min_sequence};
    Pb__ScanRecordsResponse response = PB__SCAN_RECORDS_RESPONSE__INIT;
    enum soma_code code = check_scan(&scanning, err);
    if (!code)
        code = vector_select(service, call, &wanted, &scanning.selection, err);
    if (code)
        return code;
    code = scan(&scanning, call, &response, err);
    selection_close(&scanning.selection);
    if (!code)
        rpc_call_reply(call, &response.base);
    return code;
}
