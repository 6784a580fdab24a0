// ReadSnapshot: a page of records by their places, in one read transaction; the last of a round
// with the list of all places.
#include <string.h>

#include "services/record_list.h"
#include "services/vector_private.h"
#include "vectors/query.h"

enum {
    PAGE_BYTES = 2 << 20,
    RUNS_MIN = 1024
};

// The numbers of a page; the records are read afterwards.
struct numbers {
    int64_t nums[LIMIT_BATCH_RECORDS];
    size_t count, wanted; // more would not fit into a page
    bool has_more;
};

static bool note_number(void *context, int64_t num, int64_t sequence)
{
    struct numbers *numbers = context;
    (void)sequence;
    if (numbers->count == numbers->wanted) {
        numbers->has_more = true;
        return false;
    }
    numbers->nums[numbers->count++] = num;
    return true;
}

// Runs of places, ended by one that is there.
struct runs {
    struct arena *arena;
    int64_t first; // the number of place 0
    int64_t last;  // the place that was met last
    uint64_t *lengths;
    size_t count, room;
    bool no_memory;
};

static bool runs_grow(struct runs *runs)
{
    size_t room = runs->room ? runs->room * 2 : RUNS_MIN;
    uint64_t *grown = arena_alloc(runs->arena, room * sizeof *grown);
    if (!grown)
        return false;
    if (runs->count)
        memcpy(grown, runs->lengths, runs->count * sizeof *grown);
    runs->lengths = grown;
    runs->room = room;
    return true;
}

static bool note_place(void *context, int64_t num, int64_t sequence)
{
    struct runs *runs = context;
    int64_t place = num - runs->first, missing = place - runs->last - 1;
    (void)sequence;
    runs->last = place;
    if (!missing && runs->count) {
        runs->lengths[runs->count - 1]++;
        return true;
    }
    runs->no_memory = runs->count + 2 > runs->room && !runs_grow(runs);
    if (runs->no_memory)
        return false;
    runs->lengths[runs->count++] = (uint64_t)missing;
    runs->lengths[runs->count++] = 1;
    return true;
}

struct reading {
    const Pb__ReadSnapshotRequest *request;
    struct arena *arena;
    struct store_txn *txn;
    struct collection_row row;
    struct record_list list;
    Pb__SnapshotPage *page;
};

static enum soma_code read_records(struct reading *reading, struct soma_error *err)
{
    struct numbers *numbers = arena_calloc(reading->arena, 1, sizeof *numbers);
    Pb__SnapshotPage *page = reading->page;
    int64_t first = reading->row.partition << PARTITION_SHIFT;
    if (!numbers)
        return error_set_no_memory(err);
    size_t fitting = PAGE_BYTES / (reading->row.dimension * sizeof(float)) + 1;
    numbers->wanted = fitting < LIMIT_BATCH_RECORDS ? fitting : LIMIT_BATCH_RECORDS;
    enum soma_code code =
        records_scan_sequences(reading->txn, reading->row.partition, reading->request->after_place,
                               reading->request->since_sequence, note_number, numbers, err);
    page->places = numbers->nums;
    for (size_t i = 0; i < numbers->count && !code; i++) {
        bool fits = true;
        // The first record always fits: no record is larger than a frame.
        code = record_list_add(&reading->list, reading->txn, numbers->nums[i],
                               i ? PAGE_BYTES : REPLY_BYTES, &fits, err);
        if (!code && !fits) {
            numbers->has_more = true;
            break;
        }
        numbers->nums[i] -= first;
    }
    page->is_last = !numbers->has_more;
    page->n_places = page->n_records = reading->list.count;
    page->records = reading->list.records;
    page->embeddings = reading->list.embeddings;
    page->n_embeddings = record_list_number_count(&reading->list);
    return code;
}

static enum soma_code read_places(struct reading *reading, struct soma_error *err)
{
    struct runs runs = {.arena = reading->arena,
                        .first = reading->row.partition << PARTITION_SHIFT};
    enum soma_code code =
        records_scan_sequences(reading->txn, reading->row.partition, 0, -1, note_place, &runs, err);
    if (!code && runs.no_memory)
        return error_set_no_memory(err);
    reading->page->present = runs.lengths;
    reading->page->n_present = runs.count;
    return code;
}

static enum soma_code read_page(struct vector_service *service, struct reading *reading,
                                struct soma_error *err)
{
    static const struct record_parts whole = {true, true, true};
    enum soma_code code =
        message_from_collection(&reading->row, reading->txn, service->rooms.vectors, reading->arena,
                                &reading->page->collection, err);
    if (!code)
        code = record_list_init(&reading->list, whole, reading->row.dimension, LIMIT_BATCH_RECORDS,
                                reading->arena, err);
    if (!code)
        code = read_records(reading, err);
    if (!code && reading->page->is_last)
        code = read_places(reading, err);
    if (!code && protobuf_c_message_get_packed_size(&reading->page->base) > REPLY_BYTES)
        code = error_set(err, REASON_MESSAGE_TOO_LARGE, "collection",
                         "so many records were deleted between others that the list of those left"
                         " does not fit in a frame: export and import the collection");
    return code;
}

enum soma_code vector_read_snapshot(struct vector_service *service, struct rpc_call *call,
                                    const ProtobufCMessage *message, struct soma_error *err)
{
    Pb__SnapshotPage page = PB__SNAPSHOT_PAGE__INIT;
    Pb__ReadSnapshotResponse response = PB__READ_SNAPSHOT_RESPONSE__INIT;
    struct reading reading = {.request = (const Pb__ReadSnapshotRequest *)message,
                              .arena = rpc_call_arena(call),
                              .page = &page};
    const char *collection = reading.request->collection;
    enum soma_code code = take_collection_ref(call, &collection, err);
    if (!code && (reading.request->after_place < 0 ||
                  reading.request->after_place >= (int64_t)1 << PARTITION_SHIFT))
        code =
            error_set(err, REASON_FIELD_OUT_OF_RANGE, "after_place", "places are from 1 to 2^36");
    if (!code)
        code = collection_snapshot(service->rooms.store, collection, 0, reading.arena, &reading.txn,
                                   &reading.row, err);
    if (code)
        return code;
    code = check_sequence(&reading.row, "since_sequence", reading.request->since_sequence, err);
    if (!code)
        code = read_page(service, &reading, err);
    store_read_end(reading.txn);
    if (code)
        return code;
    response.page = &page;
    rpc_call_reply(call, &response.base);
    return SOMA_OK;
}
