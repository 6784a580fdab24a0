#include "vectors/collection_replay.h"

#include <stdlib.h>
#include <string.h>

#include "store/records.h"
#include "vectors/kernels/kernels.h"

enum {
    ARENA_BYTES = 4 << 20 // for one record
};

struct replay {
    struct rows *rows;
    int64_t from;
    const struct collection_row *row;
    uint64_t *there; // owned: a bit for each record number that the database has
    int64_t first;   // the number of bit 0
    size_t size;
    int64_t *changed; // owned: numbers
    size_t count, room;
    bool no_memory;
};

static bool note(void *context, int64_t num, int64_t sequence)
{
    struct replay *replay = context;
    uint64_t bit = (uint64_t)(num - replay->first);
    if (bit < replay->size)
        replay->there[bit / 64] |= (uint64_t)1 << bit % 64;
    if (sequence <= replay->from)
        return true;
    if (replay->count == replay->room) {
        size_t room = replay->room ? replay->room * 2 : 1024;
        int64_t *grown = realloc(replay->changed, room * sizeof *grown);
        if (!grown) {
            replay->no_memory = true;
            return false;
        }
        replay->changed = grown;
        replay->room = room;
    }
    replay->changed[replay->count++] = num;
    return true;
}

static const struct row *row_of(const struct rows *rows, int64_t num)
{
    const struct row_place *place = row_map_find(&rows->map, num);
    return place ? &rows->set->chunks[place->chunk]->rows[place->row] : NULL;
}

static bool is_same(const struct rows *rows, const struct row *row, const float *embedding,
                    float *scratch)
{
    memcpy(scratch, embedding, rows->dim * sizeof *scratch);
    if (rows->is_normalised)
        kernel_normalise(scratch, rows->dim, scratch);
    return memcmp(scratch, row->vector, rows->dim * sizeof *scratch) == 0;
}

static enum soma_code put_changed(struct replay *replay, struct store_txn *txn, float *scratch,
                                  struct soma_error *err)
{
    struct arena arena;
    arena_init(&arena, ARENA_BYTES);
    enum soma_code code = SOMA_OK;
    for (size_t i = 0; i < replay->count && !code; i++) {
        struct record_row record;
        arena_reset(&arena, ARENA_BYTES);
        code = records_read(txn, replay->changed[i], (struct record_parts){.embedding = true},
                            replay->row->dimension, &arena, &record, err);
        const struct row *row = row_of(replay->rows, replay->changed[i]);
        if (code || (row && is_same(replay->rows, row, record.embedding, scratch)))
            continue;
        if (!rows_put(replay->rows, record.num, record.id, record.embedding, replay->row->sequence))
            code = error_set_no_memory(err);
    }
    arena_fini(&arena);
    return code;
}

static void kill_gone(struct replay *replay)
{
    struct rows *rows = replay->rows;
    for (uint32_t i = 0; i < rows->set->count; i++) {
        const struct row_chunk *chunk = rows->set->chunks[i];
        for (uint32_t at = 0; chunk && at < atomic_load(&chunk->count); at++) {
            uint64_t bit = (uint64_t)(chunk->rows[at].num - replay->first);
            if (bit >= replay->size || !(replay->there[bit / 64] >> bit % 64 & 1))
                rows_kill(rows, chunk->rows[at].num, replay->row->sequence);
        }
    }
}

enum soma_code collection_replay(struct rows *rows, int64_t from, struct store_txn *txn,
                                 const struct collection_row *row, struct soma_error *err)
{
    struct replay replay = {.rows = rows,
                            .from = from,
                            .row = row,
                            .first = (row->partition << PARTITION_SHIFT) + 1,
                            .size = (size_t)row->last_record};
    if (row->sequence == from)
        return SOMA_OK;
    replay.there = calloc(replay.size / 64 + 1, sizeof *replay.there);
    float *scratch = malloc(row->dimension * sizeof *scratch);
    bool has_memory = replay.there && scratch;
    enum soma_code code = SOMA_OK;
    if (has_memory)
        code = records_scan_sequences(txn, row->partition, 0, -1, note, &replay, err);
    if (!has_memory || replay.no_memory) {
        code = error_set_no_memory(err);
    } else if (!code) {
        kill_gone(&replay);
        code = put_changed(&replay, txn, scratch, err);
    }
    free(replay.there);
    free(replay.changed);
    free(scratch);
    return code;
}
