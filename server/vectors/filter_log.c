// What changed lately, for readers of an older state and for keys that were built from one.
#include <stdlib.h>
#include <string.h>

#include "vectors/filter_index_private.h"

static size_t block_bytes(const struct row_changes *changes)
{
    size_t bytes = sizeof(struct log_block);
    for (size_t i = 0; i < changes->metadata_count; i++) {
        const struct metadata_change *change = &changes->metadata_changes[i];
        bytes += sizeof *change + change->before.length + change->after.length;
    }
    return bytes;
}

static uint8_t *copy_metadata(struct metadata *metadata, uint8_t *to)
{
    if (!metadata->length)
        return to;
    memcpy(to, metadata->bytes, metadata->length);
    metadata->bytes = to;
    return to + metadata->length;
}

bool log_append(struct filter_index *index, const struct row_changes *changes)
{
    size_t bytes = block_bytes(changes);
    if (index->log_bytes + bytes > index->log_max_bytes)
        return false;
    struct log_block *block = malloc(bytes);
    if (!block)
        return false;
    *block = (struct log_block){.older = index->newest,
                                .sequence = changes->sequence,
                                .count = changes->metadata_count,
                                .bytes = bytes};
    uint8_t *at = (uint8_t *)(block->changes + block->count);
    for (size_t i = 0; i < block->count; i++) {
        block->changes[i] = changes->metadata_changes[i];
        at = copy_metadata(&block->changes[i].before, at);
        at = copy_metadata(&block->changes[i].after, at);
    }
    if (index->newest)
        index->newest->newer = block;
    else
        index->oldest = block;
    index->newest = block;
    index->log_bytes += bytes;
    return true;
}

void log_trim(struct filter_index *index, int64_t floor)
{
    while (index->oldest && index->oldest->sequence <= floor) {
        struct log_block *block = index->oldest;
        index->oldest = block->newer;
        if (index->oldest)
            index->oldest->older = NULL;
        else
            index->newest = NULL;
        index->log_bytes -= block->bytes;
        free(block);
    }
}

void log_clear(struct filter_index *index)
{
    log_trim(index, INT64_MAX);
}
