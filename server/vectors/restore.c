#include "vectors/restore.h"

#include <string.h>

#include "store/records.h"

enum {
    RESTORED_SEQUENCE = 1 // of all records, and of the collection
};

enum soma_code restore_check(const int64_t *places, size_t count, struct place_runs present,
                             struct soma_error *err)
{
    int64_t last = 0;
    uint64_t end = 0;
    for (size_t i = 0; i < count; i++) {
        if (places[i] <= last || places[i] >= (int64_t)1 << PARTITION_SHIFT)
            return error_set(err, REASON_FIELD_INVALID, "places",
                             "places are from 1 to 2^36 and ascend");
        last = places[i];
    }
    for (size_t i = 0; i < present.count; i++) {
        if (__builtin_add_overflow(end, present.lengths[i], &end) || end >= (uint64_t)1
                                                                                << PARTITION_SHIFT)
            return error_set(err, REASON_FIELD_INVALID, "present", "places are up to 2^36");
    }
    return SOMA_OK;
}

static enum soma_code remove_at(struct store_txn *txn, struct collection_row *row, int64_t num,
                                struct soma_error *err)
{
    row->record_count--;
    return records_delete(txn, num, err);
}

// What has the record's id elsewhere, or its place, is older.
static enum soma_code put(struct store_txn *txn, const struct write_record *record, int64_t num,
                          struct collection_row *row, struct soma_error *err)
{
    const struct record_row written = {.num = num,
                                       .id = record->id,
                                       .metadata = record->metadata,
                                       .document = record->document,
                                       .embedding = record->embedding};
    int64_t old = 0;
    uint8_t hash[RECORD_HASH_BYTES];
    bool has_id = false, has_place = false;
    enum soma_code code = records_find(txn, row->partition, record->id, &old, hash, &has_id, err);
    if (!code && has_id && old == num)
        return records_replace(txn, &written, record->hash, RESTORED_SEQUENCE, row->dimension, err);
    if (!code && has_id)
        code = remove_at(txn, row, old, err);
    if (!code)
        code = records_has(txn, num, &has_place, err);
    if (!code && has_place)
        code = remove_at(txn, row, num, err);
    if (!code)
        code = records_insert(txn, row->partition, &written, record->hash, RESTORED_SEQUENCE,
                              row->dimension, err);
    row->record_count++;
    return code;
}

enum soma_code restore_apply(struct vectors *vectors, struct store_txn *txn,
                             const struct restore_page *page, struct collection_row *row,
                             struct soma_error *err)
{
    enum soma_code code = SOMA_OK;
    for (size_t i = 0; i < page->batch.count && !code; i++) {
        if (page->batch.records[i].is_skipped)
            continue;
        code = put(txn, &page->batch.records[i],
                   (row->partition << PARTITION_SHIFT) + page->places[i], row, err);
        if (page->places[i] > row->last_record)
            row->last_record = page->places[i];
    }
    if (!code)
        code = vectors_admit(vectors, row, err);
    row->sequence = RESTORED_SEQUENCE;
    return code ? code : collections_save_counters(txn, row, err);
}

// --- the last step

struct settling {
    const struct collection_row *row;
    struct place_runs present;
    size_t run; // the run in hand, and where it ends
    uint64_t run_end;
    int64_t *surplus; // [RESTORE_REMOVED_MAX] numbers
    size_t surplus_count;
};

static bool note_surplus(void *context, int64_t num, int64_t sequence)
{
    struct settling *settling = context;
    uint64_t place = (uint64_t)(num - (settling->row->partition << PARTITION_SHIFT));
    (void)sequence;
    while (place > settling->run_end && settling->run < settling->present.count)
        settling->run_end += settling->present.lengths[settling->run++];
    // Runs of those that are there have odd numbers, which `run` is past.
    if (place <= settling->run_end && settling->run % 2 == 0)
        return true;
    settling->surplus[settling->surplus_count++] = num;
    return settling->surplus_count < RESTORE_REMOVED_MAX;
}

static void measure(struct place_runs present, int64_t *ret_count, int64_t *ret_last)
{
    int64_t at = 0;
    *ret_count = *ret_last = 0;
    for (size_t i = 0; i < present.count; i++) {
        at += (int64_t)present.lengths[i];
        if (i % 2 == 0 || !present.lengths[i])
            continue;
        *ret_count += (int64_t)present.lengths[i];
        *ret_last = at;
    }
}

enum soma_code restore_settle(struct store_txn *txn, struct place_runs present,
                              struct collection_row *row, struct arena *arena, bool *ret_is_done,
                              struct soma_error *err)
{
    int64_t count;
    struct settling settling = {
        .row = row,
        .present = present,
        .surplus = arena_alloc(arena, RESTORE_REMOVED_MAX * sizeof *settling.surplus)};
    if (!settling.surplus)
        return error_set_no_memory(err);
    enum soma_code code =
        records_scan_sequences(txn, row->partition, 0, -1, note_surplus, &settling, err);
    for (size_t i = 0; i < settling.surplus_count && !code; i++)
        code = remove_at(txn, row, settling.surplus[i], err);
    *ret_is_done = settling.surplus_count < RESTORE_REMOVED_MAX;
    if (code || !*ret_is_done)
        return code;
    measure(present, &count, &row->last_record);
    if (row->record_count != count)
        return error_set(err, REASON_SNAPSHOT_INCOMPLETE, "page",
                         "%lld of the snapshot's %lld records came", (long long)row->record_count,
                         (long long)count);
    return SOMA_OK;
}
