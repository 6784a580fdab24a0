#include "vectors/write.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vectors/filter.h"
#include "wire/limits.h"

enum {
    // Of so many records metadata is handed to memory, and so many bytes of it: past them memory
    // looks at the records when it is asked.
    METADATA_LISTED_MAX = 65536,
    METADATA_LISTED_BYTES_MAX = 16 << 20,
    RECORD_BYTES_MAX = 16 << 20 // one record as it was, and merged
};

// A batch in the middle of being written.
struct writing {
    struct store_txn *txn;
    const struct write_batch *batch;
    struct arena *arena;
    struct arena record; // for the one in hand, which may be much larger than what is kept of it
    struct collection_row row;
    int64_t sequence; // of this write, if it changes anything
    struct row_change *changes;
    struct metadata_change *metadata_changes;
    size_t metadata_bytes; // of those that were replaced
    bool is_metadata_unknown;
    struct write_result result;
};

static void fail_record(struct writing *writing, size_t index, enum reason reason, const char *text)
{
    struct write_failure *failure = &writing->result.failures[writing->result.failure_count++];
    *failure = (struct write_failure){(uint32_t)index, reason_table[reason].code,
                                      reason_table[reason].name, text};
}

static void note_change(struct writing *writing, int64_t num, const char *id, const float *vector)
{
    struct row_changes *changes = &writing->result.changes;
    writing->changes[changes->count++] = (struct row_change){num, id, vector};
}

// before, after: NULL where the record is not there.
static void note_metadata(struct writing *writing, int64_t num, const struct metadata *before,
                          const struct metadata *after)
{
    struct row_changes *changes = &writing->result.changes;
    writing->metadata_changes[changes->metadata_count++] =
        (struct metadata_change){.num = num,
                                 .was_there = before,
                                 .is_there = after,
                                 .before = before ? *before : (struct metadata){0},
                                 .after = after ? *after : (struct metadata){0}};
}

static bool keep_metadata(struct writing *writing, struct metadata *metadata)
{
    const void *bytes = metadata->length ? metadata->bytes : (const uint8_t *)"";
    metadata->bytes = (const uint8_t *)arena_copy(writing->arena, bytes, metadata->length);
    return metadata->bytes != NULL;
}

// Of the record in hand, whose memory is the next one's soon.
static enum soma_code note_replaced(struct writing *writing, int64_t num, struct metadata before,
                                    struct metadata after, struct soma_error *err)
{
    if (writing->is_metadata_unknown || metadata_is_equal(before, after))
        return SOMA_OK;
    writing->metadata_bytes += before.length + after.length;
    writing->is_metadata_unknown = writing->metadata_bytes > METADATA_LISTED_BYTES_MAX;
    if (writing->is_metadata_unknown)
        return SOMA_OK;
    if (!keep_metadata(writing, &before) || !keep_metadata(writing, &after))
        return error_set_no_memory(err);
    note_metadata(writing, num, &before, &after);
    return SOMA_OK;
}

static enum soma_code insert(struct writing *writing, const struct write_record *record,
                             struct soma_error *err)
{
    if (writing->row.last_record >= ((int64_t)1 << PARTITION_SHIFT) - 1)
        return error_set(err, REASON_INTERNAL, NULL, "the collection's record numbers are used up");
    struct record_row row = {.num = (writing->row.partition << PARTITION_SHIFT) +
                                    ++writing->row.last_record,
                             .id = record->id,
                             .metadata = record->metadata,
                             .document = record->document,
                             .embedding = record->embedding};
    enum soma_code code = records_insert(writing->txn, writing->row.partition, &row, record->hash,
                                         writing->sequence, writing->batch->dim, err);
    if (code)
        return code;
    writing->row.record_count++;
    writing->result.inserted++;
    note_change(writing, row.num, record->id, record->embedding);
    note_metadata(writing, row.num, NULL, &record->metadata);
    return SOMA_OK;
}

// The embedding is written, and searched anew, only where it differs.
static enum soma_code replace(struct writing *writing, int64_t num,
                              const struct write_record *record, const struct record_row *old,
                              struct soma_error *err)
{
    uint32_t dim = writing->batch->dim;
    bool is_same = memcmp(old->embedding, record->embedding, dim * sizeof(float)) == 0;
    struct record_row row = {.num = num,
                             .id = record->id,
                             .metadata = record->metadata,
                             .document = record->document,
                             .embedding = is_same ? NULL : record->embedding};
    enum soma_code code =
        records_replace(writing->txn, &row, record->hash, writing->sequence, dim, err);
    if (code)
        return code;
    writing->result.updated++;
    if (!is_same)
        note_change(writing, num, record->id, record->embedding);
    return note_replaced(writing, num, old->metadata, record->metadata, err);
}

static enum soma_code upsert(struct writing *writing, size_t index, struct soma_error *err)
{
    const struct write_record *record = &writing->batch->records[index];
    int64_t num = 0;
    uint8_t hash[RECORD_HASH_BYTES];
    bool found = false;
    enum soma_code code =
        records_find(writing->txn, writing->row.partition, record->id, &num, hash, &found, err);
    if (code)
        return code;
    if (!found)
        return insert(writing, record, err);
    if (writing->batch->mode == WRITE_INSERT) {
        fail_record(writing, index, REASON_RECORD_EXISTS, "a record with this id exists");
        return SOMA_OK;
    }
    if (memcmp(hash, record->hash, sizeof hash) == 0) {
        writing->result.unchanged++;
        return SOMA_OK;
    }
    struct record_row old;
    code =
        records_read(writing->txn, num, (struct record_parts){.metadata = true, .embedding = true},
                     writing->batch->dim, &writing->record, &old, err);
    return code ? code : replace(writing, num, record, &old, err);
}

static enum soma_code update(struct writing *writing, size_t index, struct soma_error *err)
{
    struct write_record merged = writing->batch->records[index];
    int64_t num = 0;
    uint8_t hash[RECORD_HASH_BYTES];
    bool found = false;
    enum soma_code code =
        records_find(writing->txn, writing->row.partition, merged.id, &num, hash, &found, err);
    if (code)
        return code;
    if (!found) {
        fail_record(writing, index, REASON_RECORD_NOT_FOUND, "no record has this id");
        return SOMA_OK;
    }
    struct record_row old;
    code = records_read(writing->txn, num, (struct record_parts){true, true, true},
                        writing->batch->dim, &writing->record, &old, err);
    if (!code)
        code =
            metadata_merge(old.metadata, merged.metadata, &writing->record, &merged.metadata, err);
    if (code)
        return code;
    if (!merged.document)
        merged.document = old.document;
    if (!merged.embedding)
        merged.embedding = old.embedding;
    record_hash(&merged, writing->batch->dim, merged.hash);
    if (memcmp(hash, merged.hash, sizeof hash) == 0) {
        writing->result.unchanged++;
        return SOMA_OK;
    }
    return replace(writing, num, &merged, &old, err);
}

static enum soma_code apply_all(struct writing *writing, struct soma_error *err)
{
    const struct write_batch *batch = writing->batch;
    for (size_t i = 0; i < batch->count; i++) {
        if (batch->records[i].is_skipped) {
            writing->result.skipped++;
            continue;
        }
        arena_reset(&writing->record, RECORD_BYTES_MAX / 16);
        enum soma_code code =
            batch->mode == WRITE_UPDATE ? update(writing, i, err) : upsert(writing, i, err);
        if (code) {
            char prefix[48];
            snprintf(prefix, sizeof prefix, "records[%zu]", i);
            error_prefix_field(err, prefix);
            return code;
        }
    }
    return SOMA_OK;
}

static enum soma_code begin(struct writing *writing, struct soma_error *err)
{
    const struct write_batch *batch = writing->batch;
    enum soma_code code =
        collections_find(writing->txn, batch->collection, writing->arena, &writing->row, err);
    if (code)
        return code;
    if (writing->row.dimension != batch->dim || writing->row.metric != (int)batch->metric)
        return error_set(err, REASON_DIMENSION_MISMATCH, "embeddings",
                         "the collection was replaced by one of dimension %u meanwhile",
                         writing->row.dimension);
    writing->sequence = writing->row.sequence + 1;
    writing->changes = arena_alloc(writing->arena, batch->count * sizeof *writing->changes);
    writing->metadata_changes =
        arena_alloc(writing->arena, batch->count * sizeof *writing->metadata_changes);
    writing->result.failures =
        arena_alloc(writing->arena, batch->count * sizeof *writing->result.failures);
    return writing->changes && writing->metadata_changes && writing->result.failures
               ? SOMA_OK
               : error_set_no_memory(err);
}

static void changes_for(const struct collection_row *row, const struct row_change *changes,
                        size_t count, const struct metadata_change *metadata_changes,
                        size_t metadata_count, struct row_changes *ret_changes)
{
    *ret_changes = (struct row_changes){.dim = row->dimension,
                                        .sequence = row->sequence,
                                        .changes = changes,
                                        .count = count,
                                        .metadata_changes = metadata_changes,
                                        .metadata_count = metadata_count};
    memcpy(ret_changes->uid, row->uid, sizeof ret_changes->uid);
}

enum soma_code write_apply(struct vectors *vectors, struct store_txn *txn,
                           const struct write_batch *batch, struct arena *arena,
                           struct write_result *ret_result, struct soma_error *err)
{
    struct writing writing = {.txn = txn, .batch = batch, .arena = arena};
    enum soma_code code = begin(&writing, err);
    arena_init(&writing.record, RECORD_BYTES_MAX);
    if (!code)
        code = apply_all(&writing, err);
    arena_fini(&writing.record);
    struct write_result *result = &writing.result;
    if (!code && result->inserted)
        code = vectors_admit(vectors, &writing.row, err);
    if (code)
        return code;
    result->has_changed = result->inserted || result->updated;
    if (result->has_changed) {
        writing.row.sequence = writing.sequence;
        code = collections_save_counters(txn, &writing.row, err);
    }
    changes_for(&writing.row, writing.changes, result->changes.count, writing.metadata_changes,
                result->changes.metadata_count, &result->changes);
    result->changes.is_metadata_unknown = writing.is_metadata_unknown;
    if (!code)
        *ret_result = *result;
    return code;
}

// --- deleting

struct deleting {
    const struct delete_request *request;
    struct arena *arena;
    struct row_change *found;         // grows
    struct metadata_change *metadata; // of each found; NULL: they are too many
    size_t metadata_bytes;
    size_t count, room;
    bool no_memory;
};

static bool note_found(struct deleting *deleting, int64_t num)
{
    if (deleting->count == deleting->room) {
        size_t room = deleting->room ? deleting->room * 2 : 256;
        struct row_change *grown = arena_alloc(deleting->arena, room * sizeof *grown);
        if (!grown) {
            deleting->no_memory = true;
            return false;
        }
        if (deleting->count)
            memcpy(grown, deleting->found, deleting->count * sizeof *grown);
        deleting->found = grown;
        deleting->room = room;
    }
    deleting->found[deleting->count++] = (struct row_change){.num = num, .id = ""};
    return true;
}

static bool match(void *context, const struct record_row *row)
{
    struct deleting *deleting = context;
    return !filter_matches(deleting->request->filter, row->metadata) ||
           note_found(deleting, row->num);
}

static int compare_nums(const void *a, const void *b)
{
    int64_t left = ((const struct row_change *)a)->num;
    int64_t right = ((const struct row_change *)b)->num;
    return (left > right) - (left < right);
}

// An id that stands twice names its record once.
static void drop_duplicates(struct deleting *deleting)
{
    size_t kept = 0;
    if (deleting->count)
        qsort(deleting->found, deleting->count, sizeof *deleting->found, compare_nums);
    for (size_t i = 0; i < deleting->count; i++) {
        if (!kept || deleting->found[kept - 1].num != deleting->found[i].num)
            deleting->found[kept++] = deleting->found[i];
    }
    deleting->count = kept;
}

static enum soma_code find_ids(struct deleting *deleting, struct store_txn *txn, int64_t partition,
                               struct delete_result *result, struct soma_error *err)
{
    for (size_t i = 0; i < deleting->request->count; i++) {
        int64_t num = 0;
        uint8_t hash[RECORD_HASH_BYTES];
        bool found = false;
        enum soma_code code =
            records_find(txn, partition, deleting->request->ids[i], &num, hash, &found, err);
        if (code)
            return code;
        if (!found)
            result->missing++;
        else if (!note_found(deleting, num))
            return error_set_no_memory(err);
    }
    drop_duplicates(deleting);
    return SOMA_OK;
}

static enum soma_code note_deleted(struct deleting *deleting, struct store_txn *txn, size_t i,
                                   struct soma_error *err)
{
    struct metadata_change *change = &deleting->metadata[i];
    struct record_row row;
    enum soma_code code =
        records_read(txn, deleting->found[i].num, (struct record_parts){.metadata = true}, 0,
                     deleting->arena, &row, err);
    if (code)
        return code;
    *change = (struct metadata_change){.num = row.num, .was_there = true, .before = row.metadata};
    deleting->metadata_bytes += strlen(row.id) + row.metadata.length;
    if (deleting->metadata_bytes > METADATA_LISTED_BYTES_MAX)
        deleting->metadata = NULL;
    return SOMA_OK;
}

static enum soma_code delete_found(struct deleting *deleting, struct store_txn *txn,
                                   struct collection_row *row, struct soma_error *err)
{
    if (deleting->count <= METADATA_LISTED_MAX) {
        deleting->metadata =
            arena_calloc(deleting->arena, deleting->count, sizeof *deleting->metadata);
        if (!deleting->metadata)
            return error_set_no_memory(err);
    }
    for (size_t i = 0; i < deleting->count; i++) {
        enum soma_code code = SOMA_OK;
        if (deleting->metadata)
            code = note_deleted(deleting, txn, i, err);
        if (!code)
            code = records_delete(txn, deleting->found[i].num, err);
        if (code)
            return code;
    }
    row->record_count -= (int64_t)deleting->count;
    row->sequence++;
    return collections_save_counters(txn, row, err);
}

enum soma_code write_delete(struct store_txn *txn, const struct delete_request *request,
                            struct arena *arena, struct delete_result *ret_result,
                            struct soma_error *err)
{
    struct deleting deleting = {.request = request, .arena = arena};
    struct delete_result result = {0};
    struct collection_row row;
    enum soma_code code = collections_find(txn, request->collection, arena, &row, err);
    if (!code && request->count)
        code = find_ids(&deleting, txn, row.partition, &result, err);
    else if (!code)
        code = records_scan_metadata(txn, row.partition, match, &deleting, err);
    if (!code && deleting.no_memory)
        code = error_set_no_memory(err);
    result.matched = (int64_t)deleting.count;
    result.has_changed = deleting.count && !request->is_dry_run;
    if (!code && result.has_changed) {
        code = delete_found(&deleting, txn, &row, err);
        result.deleted = result.matched;
    }
    if (code)
        return code;
    size_t deleted = result.deleted ? deleting.count : 0;
    changes_for(&row, deleting.found, deleted, deleting.metadata, deleting.metadata ? deleted : 0,
                &result.changes);
    result.changes.is_metadata_unknown = deleted && !deleting.metadata;
    *ret_result = result;
    return SOMA_OK;
}
