// VectorService: what changes records. Any number of records and ids, in pieces.
#include <stdio.h>
#include <string.h>

#include "lib/metadata.h"
#include "lib/packing.h"
#include "lib/reading.h"
#include "wire/limits.h"

enum {
    // A piece holds about this much, and at least one record.
    PIECE_BYTES = 1 << 20
};

// What struct packing's memo says of a whole write.
enum ids_memo {
    IDS_NOT_LOOKED_AT,
    IDS_ALL_GIVEN,
    IDS_SOME_DERIVED
};

// The three write requests look alike; the generated structs do, too.
#define SAME(field)                                                                            \
    (offsetof(Pb__UpsertRecordsRequest, field) == offsetof(Pb__InsertRecordsRequest, field) && \
     offsetof(Pb__UpsertRecordsRequest, field) == offsetof(Pb__UpdateRecordsRequest, field))
_Static_assert(SAME(collection) && SAME(records) && SAME(n_records) && SAME(embeddings) &&
                   SAME(n_embeddings),
               "one function packs all three");

static bool has_id(const struct soma_record *record)
{
    return record->id && record->id[0];
}

static void pack_record(struct packing *packing, size_t index, const struct soma_record *record,
                        Pb__Record *message)
{
    char place[SOMA_FIELD_SIZE];
    snprintf(place, sizeof place, "records[%zu].metadata", index);
    message->id = pack_text_or_none(record->id);
    if (record->document) {
        message->document_presence_case = PB__RECORD__DOCUMENT_PRESENCE_DOCUMENT;
        message->document = record->document;
    }
    message->metadata = metadata_pack(packing, place, record->metadata, record->metadata_count,
                                      &message->n_metadata);
}

// Records from packing->first on that fill a piece; *ret_count of them.
static Pb__Record **pack_records(struct packing *packing,
                                 const struct soma_records_write_request *request,
                                 size_t *ret_count)
{
    size_t left = request->record_count - packing->first;
    size_t most = left < LIMIT_BATCH_RECORDS ? left : LIMIT_BATCH_RECORDS;
    size_t row_bytes = request->embeddings ? request->dimension * sizeof(float) : 0;
    Pb__Record **rows = pack_array(packing, most, sizeof(Pb__Record *));
    size_t bytes = 0;
    size_t count = 0;
    *ret_count = 0;
    while (rows && count < most) {
        size_t index = packing->first + count;
        Pb__Record *row = pack_message(packing, &pb__record__descriptor);
        if (!row)
            return NULL;
        pack_record(packing, index, &request->records[index], row);
        if (packing->code != SOMA_OK)
            return NULL;
        bytes += protobuf_c_message_get_packed_size(&row->base) + row_bytes;
        if (count > 0 && bytes > PIECE_BYTES)
            break;
        rows[count++] = row;
    }
    *ret_count = count;
    return rows;
}

static enum ids_memo look_at_ids(const struct soma_records_write_request *request)
{
    for (size_t i = 0; i < request->record_count; i++) {
        if (!has_id(&request->records[i]))
            return IDS_SOME_DERIVED;
    }
    return IDS_ALL_GIVEN;
}

// Where some ids of the whole are derived, the result names all of them, and a piece whose ids were
// all given gets none in its reply: so they are kept.
static void keep_ids(struct packing *packing, const struct soma_record *records, size_t count)
{
    const char **ids = arena_calloc(packing->kept, count, sizeof *ids);
    for (size_t i = 0; ids && i < count; i++) {
        ids[i] = arena_string(packing->kept, pack_text_or_none(records[i].id));
        if (!ids[i])
            ids = NULL;
    }
    if (!ids)
        packing->code = error_set_no_memory(packing->err);
    packing->asked.ids = ids;
}

static void pack_write(const struct soma_records_write_request *request, struct packing *packing,
                       bool derives_ids)
{
    Pb__UpsertRecordsRequest *message = packing->message;
    message->collection = pack_text(packing, "collection", request->collection);
    if (!pack_has(packing, "records", request->records, request->record_count))
        return;
    if (request->embeddings && request->dimension > LIMIT_DIMENSION) {
        packing->code = error_set(packing->err, REASON_FIELD_OUT_OF_RANGE, "dimension",
                                  "more than %d", LIMIT_DIMENSION);
        return;
    }
    message->records = pack_records(packing, request, &message->n_records);
    if (packing->code != SOMA_OK)
        return;
    if (request->embeddings) {
        message->embeddings =
            (float *)(uintptr_t)request->embeddings + packing->first * request->dimension;
        message->n_embeddings = message->n_records * request->dimension;
    }
    if (*packing->memo == IDS_NOT_LOOKED_AT)
        *packing->memo = derives_ids ? look_at_ids(request) : IDS_ALL_GIVEN;
    if (*packing->memo == IDS_SOME_DERIVED)
        keep_ids(packing, request->records + packing->first, message->n_records);
    packing->asked.item_count = message->n_records;
    packing->more = packing->first + message->n_records < request->record_count;
    packing->bulk = true;
}

void records_upsert_pack(const struct soma_records_write_request *request, struct packing *packing)
{
    pack_write(request, packing, true);
}

void records_insert_pack(const struct soma_records_write_request *request, struct packing *packing)
{
    pack_write(request, packing, true);
}

void records_update_pack(const struct soma_records_write_request *request, struct packing *packing)
{
    pack_write(request, packing, false);
}

// One piece's reply, whichever of the three it was.
struct written {
    const Pb__WriteCounts *counts;
    Pb__RecordError *const *errors;
    size_t error_count;
    int64_t sequence;
    const char *const *ids;
    size_t id_count;
};

typedef struct written written_view(const void *message);

static struct written view_upsert(const void *reply)
{
    const Pb__UpsertRecordsResponse *message = reply;
    return (struct written){message->counts,   message->errors, message->n_errors,
                            message->sequence, message->ids,    message->n_ids};
}

static struct written view_insert(const void *reply)
{
    const Pb__InsertRecordsResponse *message = reply;
    return (struct written){message->counts,   message->errors, message->n_errors,
                            message->sequence, message->ids,    message->n_ids};
}

static struct written view_update(const void *reply)
{
    const Pb__UpdateRecordsResponse *message = reply;
    return (struct written){.counts = message->counts,
                            .errors = message->errors,
                            .error_count = message->n_errors,
                            .sequence = message->sequence};
}

static void add_counts(struct reading *reading, const struct reply *reply,
                       const struct written *written, struct soma_records_written *result)
{
    const Pb__WriteCounts *counts = written->counts;
    if (!counts || written->error_count > reply->asked.item_count ||
        (written->id_count && written->id_count != reply->asked.item_count)) {
        read_invalid(reading, "does not account for the records that were sent");
        return;
    }
    result->inserted += counts->inserted;
    result->updated += counts->updated;
    result->unchanged += counts->unchanged;
    result->skipped += counts->skipped;
    result->failed += counts->failed;
    result->error_count += written->error_count;
    result->id_count += reply->asked.ids ? reply->asked.item_count : 0;
    result->sequence = written->sequence;
}

static void add_errors(struct reading *reading, const struct reply *reply,
                       const struct written *written, struct soma_record_error *errors)
{
    for (size_t i = 0; i < written->error_count; i++) {
        const Pb__RecordError *from = written->errors[i];
        if (from->index >= reply->asked.item_count) {
            read_invalid(reading, "names a record that was not sent");
            return;
        }
        errors[i] = (struct soma_record_error){
            .index = reply->first + from->index,
            .id = from->id,
            .code = code_from_number(from->code),
            .reason = from->reason,
            .message = from->message,
        };
    }
}

static void read_written(struct reading *reading, struct soma_records_written *result,
                         written_view *view)
{
    for (const struct reply *reply = reading->replies; reply; reply = reply->next) {
        struct written written = view(reply->message);
        add_counts(reading, reply, &written, result);
    }
    struct soma_record_error *errors = read_array(reading, result->error_count, sizeof *errors);
    const char **ids = read_array(reading, result->id_count, sizeof *ids);
    result->errors = errors;
    result->ids = ids;
    for (const struct reply *reply = reading->replies; reply && reading->code == SOMA_OK;
         reply = reply->next) {
        struct written written = view(reply->message);
        add_errors(reading, reply, &written, errors);
        if (written.error_count)
            errors += written.error_count;
        if (!reply->asked.ids || reply->asked.item_count == 0)
            continue;
        memcpy(ids, written.id_count ? written.ids : reply->asked.ids,
               reply->asked.item_count * sizeof *ids);
        ids += reply->asked.item_count;
    }
}

void records_upsert_read(struct reading *reading, struct soma_records_written *result)
{
    read_written(reading, result, view_upsert);
}

void records_insert_read(struct reading *reading, struct soma_records_written *result)
{
    read_written(reading, result, view_insert);
}

void records_update_read(struct reading *reading, struct soma_records_written *result)
{
    read_written(reading, result, view_update);
}

void records_delete_pack(const struct soma_records_delete_request *request, struct packing *packing)
{
    Pb__DeleteRecordsRequest *message = packing->message;
    size_t left = request->id_count - packing->first;
    size_t count = left < LIMIT_BATCH_RECORDS ? left : LIMIT_BATCH_RECORDS;
    message->collection = pack_text(packing, "collection", request->collection);
    if (request->id_count && !request->ids)
        pack_required(packing, "ids");
    else
        message->ids =
            pack_texts(packing, "ids", request->ids ? request->ids + packing->first : NULL, count);
    message->n_ids = message->ids ? count : 0;
    message->where = pack_text_or_none(request->where);
    message->dry_run = request->dry_run;
    packing->asked.item_count = count;
    packing->more = packing->first + count < request->id_count;
    packing->bulk = count > 1;
}

void records_delete_read(struct reading *reading, struct soma_records_deleted *result)
{
    for (const struct reply *reply = reading->replies; reply; reply = reply->next) {
        const Pb__DeleteRecordsResponse *message = reply->message;
        result->matched += message->matched;
        result->deleted += message->deleted;
        result->missing += message->missing;
        result->sequence = message->sequence;
    }
}
