#include "vectors/metadata.h"

#include <endian.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "wire/limits.h"

enum {
    ITEM_HEADER_BYTES = 8,
    LIST_OFFSET = METADATA_STRING_LIST - METADATA_STRING
};

bool metadata_type_is_list(enum metadata_type type)
{
    return type >= METADATA_STRING_LIST;
}

// The scalar type of a field's values.
static enum metadata_type value_type(enum metadata_type type)
{
    return metadata_type_is_list(type) ? (enum metadata_type)(type - LIST_OFFSET) : type;
}

// A field of the request with its place in it, for messages.
struct numbered_field {
    const struct metadata_field *field;
    size_t index;
    size_t payload_bytes; // key and values without framing, what LIMIT_METADATA_BYTES bounds
    size_t encoded_bytes;
};

// limit 0: the text says all.
static enum soma_code fail_at(struct soma_error *err, enum reason reason, size_t index,
                              const char *member, const char *text, long long limit)
{
    char field[SOMA_FIELD_SIZE];
    snprintf(field, sizeof field, "metadata[%zu]%s", index, member);
    if (limit)
        return error_set(err, reason, field, "%s; %lld at most", text, limit);
    return error_set(err, reason, field, "%s", text);
}

static enum soma_code check_key(const char *key, size_t index, struct soma_error *err)
{
    size_t length = strlen(key);
    if (!length)
        return fail_at(err, REASON_FIELD_REQUIRED, index, ".key", "a metadata key is empty", 0);
    if (length > LIMIT_METADATA_KEY_BYTES)
        return fail_at(err, REASON_FIELD_TOO_LONG, index, ".key",
                       "a metadata key has too many bytes", LIMIT_METADATA_KEY_BYTES);
    if (key[0] == '$')
        return fail_at(err, REASON_FIELD_INVALID, index, ".key",
                       "a metadata key starts with '$', which filters need for operators", 0);
    return SOMA_OK;
}

// Bytes of the values, with or without their framing.
static size_t values_bytes(const struct metadata_field *field, bool is_framed)
{
    size_t bytes = 0;
    switch (value_type(field->type)) {
    case METADATA_STRING:
        for (size_t i = 0; i < field->count; i++)
            bytes += strlen(field->values.strings[i]) + (is_framed ? sizeof(uint32_t) + 1 : 0);
        return bytes;
    case METADATA_INT:
    case METADATA_DOUBLE:
        return field->count * sizeof(uint64_t);
    case METADATA_BOOL:
        return field->count;
    case METADATA_REMOVE:
    case METADATA_STRING_LIST:
    case METADATA_INT_LIST:
    case METADATA_DOUBLE_LIST:
    case METADATA_BOOL_LIST:
        break;
    }
    return 0;
}

static enum soma_code check_values(const struct metadata_field *field, size_t index, bool is_patch,
                                   struct soma_error *err)
{
    if (field->type == METADATA_REMOVE && !is_patch)
        return fail_at(err, REASON_FIELD_REQUIRED, index, ".value", "a metadata field has no value",
                       0);
    if (field->count > LIMIT_METADATA_LIST)
        return fail_at(err, REASON_FIELD_TOO_LONG, index, ".value",
                       "a metadata list holds too many values", LIMIT_METADATA_LIST);
    if (value_type(field->type) != METADATA_DOUBLE)
        return SOMA_OK;
    for (size_t i = 0; i < field->count; i++) {
        if (!isfinite(field->values.doubles[i]))
            return fail_at(err, REASON_FIELD_INVALID, index, ".value",
                           "a metadata value is not a finite number", 0);
    }
    return SOMA_OK;
}

static int compare_keys(const void *a, const void *b)
{
    const struct numbered_field *left = a, *right = b;
    int order = strcmp(left->field->key, right->field->key);
    return order ? order : (left->index > right->index) - (left->index < right->index);
}

static uint8_t *put(uint8_t *at, const void *bytes, size_t length)
{
    if (length)
        memcpy(at, bytes, length);
    return at + length;
}

static uint8_t *put_text(uint8_t *at, const char *text)
{
    size_t length = strlen(text);
    uint32_t stored = htole32((uint32_t)length);
    at = put(at, &stored, sizeof stored);
    return put(at, text, length + 1);
}

static uint8_t *put_number(uint8_t *at, const void *eight_bytes)
{
    uint64_t bits;
    memcpy(&bits, eight_bytes, sizeof bits);
    bits = htole64(bits);
    return put(at, &bits, sizeof bits);
}

static uint8_t *put_value(uint8_t *at, const struct metadata_field *field, size_t i)
{
    switch (value_type(field->type)) {
    case METADATA_STRING:
        return put_text(at, field->values.strings[i]);
    case METADATA_INT:
        return put_number(at, &field->values.ints[i]);
    case METADATA_DOUBLE:
        return put_number(at, &field->values.doubles[i]);
    case METADATA_BOOL:
        *at = field->values.bools[i] != 0;
        return at + 1;
    case METADATA_REMOVE:
    case METADATA_STRING_LIST:
    case METADATA_INT_LIST:
    case METADATA_DOUBLE_LIST:
    case METADATA_BOOL_LIST:
        break;
    }
    return at;
}

static uint8_t *put_field(uint8_t *at, const struct metadata_field *field)
{
    size_t key_length = strlen(field->key);
    uint16_t count = htole16((uint16_t)field->count);
    uint32_t bytes = htole32((uint32_t)values_bytes(field, true));
    *at++ = (uint8_t)field->type;
    *at++ = (uint8_t)key_length;
    at = put(at, &count, sizeof count);
    at = put(at, &bytes, sizeof bytes);
    at = put(at, field->key, key_length + 1);
    for (size_t i = 0; i < field->count; i++)
        at = put_value(at, field, i);
    return at;
}

static enum soma_code check_sum(size_t payload_bytes, size_t count, struct soma_error *err)
{
    if (count > LIMIT_METADATA_FIELDS)
        return error_set(err, REASON_FIELD_TOO_LONG, "metadata", "%zu metadata fields; %d at most",
                         count, LIMIT_METADATA_FIELDS);
    if (payload_bytes > LIMIT_METADATA_BYTES)
        return error_set(err, REASON_FIELD_TOO_LONG, "metadata",
                         "metadata of %zu bytes; %d at most", payload_bytes, LIMIT_METADATA_BYTES);
    return SOMA_OK;
}

// Checks each field and leaves them sorted by key.
static enum soma_code sort_fields(const struct metadata_field *fields, size_t count, bool is_patch,
                                  struct numbered_field *ret_sorted, struct soma_error *err)
{
    size_t payload_bytes = 0;
    for (size_t i = 0; i < count; i++) {
        enum soma_code code = check_key(fields[i].key, i, err);
        if (!code)
            code = check_values(&fields[i], i, is_patch, err);
        if (code)
            return code;
        size_t key_length = strlen(fields[i].key);
        ret_sorted[i].field = &fields[i];
        ret_sorted[i].index = i;
        ret_sorted[i].payload_bytes = key_length + values_bytes(&fields[i], false);
        ret_sorted[i].encoded_bytes =
            ITEM_HEADER_BYTES + key_length + 1 + values_bytes(&fields[i], true);
        payload_bytes += ret_sorted[i].payload_bytes;
    }
    qsort(ret_sorted, count, sizeof *ret_sorted, compare_keys);
    for (size_t i = 1; i < count; i++) {
        if (strcmp(ret_sorted[i].field->key, ret_sorted[i - 1].field->key) == 0)
            return fail_at(err, REASON_DUPLICATE_KEY, ret_sorted[i].index, ".key",
                           "a metadata key stands twice in one record", 0);
    }
    return check_sum(payload_bytes, count, err);
}

enum soma_code metadata_encode(const struct metadata_field *fields, size_t count, bool is_patch,
                               struct arena *arena, struct metadata *ret_metadata,
                               struct soma_error *err)
{
    enum soma_code code = check_sum(0, count, err);
    if (code)
        return code;
    if (!count) {
        *ret_metadata = (struct metadata){NULL, 0};
        return SOMA_OK;
    }
    struct numbered_field sorted[LIMIT_METADATA_FIELDS];
    code = sort_fields(fields, count, is_patch, sorted, err);
    if (code)
        return code;
    size_t length = 0;
    for (size_t i = 0; i < count; i++)
        length += sorted[i].encoded_bytes;
    uint8_t *bytes = arena_alloc(arena, length);
    if (!bytes)
        return error_set_no_memory(err);
    uint8_t *at = bytes;
    for (size_t i = 0; i < count; i++)
        at = put_field(at, sorted[i].field);
    *ret_metadata = (struct metadata){bytes, length};
    return SOMA_OK;
}

bool metadata_next(struct metadata *rest, struct metadata_item *ret_item)
{
    if (rest->length < ITEM_HEADER_BYTES)
        return false;
    const uint8_t *at = rest->bytes;
    uint16_t count;
    uint32_t value_bytes;
    memcpy(&count, at + 2, sizeof count);
    memcpy(&value_bytes, at + 4, sizeof value_bytes);
    size_t key_length = at[1];
    size_t length = ITEM_HEADER_BYTES + key_length + 1 + le32toh(value_bytes);
    if (length > rest->length || at[0] > METADATA_BOOL_LIST ||
        at[ITEM_HEADER_BYTES + key_length] != '\0')
        return false;
    ret_item->type = (enum metadata_type)at[0];
    ret_item->key = (const char *)at + ITEM_HEADER_BYTES;
    ret_item->key_length = key_length;
    ret_item->count = le16toh(count);
    ret_item->values = at + ITEM_HEADER_BYTES + key_length + 1;
    ret_item->value_bytes = le32toh(value_bytes);
    rest->bytes += length;
    rest->length -= length;
    return true;
}

bool metadata_find(struct metadata metadata, const char *key, size_t key_length,
                   struct metadata_item *ret_item)
{
    while (metadata_next(&metadata, ret_item)) {
        if (ret_item->key_length == key_length && memcmp(ret_item->key, key, key_length) == 0)
            return true;
    }
    return false;
}

static bool take_text(struct metadata_item *item, struct metadata_value *ret_value)
{
    uint32_t stored;
    if (item->value_bytes < sizeof stored + 1)
        return false;
    memcpy(&stored, item->values, sizeof stored);
    size_t length = le32toh(stored);
    if (length > item->value_bytes - sizeof stored - 1 ||
        item->values[sizeof stored + length] != '\0')
        return false;
    ret_value->text = (const char *)item->values + sizeof stored;
    ret_value->text_length = length;
    item->values += sizeof stored + length + 1;
    item->value_bytes -= sizeof stored + length + 1;
    return true;
}

static bool take_bits(struct metadata_item *item, size_t bytes, uint64_t *ret_bits)
{
    if (item->value_bytes < bytes)
        return false;
    uint64_t bits = 0;
    memcpy(&bits, item->values, bytes);
    item->values += bytes;
    item->value_bytes -= bytes;
    *ret_bits = le64toh(bits);
    return true;
}

bool metadata_value_next(struct metadata_item *item, struct metadata_value *ret_value)
{
    if (!item->count)
        return false;
    uint64_t bits = 0;
    ret_value->type = value_type(item->type);
    if (ret_value->type == METADATA_STRING) {
        if (!take_text(item, ret_value))
            return false;
    } else if (!take_bits(item, ret_value->type == METADATA_BOOL ? 1 : sizeof bits, &bits)) {
        return false;
    }
    item->count--;
    if (ret_value->type == METADATA_INT)
        ret_value->integer = (int64_t)bits;
    if (ret_value->type == METADATA_DOUBLE)
        memcpy(&ret_value->real, &bits, sizeof bits);
    if (ret_value->type == METADATA_BOOL)
        ret_value->truth = bits != 0;
    return true;
}

bool metadata_is_equal(struct metadata a, struct metadata b)
{
    return a.length == b.length && (!a.length || memcmp(a.bytes, b.bytes, a.length) == 0);
}

// One side of a merge: its next field, and where that lies.
struct merge_side {
    struct metadata rest;
    struct metadata_item item;
    const uint8_t *start;
    bool has_item;
};

static void side_advance(struct merge_side *side)
{
    side->start = side->rest.bytes;
    side->has_item = metadata_next(&side->rest, &side->item);
}

static size_t payload_of(struct metadata_item item)
{
    size_t bytes = item.key_length;
    bool is_text = value_type(item.type) == METADATA_STRING;
    return bytes + item.value_bytes - (is_text ? item.count * (sizeof(uint32_t) + 1) : 0);
}

enum soma_code metadata_merge(struct metadata base, struct metadata patch, struct arena *arena,
                              struct metadata *ret_metadata, struct soma_error *err)
{
    uint8_t *bytes = arena_alloc(arena, base.length + patch.length);
    if (!bytes)
        return error_set_no_memory(err);
    uint8_t *at = bytes;
    size_t count = 0, payload_bytes = 0;
    struct merge_side old = {.rest = base}, new = {.rest = patch};
    side_advance(&old);
    side_advance(&new);
    while (old.has_item || new.has_item) {
        int order = !old.has_item ? 1 : !new.has_item ? -1 : strcmp(old.item.key, new.item.key);
        const struct merge_side *taken = order < 0 ? &old : &new;
        if (taken->item.type != METADATA_REMOVE) {
            at = put(at, taken->start, (size_t)(taken->rest.bytes - taken->start));
            count++;
            payload_bytes += payload_of(taken->item);
        }
        if (order <= 0)
            side_advance(&old);
        if (order >= 0)
            side_advance(&new);
    }
    enum soma_code code = check_sum(payload_bytes, count, err);
    if (code)
        return code;
    *ret_metadata = (struct metadata){bytes, (size_t)(at - bytes)};
    return SOMA_OK;
}
