// Indexing a key: one sweep over the records as a snapshot has them, then what changed since.
#include <stdlib.h>
#include <string.h>

#include "store/records.h"
#include "vectors/filter_index_private.h"

enum {
    ROWS_BETWEEN_CLOCKS = 4096
};

struct build {
    struct key_index *keys[FILTER_INDEX_KEYS];
    size_t key_count;
    struct bit_field present;
    size_t max_bytes;
    struct mono_time deadline;
    size_t seen;
    bool is_late, no_memory;
};

static struct key_index *key_index_new(const char *key, size_t length)
{
    struct key_index *made = calloc(1, sizeof *made);
    if (!made)
        return NULL;
    filter_values_init(&made->values);
    made->key_length = length;
    made->key = malloc(length + 1);
    if (!made->key) {
        key_index_free(made);
        return NULL;
    }
    memcpy(made->key, key, length + 1);
    return made;
}

static bool build_has(const struct build *build, const struct filter_node *leaf)
{
    for (size_t i = 0; i < build->key_count; i++) {
        if (strcmp(build->keys[i]->key, leaf->key) == 0)
            return true;
    }
    return false;
}

// The filter's keys that are not indexed; false: out of memory.
static bool choose_keys(struct build *build, struct filter_index *index,
                        const struct filter *filter)
{
    bool is_made = true;
    pthread_rwlock_rdlock(&index->lock);
    for (size_t i = 0; i < filter->node_count && is_made; i++) {
        const struct filter_node *leaf = &filter->nodes[i];
        if (!leaf->key || key_index_find(index, leaf->key, leaf->key_length) ||
            build_has(build, leaf) || index->key_count + build->key_count == FILTER_INDEX_KEYS)
            continue;
        struct key_index *made = key_index_new(leaf->key, leaf->key_length);
        is_made = made != NULL;
        if (made)
            build->keys[build->key_count++] = made;
    }
    pthread_rwlock_unlock(&index->lock);
    return is_made;
}

// A key that takes too much is given up; its name stays, so that it is not tried again.
static void refuse(struct key_index *key)
{
    filter_values_fini(&key->values);
    filter_values_init(&key->values);
    key->is_refused = true;
}

static bool add_record(void *context, const struct record_row *row)
{
    struct build *build = context;
    const struct metadata_change change = {
        .num = row->num, .is_there = true, .after = row->metadata};
    uint32_t record = record_of(row->num);
    build->no_memory = !bit_field_reserve(&build->present, record);
    if (!build->no_memory)
        bit_field_put(&build->present, record, true);
    size_t bytes = build->present.word_count * sizeof *build->present.words;
    for (size_t i = 0; i < build->key_count && !build->no_memory; i++) {
        struct key_index *key = build->keys[i];
        if (key->is_refused)
            continue;
        build->no_memory = !key_index_change(key, &change);
        bytes += key->values.bytes;
        if (bytes > build->max_bytes)
            refuse(key);
    }
    if (++build->seen % ROWS_BETWEEN_CLOCKS == 0)
        build->is_late = clock_left_ms(build->deadline) == 0;
    return !build->is_late && !build->no_memory;
}

// Applies what was written after the snapshot; lock held for writing.
static bool catch_up(struct build *build, const struct filter_index *index, int64_t sequence)
{
    for (const struct log_block *block = index->oldest; block; block = block->newer) {
        for (size_t i = 0; block->sequence > sequence && i < block->count; i++) {
            const struct metadata_change *change = &block->changes[i];
            uint32_t record = record_of(change->num);
            if (!bit_field_reserve(&build->present, record))
                return false;
            bit_field_put(&build->present, record, change->is_there);
            for (size_t k = 0; k < build->key_count; k++) {
                if (!build->keys[k]->is_refused && !key_index_change(build->keys[k], change))
                    return false;
            }
        }
    }
    return true;
}

// Hands over what others have not built meanwhile; lock held for writing.
static void install(struct build *build, struct filter_index *index)
{
    // The log may be ahead of what the writer has put into `present` so far.
    size_t word_count = build->present.word_count;
    if (index->has_present && word_count &&
        !bit_field_reserve(&index->present, (uint32_t)(word_count * 64 - 1)))
        return;
    if (!index->has_present) {
        index->present = build->present;
        index->has_present = true;
        build->present = (struct bit_field){0};
    }
    for (size_t i = 0; i < build->key_count; i++) {
        struct key_index *key = build->keys[i];
        if (key_index_find(index, key->key, key->key_length) ||
            index->key_count == FILTER_INDEX_KEYS)
            continue;
        filter_values_settle(&key->values);
        index->keys[index->key_count++] = key;
        build->keys[i] = NULL;
    }
    filter_index_count_bytes(index);
}

static void build_fini(struct build *build)
{
    for (size_t i = 0; i < build->key_count; i++)
        key_index_free(build->keys[i]);
    free(build->present.words);
}

enum soma_code filter_index_build(struct filter_index *index, const struct filter *filter,
                                  struct store_txn *txn, int64_t partition, int64_t sequence,
                                  size_t max_bytes, struct mono_time deadline,
                                  struct soma_error *err)
{
    struct build build = {.max_bytes = max_bytes, .deadline = deadline};
    enum soma_code code = SOMA_OK;
    build.no_memory = !choose_keys(&build, index, filter);
    if (!build.no_memory && build.key_count)
        code = records_scan_metadata(txn, partition, add_record, &build, err);
    if (!code && build.is_late)
        code = error_set(err, REASON_DEADLINE_EXCEEDED, NULL,
                         "the deadline passed while metadata was indexed");
    if (!code && !build.no_memory && build.key_count) {
        pthread_rwlock_wrlock(&index->lock);
        if (index->base <= sequence && catch_up(&build, index, sequence))
            install(&build, index);
        pthread_rwlock_unlock(&index->lock);
    }
    build_fini(&build);
    return code;
}
