// VectorService: what looks at records.
#include <string.h>

#include "lib/metadata.h"
#include "lib/packing.h"
#include "lib/piece.h"
#include "lib/reading.h"
#include "wire/limits.h"

static Pb__Include *pack_include(struct packing *packing, const struct soma_include *include)
{
    Pb__Include *message = include ? pack_message(packing, &pb__include__descriptor) : NULL;
    if (!message)
        return NULL;
    message->document = include->document;
    message->metadata = include->metadata;
    message->embedding = include->embedding;
    return message;
}

void records_get_pack(const struct soma_records_get_request *request, struct packing *packing)
{
    Pb__GetRecordsRequest *message = packing->message;
    size_t left = request->id_count - packing->first;
    size_t count = left < LIMIT_BATCH_RECORDS ? left : LIMIT_BATCH_RECORDS;
    message->collection = pack_text(packing, "collection", request->collection);
    if (request->id_count && !request->ids)
        pack_required(packing, "ids");
    else
        message->ids =
            pack_texts(packing, "ids", request->ids ? request->ids + packing->first : NULL, count);
    message->n_ids = message->ids ? count : 0;
    message->include = pack_include(packing, request->include);
    message->min_sequence = request->min_sequence;
    packing->asked.item_count = count;
    packing->more = packing->first + count < request->id_count;
}

// The ids that a full reply did not come to.
enum soma_code records_get_resume(const struct method *method, const struct piece *piece,
                                  const void *reply, struct piece **ret_rest,
                                  struct soma_error *err)
{
    size_t next = ((const Pb__GetRecordsResponse *)reply)->next_index;
    if (next == 0 || next == piece->asked.item_count)
        return SOMA_OK;
    if (next > piece->asked.item_count)
        return error_set(err, REASON_REPLY_INVALID, NULL,
                         "the reply goes on at an id that was not asked for");
    ProtobufCMessage *sent =
        protobuf_c_message_unpack(method->request_type, NULL, piece->length, piece->bytes);
    if (!sent)
        return error_set_no_memory(err);
    Pb__GetRecordsRequest *message = (Pb__GetRecordsRequest *)(void *)sent;
    const char **ids = message->ids;
    message->ids += next;
    message->n_ids -= next;
    enum soma_code code = piece_of_message(sent, ret_rest, err);
    message->ids = ids;
    message->n_ids += next;
    protobuf_c_message_free_unpacked(sent, NULL);
    if (code != SOMA_OK)
        return code;
    struct piece *rest = *ret_rest;
    rest->first = piece->first + next;
    rest->asked = piece->asked;
    rest->asked.item_count -= next;
    rest->bulk = piece->bulk;
    return SOMA_OK;
}

void records_scan_pack(const struct soma_records_scan_request *request, struct packing *packing)
{
    Pb__ScanRecordsRequest *message = packing->message;
    message->collection = pack_text(packing, "collection", request->collection);
    message->where = pack_text_or_none(request->where);
    message->page_size = request->page_size;
    message->cursor = pack_text_or_none(request->cursor);
    message->include = pack_include(packing, request->include);
    message->min_sequence = request->min_sequence;
    message->where_document = pack_text_or_none(request->where_document);
    message->order_by = pack_text_or_none(request->order_by);
    message->descending = request->descending;
    packing->asked.item_count = LIMIT_BATCH_RECORDS;
}

static void read_record(struct reading *reading, const Pb__Record *message,
                        struct soma_record *record)
{
    record->id = message->id;
    if (message->document_presence_case == PB__RECORD__DOCUMENT_PRESENCE_DOCUMENT)
        record->document = message->document;
    record->metadata = metadata_read(reading, message->metadata, message->n_metadata);
    record->metadata_count = message->n_metadata;
}

// Rows of one reply to a get or a scan.
struct rows {
    Pb__Record *const *records;
    size_t record_count;
    const float *embeddings;
    size_t number_count;
    const char *const *missing_ids;
    size_t missing_count;
    int64_t sequence;
};

typedef struct rows rows_view(const void *message);

static struct rows view_get(const void *reply)
{
    const Pb__GetRecordsResponse *message = reply;
    return (struct rows){message->records,      message->n_records,   message->embeddings,
                         message->n_embeddings, message->missing_ids, message->n_missing_ids,
                         message->sequence};
}

static struct rows view_scan(const void *reply)
{
    const Pb__ScanRecordsResponse *message = reply;
    return (struct rows){.records = message->records,
                         .record_count = message->n_records,
                         .embeddings = message->embeddings,
                         .number_count = message->n_embeddings,
                         .sequence = message->sequence};
}

// Adds up, and finds the one dimension that all embeddings have.
static void count_rows(struct reading *reading, const struct reply *reply, const struct rows *rows,
                       struct soma_records *result)
{
    size_t count = rows->record_count;
    size_t dimension = count ? rows->number_count / count : 0;
    bool is_whole = rows->number_count == count * dimension && dimension <= LIMIT_DIMENSION;
    bool is_one = count == 0 || result->record_count == 0 || dimension == result->dimension;
    if (!is_whole || !is_one || count > reply->asked.item_count ||
        rows->missing_count > reply->asked.item_count) {
        read_invalid(reading, "holds records that were not asked for, or torn embeddings");
        return;
    }
    if (count)
        result->dimension = (uint32_t)dimension;
    result->record_count += count;
    result->missing_count += rows->missing_count;
    result->sequence = rows->sequence;
}

static void copy_rows(struct reading *reading, const struct rows *rows, size_t at,
                      struct soma_record *records, float *embeddings, uint32_t dimension)
{
    for (size_t i = 0; i < rows->record_count; i++)
        read_record(reading, rows->records[i], &records[at + i]);
    if (embeddings && rows->number_count)
        memcpy(embeddings + at * dimension, rows->embeddings,
               rows->number_count * sizeof *embeddings);
}

static void read_rows(struct reading *reading, struct soma_records *result, rows_view *view)
{
    for (const struct reply *reply = reading->replies; reply; reply = reply->next) {
        struct rows rows = view(reply->message);
        count_rows(reading, reply, &rows, result);
    }
    struct soma_record *records = read_array(reading, result->record_count, sizeof *records);
    const char **missing = read_array(reading, result->missing_count, sizeof *missing);
    // One reply's embeddings stand in one piece already.
    bool is_single = !reading->replies->next;
    float *embeddings = NULL;
    if (!is_single)
        embeddings =
            read_array(reading, result->record_count * result->dimension, sizeof *embeddings);
    result->embeddings = embeddings;
    if (is_single && result->dimension)
        result->embeddings = view(reading->replies->message).embeddings;
    size_t at = 0;
    size_t missing_at = 0;
    for (const struct reply *reply = reading->replies; reply && reading->code == SOMA_OK;
         reply = reply->next) {
        struct rows rows = view(reply->message);
        copy_rows(reading, &rows, at, records, embeddings, result->dimension);
        at += rows.record_count;
        for (size_t i = 0; i < rows.missing_count; i++)
            missing[missing_at++] = rows.missing_ids[i];
    }
    result->records = records;
    result->missing_ids = missing;
}

void records_get_read(struct reading *reading, struct soma_records *result)
{
    read_rows(reading, result, view_get);
}

void records_scan_read(struct reading *reading, struct soma_records *result)
{
    const Pb__ScanRecordsResponse *message = reading->replies->message;
    read_rows(reading, result, view_scan);
    result->next_cursor = read_text_or_null(message->next_cursor);
}

void records_count_pack(const struct soma_records_count_request *request, struct packing *packing)
{
    Pb__CountRecordsRequest *message = packing->message;
    message->collection = pack_text(packing, "collection", request->collection);
    message->where = pack_text_or_none(request->where);
    message->min_sequence = request->min_sequence;
    message->where_document = pack_text_or_none(request->where_document);
}

void records_count_read(struct reading *reading, struct soma_records_count *result)
{
    const Pb__CountRecordsResponse *message = reading->replies->message;
    result->count = message->count;
    result->sequence = message->sequence;
}

void records_facet_pack(const struct soma_records_facet_request *request, struct packing *packing)
{
    Pb__FacetRecordsRequest *message = packing->message;
    message->collection = pack_text(packing, "collection", request->collection);
    message->key = pack_text(packing, "key", request->key);
    message->where = pack_text_or_none(request->where);
    message->where_document = pack_text_or_none(request->where_document);
    message->limit = request->limit;
    message->min_sequence = request->min_sequence;
    packing->asked.item_count = LIMIT_FACET_VALUES;
}

void records_facet_read(struct reading *reading, struct soma_records_facets *result)
{
    const Pb__FacetRecordsResponse *message = reading->replies->message;
    struct soma_facet_count *counts = read_array(reading, message->n_counts, sizeof *counts);
    if (message->n_counts > reading->replies->asked.item_count)
        read_invalid(reading, "holds more values than were asked for");
    for (size_t i = 0; counts && i < message->n_counts; i++) {
        const struct soma_metadata_field *field =
            message->counts[i]->value ? metadata_read(reading, &message->counts[i]->value, 1)
                                      : NULL;
        if (!field) {
            read_invalid(reading, "has a count without a value");
            return;
        }
        counts[i] = (struct soma_facet_count){*field, message->counts[i]->count};
    }
    result->counts = counts;
    result->count_count = message->n_counts;
    result->value_count = message->value_count;
    result->matched = message->matched;
    result->without = message->without;
    result->sequence = message->sequence;
}
