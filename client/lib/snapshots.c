// VectorService: snapshots, whose pages the caller keeps as bytes.
#include "lib/packing.h"
#include "lib/reading.h"
#include "soma/v1/vectors.pb-c.h"
#include "wire/decode.h"

void snapshot_read_pack(const struct soma_snapshot_read_request *request, struct packing *packing)
{
    Pb__ReadSnapshotRequest *message = packing->message;
    message->collection = pack_text(packing, "collection", request->collection);
    message->after_place = request->after_place;
    message->since_sequence = request->since_sequence;
}

void snapshot_read_read(struct reading *reading, struct soma_snapshot_page *result)
{
    const Pb__ReadSnapshotResponse *message = reading->replies->message;
    const Pb__SnapshotPage *page = message->page;
    if (!page || !page->collection || page->n_places != page->n_records ||
        (!page->is_last && !page->n_places)) {
        read_invalid(reading, "lacks a page, or places of it");
        return;
    }
    size_t length = protobuf_c_message_get_packed_size(&page->base);
    uint8_t *bytes = read_array(reading, length, 1);
    if (!bytes)
        return;
    result->bytes = bytes;
    result->length = protobuf_c_message_pack(&page->base, bytes);
    result->collection_uid = page->collection->uid;
    result->sequence = page->collection->sequence;
    result->record_count = page->collection->record_count;
    result->page_records = page->n_places;
    result->last_place = page->n_places ? page->places[page->n_places - 1] : 0;
    result->is_last = page->is_last;
}

void snapshot_restore_pack(const struct soma_snapshot_restore_request *request,
                           struct packing *packing)
{
    Pb__RestoreSnapshotRequest *message = packing->message;
    message->uid = pack_text_or_none(request->uid);
    message->finish_name = pack_text_or_none(request->finish_name);
    if (!request->bytes) {
        pack_required(packing, "bytes");
        return;
    }
    ProtobufCMessage *page = wire_decode(&pb__snapshot_page__descriptor, request->bytes,
                                         request->length, packing->scratch, packing->err);
    if (!page && packing->code == SOMA_OK)
        packing->code = packing->err ? packing->err->code : SOMA_INVALID_ARGUMENT;
    message->page = (Pb__SnapshotPage *)(void *)page;
}

void snapshot_restore_read(struct reading *reading, struct soma_snapshot_restored *result)
{
    const Pb__RestoreSnapshotResponse *message = reading->replies->message;
    result->uid = message->uid;
    result->record_count = message->record_count;
    result->is_finished = message->finished;
}

uint64_t soma_snapshot_checksum(uint64_t before, const void *bytes, size_t length)
{
    const unsigned char *at = bytes;
    uint64_t sum = before;
    for (size_t i = 0; i < length; i++)
        sum = (sum ^ at[i]) * 1099511628211u;
    return sum;
}
