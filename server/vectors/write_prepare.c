#include "vectors/write.h"

#include <stdio.h>
#include <string.h>

#include <nettle/sha2.h>

#include "base/text.h"
#include "wire/limits.h"

// SHA-256's first 16 bytes, over parts that each have a fixed or a stated length.
void record_hash(const struct write_record *record, uint32_t dim,
                 uint8_t ret_hash[RECORD_HASH_BYTES])
{
    struct sha256_ctx sha;
    uint64_t document_length = record->document ? strlen(record->document) + 1 : 0;
    uint64_t header[2] = {dim, document_length}; // 0: no document
    sha256_init(&sha);
    sha256_update(&sha, sizeof header, (const uint8_t *)header);
    sha256_update(&sha, dim * sizeof(float), (const uint8_t *)record->embedding);
    if (record->document)
        sha256_update(&sha, document_length, (const uint8_t *)record->document);
    if (record->metadata.length)
        sha256_update(&sha, record->metadata.length, record->metadata.bytes);
    sha256_digest(&sha, RECORD_HASH_BYTES, ret_hash);
}

static void prefix_with_index(struct soma_error *err, const char *what, size_t index)
{
    char prefix[48];
    snprintf(prefix, sizeof prefix, "%s[%zu]", what, index);
    error_prefix_field(err, prefix);
}

static enum soma_code check_text(const struct record_input *input, enum write_mode mode,
                                 struct soma_error *err)
{
    if (!*input->id && mode == WRITE_UPDATE)
        return error_set(err, REASON_FIELD_REQUIRED, "id", "an update names its records by id");
    if (strlen(input->id) > LIMIT_RECORD_ID_BYTES)
        return error_set(err, REASON_FIELD_TOO_LONG, "id", "an id of %zu bytes; %d at most",
                         strlen(input->id), LIMIT_RECORD_ID_BYTES);
    if (input->document && strlen(input->document) > LIMIT_DOCUMENT_BYTES)
        return error_set(err, REASON_FIELD_TOO_LONG, "document",
                         "a document of %zu bytes; %d at most", strlen(input->document),
                         LIMIT_DOCUMENT_BYTES);
    return SOMA_OK;
}

static enum soma_code check_embedding(const float *embedding, uint32_t dim, enum metric metric,
                                      struct soma_error *err)
{
    if (!kernel_all_finite(embedding, dim))
        return error_set(err, REASON_EMBEDDING_NOT_FINITE, NULL, "embedding holds NaN or infinity");
    if (metric == METRIC_COSINE && kernel_exact_dot(embedding, embedding, dim) == 0)
        return error_set(err, REASON_EMBEDDING_ZERO, NULL,
                         "embedding is all zeros and has no direction");
    return SOMA_OK;
}

// The id of a record that has none: its hash in hexadecimal.
static enum soma_code derive_id(struct write_record *record, struct arena *arena,
                                struct soma_error *err)
{
    char *id = arena_alloc(arena, 2 * RECORD_HASH_BYTES + 1);
    if (!id)
        return error_set_no_memory(err);
    text_from_bytes(id, record->hash, RECORD_HASH_BYTES);
    record->id = id;
    return SOMA_OK;
}

static enum soma_code prepare_record(struct write_batch *batch, const struct record_input *input,
                                     struct write_record *record, struct arena *arena,
                                     struct soma_error *err)
{
    enum soma_code code = check_text(input, batch->mode, err);
    if (!code)
        code = metadata_encode(input->fields, input->field_count, batch->mode == WRITE_UPDATE,
                               arena, &record->metadata, err);
    if (code)
        return code;
    record->id = input->id;
    record->document = input->document;
    if (batch->mode == WRITE_UPDATE)
        return SOMA_OK;
    record_hash(record, batch->dim, record->hash);
    if (*record->id)
        return SOMA_OK;
    batch->has_derived_ids = true;
    return derive_id(record, arena, err);
}

static size_t hash_text(const char *text)
{
    uint64_t hash = 14695981039346656037u; // FNV-1a
    for (; *text; text++)
        hash = (hash ^ (unsigned char)*text) * 1099511628211u;
    return (size_t)(hash ^ hash >> 32);
}

// Of records with one id, the last counts. A table of the ids seen, from the last to the first.
static enum soma_code skip_duplicates(struct write_batch *batch, struct arena *arena,
                                      struct soma_error *err)
{
    size_t size = 16;
    while (size < batch->count * 2)
        size *= 2;
    const char **seen = arena_calloc(arena, size, sizeof *seen);
    if (!seen)
        return error_set_no_memory(err);
    for (size_t i = batch->count; i-- > 0;) {
        struct write_record *record = &batch->records[i];
        size_t at = hash_text(record->id) & (size - 1);
        while (seen[at] && strcmp(seen[at], record->id) != 0)
            at = (at + 1) & (size - 1);
        record->is_skipped = seen[at] != NULL;
        seen[at] = record->id;
    }
    return SOMA_OK;
}

enum soma_code write_prepare(struct write_batch *batch, const struct record_input *inputs,
                             size_t count, const float *embeddings, struct arena *arena,
                             struct soma_error *err)
{
    batch->records = arena_calloc(arena, count, sizeof *batch->records);
    batch->count = count;
    if (!batch->records)
        return error_set_no_memory(err);
    for (size_t i = 0; i < count; i++) {
        struct write_record *record = &batch->records[i];
        if (embeddings) {
            record->embedding = embeddings + i * batch->dim;
            enum soma_code code =
                check_embedding(record->embedding, batch->dim, batch->metric, err);
            if (code) {
                prefix_with_index(err, "embeddings", i);
                return code;
            }
        }
        enum soma_code code = prepare_record(batch, &inputs[i], record, arena, err);
        if (code) {
            prefix_with_index(err, "records", i);
            return code;
        }
    }
    return skip_duplicates(batch, arena, err);
}
