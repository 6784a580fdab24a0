#include "vectors/filter_index.h"

#include <stdlib.h>
#include <string.h>

#include "store/records.h"
#include "vectors/filter_index_private.h"

enum {
    CHANGES_AT_ONCE = 256 // applied before readers get a turn
};

// --- bits

bool bit_field_reserve(struct bit_field *field, uint32_t record)
{
    size_t wanted = record / 64 + 1;
    if (wanted <= field->word_count)
        return true;
    if (wanted < field->word_count * 2)
        wanted = field->word_count * 2;
    uint64_t *words = realloc(field->words, wanted * sizeof *words);
    if (!words)
        return false;
    memset(words + field->word_count, 0, (wanted - field->word_count) * sizeof *words);
    *field = (struct bit_field){words, wanted};
    return true;
}

void bit_field_put(struct bit_field *field, uint32_t record, bool is_set)
{
    uint64_t bit = (uint64_t)1 << record % 64;
    if (is_set)
        field->words[record / 64] |= bit;
    else
        field->words[record / 64] &= ~bit;
}

// Numbers of a partition count from 1; bit 0 is the first record's.
uint32_t record_of(int64_t num)
{
    return (uint32_t)((num & (((int64_t)1 << PARTITION_SHIFT) - 1)) - 1);
}

// --- keys

struct key_index *key_index_find(const struct filter_index *index, const char *key, size_t length)
{
    for (size_t i = 0; i < index->key_count; i++) {
        if (index->keys[i]->key_length == length && memcmp(index->keys[i]->key, key, length) == 0)
            return index->keys[i];
    }
    return NULL;
}

void key_index_free(struct key_index *key)
{
    if (!key)
        return;
    filter_values_fini(&key->values);
    free(key->key);
    free(key);
}

bool key_index_change(struct key_index *key, const struct metadata_change *change)
{
    uint32_t record = record_of(change->num);
    struct metadata_item before, after;
    bool had =
        change->was_there && metadata_find(change->before, key->key, key->key_length, &before);
    bool has = change->is_there && metadata_find(change->after, key->key, key->key_length, &after);
    if (had && has && before.type == after.type && before.value_bytes == after.value_bytes &&
        memcmp(before.values, after.values, before.value_bytes) == 0)
        return true;
    if (had)
        filter_values_remove(&key->values, before, record);
    return !has || filter_values_add(&key->values, after, record);
}

// --- life

struct filter_index *filter_index_new(int64_t sequence, size_t log_max_bytes)
{
    struct filter_index *index = calloc(1, sizeof *index);
    if (!index)
        return NULL;
    pthread_rwlockattr_t fair; // so that searches without end do not keep the writer out
    pthread_rwlockattr_init(&fair);
    pthread_rwlockattr_setkind_np(&fair, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
    pthread_rwlock_init(&index->lock, &fair);
    pthread_rwlockattr_destroy(&fair);
    index->base = sequence;
    index->latest = sequence;
    index->log_max_bytes = log_max_bytes;
    filter_index_count_bytes(index);
    return index;
}

void filter_index_reset(struct filter_index *index, int64_t sequence)
{
    for (size_t i = 0; i < index->key_count; i++)
        key_index_free(index->keys[i]);
    index->key_count = 0;
    free(index->present.words);
    index->present = (struct bit_field){0};
    index->has_present = false;
    log_clear(index);
    index->base = sequence;
    index->latest = sequence;
}

void filter_index_free(struct filter_index *index)
{
    if (!index)
        return;
    filter_index_reset(index, 0);
    pthread_rwlock_destroy(&index->lock);
    free(index);
}

void filter_index_count_bytes(struct filter_index *index)
{
    size_t bytes =
        sizeof *index + index->log_bytes + index->present.word_count * sizeof *index->present.words;
    for (size_t i = 0; i < index->key_count; i++)
        bytes += sizeof *index->keys[i] + index->keys[i]->key_length + index->keys[i]->values.bytes;
    atomic_store(&index->bytes, bytes);
}

size_t filter_index_bytes(const struct filter_index *index)
{
    return index ? atomic_load(&index->bytes) : 0;
}

// --- the writer

static bool apply_one(struct filter_index *index, const struct metadata_change *change)
{
    if (!index->has_present)
        return true; // no key is indexed
    if (!bit_field_reserve(&index->present, record_of(change->num)))
        return false;
    bit_field_put(&index->present, record_of(change->num), change->is_there);
    for (size_t i = 0; i < index->key_count; i++) {
        if (!index->keys[i]->is_refused && !key_index_change(index->keys[i], change))
            return false;
    }
    return true;
}

// Most of a key's values have no records any more: it is built anew when it is asked for.
static void drop_worn_keys(struct filter_index *index)
{
    for (size_t i = index->key_count; i-- > 0;) {
        const struct filter_values *values = &index->keys[i]->values;
        if (values->empty_count < 4096 || values->empty_count * 2 < values->used)
            continue;
        key_index_free(index->keys[i]);
        index->keys[i] = index->keys[--index->key_count];
    }
}

// While some are applied and others not, readers still go by the log, which has all of them.
static bool apply_changes(struct filter_index *index, const struct row_changes *changes)
{
    size_t at = 0;
    bool is_whole = true;
    while (is_whole && at < changes->metadata_count) {
        pthread_rwlock_wrlock(&index->lock);
        for (size_t i = 0; is_whole && i < CHANGES_AT_ONCE && at < changes->metadata_count; i++)
            is_whole = apply_one(index, &changes->metadata_changes[at++]);
        pthread_rwlock_unlock(&index->lock);
    }
    return is_whole;
}

void filter_index_apply(struct filter_index *index, const struct row_changes *changes)
{
    pthread_rwlock_wrlock(&index->lock);
    bool is_kept =
        !changes->is_clear && !changes->is_metadata_unknown && log_append(index, changes);
    index->latest = changes->sequence;
    pthread_rwlock_unlock(&index->lock);
    if (is_kept)
        is_kept = apply_changes(index, changes);
    pthread_rwlock_wrlock(&index->lock);
    for (size_t i = 0; is_kept && i < index->key_count; i++)
        is_kept = filter_values_settle(&index->keys[i]->values);
    if (is_kept)
        drop_worn_keys(index);
    else
        filter_index_reset(index, changes->sequence);
    filter_index_count_bytes(index);
    pthread_rwlock_unlock(&index->lock);
}

void filter_index_drop(struct filter_index *index)
{
    pthread_rwlock_wrlock(&index->lock);
    filter_index_reset(index, index->latest);
    filter_index_count_bytes(index);
    pthread_rwlock_unlock(&index->lock);
}

void filter_index_trim(struct filter_index *index, int64_t floor)
{
    pthread_rwlock_wrlock(&index->lock);
    log_trim(index, floor);
    filter_index_count_bytes(index);
    pthread_rwlock_unlock(&index->lock);
}
