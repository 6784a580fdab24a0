#include "wire/decode.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

enum {
    DEPTH_MAX = 16,
    FIELDS_MAX = 128, // of one message type
    VARINT_BYTES_MAX = 10,
    FIELD_NUMBER_MAX = (1 << 29) - 1,
    // What an honest frame takes, measured: records of twenty small metadata fields take seven
    // times their bytes, those whose fields have one character and a small number twenty times;
    // ten thousand empty records in a 60 KiB frame 1.7 MB.
    BUDGET_FACTOR = 20,
    BUDGET_BASE_BYTES = 2 << 20
};

enum wire_type {
    WIRE_VARINT = 0,
    WIRE_64 = 1,
    WIRE_LENGTH = 2,
    WIRE_32 = 5
};

static const enum wire_type wire_types[] = {
    [PROTOBUF_C_TYPE_INT32] = WIRE_VARINT,   [PROTOBUF_C_TYPE_SINT32] = WIRE_VARINT,
    [PROTOBUF_C_TYPE_SFIXED32] = WIRE_32,    [PROTOBUF_C_TYPE_INT64] = WIRE_VARINT,
    [PROTOBUF_C_TYPE_SINT64] = WIRE_VARINT,  [PROTOBUF_C_TYPE_SFIXED64] = WIRE_64,
    [PROTOBUF_C_TYPE_UINT32] = WIRE_VARINT,  [PROTOBUF_C_TYPE_FIXED32] = WIRE_32,
    [PROTOBUF_C_TYPE_UINT64] = WIRE_VARINT,  [PROTOBUF_C_TYPE_FIXED64] = WIRE_64,
    [PROTOBUF_C_TYPE_FLOAT] = WIRE_32,       [PROTOBUF_C_TYPE_DOUBLE] = WIRE_64,
    [PROTOBUF_C_TYPE_BOOL] = WIRE_VARINT,    [PROTOBUF_C_TYPE_ENUM] = WIRE_VARINT,
    [PROTOBUF_C_TYPE_STRING] = WIRE_LENGTH,  [PROTOBUF_C_TYPE_BYTES] = WIRE_LENGTH,
    [PROTOBUF_C_TYPE_MESSAGE] = WIRE_LENGTH,
};

struct cursor {
    const uint8_t *at;
    const uint8_t *end;
};

// One message on the way down to the field that is looked at.
struct level {
    const struct level *parent;            // NULL for the outermost
    const uint8_t *begin;                  // of the message
    const uint8_t *field_begin;            // of the field that is looked at
    const ProtobufCFieldDescriptor *field; // NULL: one that the descriptor does not know
    size_t element;                        // index inside a packed field
    uint64_t seen[FIELDS_MAX / 64];        // fields of the message so far, by index
};

struct walk {
    bool has_unknown; // somewhere a field that the descriptors do not know
    struct soma_error *err;
};

// --- primitives

static bool read_varint(struct cursor *cursor, uint64_t *ret_value)
{
    uint64_t value = 0;
    for (int i = 0; i < VARINT_BYTES_MAX && cursor->at < cursor->end; i++) {
        uint8_t byte = *cursor->at++;
        if (i == VARINT_BYTES_MAX - 1 && byte > 1)
            return false;
        value |= (uint64_t)(byte & 0x7f) << (7 * i);
        if (byte < 0x80) {
            *ret_value = value;
            return true;
        }
    }
    return false;
}

static bool read_tag(struct cursor *cursor, uint32_t *ret_number, unsigned *ret_wire)
{
    uint64_t tag;
    if (!read_varint(cursor, &tag) || tag >> 3 == 0 || tag >> 3 > FIELD_NUMBER_MAX)
        return false;
    *ret_number = (uint32_t)(tag >> 3);
    *ret_wire = (unsigned)(tag & 7);
    return true;
}

static bool skip_bytes(struct cursor *cursor, uint64_t count)
{
    if (count > (uint64_t)(cursor->end - cursor->at))
        return false;
    cursor->at += count;
    return true;
}

// Reads a length and the range of bytes behind it.
static bool read_range(struct cursor *cursor, struct cursor *ret_range)
{
    uint64_t length;
    if (!read_varint(cursor, &length))
        return false;
    const uint8_t *begin = cursor->at;
    if (!skip_bytes(cursor, length))
        return false;
    *ret_range = (struct cursor){begin, cursor->at};
    return true;
}

// Groups (3 and 4) are refused like the types that do not exist.
static bool skip_value(struct cursor *cursor, unsigned wire)
{
    uint64_t number;
    struct cursor range;
    switch (wire) {
    case WIRE_VARINT:
        return read_varint(cursor, &number);
    case WIRE_64:
        return skip_bytes(cursor, 8);
    case WIRE_LENGTH:
        return read_range(cursor, &range);
    case WIRE_32:
        return skip_bytes(cursor, 4);
    default:
        return false;
    }
}

// --- errors

// How often the level's field stands in its message before the place that is looked at. Counted
// only for an error, so that a good message pays nothing for it.
static size_t count_before(const struct level *level)
{
    struct cursor cursor = {level->begin, level->field_begin};
    size_t count = 0;
    uint32_t number;
    unsigned wire;
    while (cursor.at < cursor.end && read_tag(&cursor, &number, &wire) && skip_value(&cursor, wire))
        count += number == level->field->id;
    return count;
}

// Writes "spec.labels[2].key"; gives the characters written, always less than size.
static size_t write_path(const struct level *level, char *path, size_t size)
{
    size_t used = level->parent ? write_path(level->parent, path, size) : 0;
    if (!level->field || used + 1 >= size)
        return used;
    int more;
    if (level->field->label == PROTOBUF_C_LABEL_REPEATED)
        more = snprintf(path + used, size - used, "%s%s[%zu]", used ? "." : "", level->field->name,
                        count_before(level) + level->element);
    else
        more = snprintf(path + used, size - used, "%s%s", used ? "." : "", level->field->name);
    return used + (size_t)more < size ? used + (size_t)more : size - 1;
}

static bool fail(const struct walk *walk, const struct level *level, enum reason reason,
                 const char *what)
{
    char path[SOMA_FIELD_SIZE] = "";
    if (level)
        write_path(level, path, sizeof path);
    error_set(walk->err, reason, path, "%s%s%s", path, path[0] ? ": " : "", what);
    return false;
}

// --- the walk: false with walk->err filled

static bool walk_message(struct walk *walk, const ProtobufCMessageDescriptor *type,
                         struct cursor cursor, const struct level *parent, int depth);

static bool check_string(struct walk *walk, const struct level *level, struct cursor text)
{
    size_t length = (size_t)(text.end - text.at);
    if (memchr(text.at, '\0', length))
        return fail(walk, level, REASON_TEXT_HAS_NUL, "a NUL byte in a string");
    if (!text_is_utf8(text.at, length))
        return fail(walk, level, REASON_TEXT_NOT_UTF8, "the string is not valid UTF-8");
    return true;
}

// protobuf-c cuts what does not fit into 32 bits; here it is refused.
static bool check_varint(struct walk *walk, const struct level *level, uint64_t value)
{
    const ProtobufCFieldDescriptor *field = level->field;
    bool fits = true;
    switch (field->type) {
    case PROTOBUF_C_TYPE_ENUM:
    case PROTOBUF_C_TYPE_INT32:
        fits = (int64_t)value >= INT32_MIN && (int64_t)value <= INT32_MAX;
        break;
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_SINT32:
        fits = value <= UINT32_MAX;
        break;
    default:
        break;
    }
    if (field->type == PROTOBUF_C_TYPE_ENUM &&
        (!fits || !protobuf_c_enum_descriptor_get_value(field->descriptor, (int)(int64_t)value)))
        return fail(walk, level, REASON_ENUM_UNKNOWN, "the number has no name in its enum");
    return fits || fail(walk, level, REASON_FIELD_OUT_OF_RANGE, "the number has more than 32 bits");
}

static bool walk_packed(struct walk *walk, struct level *level, struct cursor range)
{
    unsigned wire = wire_types[level->field->type];
    if (wire != WIRE_VARINT) {
        size_t size = wire == WIRE_64 ? 8 : 4;
        if ((size_t)(range.end - range.at) % size)
            return fail(walk, level, REASON_MESSAGE_MALFORMED, "the packed numbers are cut");
        return true;
    }
    for (level->element = 0; range.at < range.end; level->element++) {
        uint64_t value;
        if (!read_varint(&range, &value))
            return fail(walk, level, REASON_MESSAGE_MALFORMED, "the packed numbers are cut");
        if (!check_varint(walk, level, value))
            return false;
    }
    return true;
}

// protobuf would merge a message that is given twice, and copy what it merges each time.
static bool is_first(struct level *level, const ProtobufCMessageDescriptor *type)
{
    size_t index = (size_t)(level->field - type->fields);
    if (level->field->type != PROTOBUF_C_TYPE_MESSAGE ||
        level->field->label == PROTOBUF_C_LABEL_REPEATED || index >= FIELDS_MAX)
        return true;
    uint64_t *word = &level->seen[index / 64];
    uint64_t bit = UINT64_C(1) << index % 64;
    bool first = !(*word & bit);
    *word |= bit;
    return first;
}

static bool walk_length(struct walk *walk, struct level *level, struct cursor *cursor, int depth)
{
    struct cursor range;
    if (!read_range(cursor, &range))
        return fail(walk, level, REASON_MESSAGE_MALFORMED, "the field is longer than its message");
    switch (level->field->type) {
    case PROTOBUF_C_TYPE_STRING:
        return check_string(walk, level, range);
    case PROTOBUF_C_TYPE_BYTES:
        return true;
    case PROTOBUF_C_TYPE_MESSAGE:
        return walk_message(walk, level->field->descriptor, range, level, depth + 1);
    default:
        return walk_packed(walk, level, range);
    }
}

static bool walk_field(struct walk *walk, struct level *level, struct cursor *cursor, unsigned wire,
                       int depth)
{
    const ProtobufCFieldDescriptor *field = level->field;
    bool packed = field->label == PROTOBUF_C_LABEL_REPEATED && wire == WIRE_LENGTH;
    if (wire != wire_types[field->type] && !packed)
        return fail(walk, level, REASON_MESSAGE_MALFORMED, "the field has another type");
    if (wire == WIRE_LENGTH)
        return walk_length(walk, level, cursor, depth);
    if (wire != WIRE_VARINT)
        return skip_value(cursor, wire) ||
               fail(walk, level, REASON_MESSAGE_MALFORMED, "the number is cut");
    uint64_t value;
    if (!read_varint(cursor, &value))
        return fail(walk, level, REASON_MESSAGE_MALFORMED, "the number is cut or too long");
    return check_varint(walk, level, value);
}

static bool walk_message(struct walk *walk, const ProtobufCMessageDescriptor *type,
                         struct cursor cursor, const struct level *parent, int depth)
{
    if (depth > DEPTH_MAX)
        return fail(walk, parent, REASON_MESSAGE_MALFORMED, "messages are nested too deeply");
    struct level level = {.parent = parent, .begin = cursor.at};
    uint32_t number, last_number = 0;
    unsigned wire;
    while (cursor.at < cursor.end) {
        level.field_begin = cursor.at;
        level.element = 0;
        if (!read_tag(&cursor, &number, &wire))
            return fail(walk, parent, REASON_MESSAGE_MALFORMED, "no field begins where one should");
        if (number != last_number)
            level.field = protobuf_c_message_descriptor_get_field(type, number);
        last_number = number;
        if (level.field) {
            if (!is_first(&level, type))
                return fail(walk, &level, REASON_MESSAGE_MALFORMED, "the message is given twice");
            if (!walk_field(walk, &level, &cursor, wire, depth))
                return false;
            continue;
        }
        walk->has_unknown = true;
        if (!skip_value(&cursor, wire))
            return fail(walk, parent, REASON_MESSAGE_MALFORMED, "an unknown field is cut");
    }
    return true;
}

// --- after the unpacking

static bool member_is_set(const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field)
{
    if (!(field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF))
        return true;
    uint32_t which;
    memcpy(&which, (const char *)message + field->quantifier_offset, sizeof which);
    return which == field->id;
}

// protobuf-c keeps fields that it does not know; nobody here passes them on.
static void forget_unknown(ProtobufCMessage *message)
{
    message->n_unknown_fields = 0;
    message->unknown_fields = NULL;
    for (unsigned i = 0; i < message->descriptor->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &message->descriptor->fields[i];
        if (field->type != PROTOBUF_C_TYPE_MESSAGE || !member_is_set(message, field))
            continue;
        void *member = *(void **)((char *)message + field->offset);
        if (field->label != PROTOBUF_C_LABEL_REPEATED) {
            if (member)
                forget_unknown(member);
            continue;
        }
        size_t count;
        memcpy(&count, (const char *)message + field->quantifier_offset, sizeof count);
        for (size_t k = 0; k < count; k++)
            forget_unknown(((ProtobufCMessage **)member)[k]);
    }
}

ProtobufCMessage *wire_decode(const ProtobufCMessageDescriptor *type, const void *bytes,
                              size_t length, struct arena *arena, struct soma_error *err)
{
    static const uint8_t nothing[1];
    const uint8_t *begin = length ? bytes : nothing;
    struct walk walk = {.err = err};
    if (!walk_message(&walk, type, (struct cursor){begin, begin + length}, NULL, 1))
        return NULL;
    ProtobufCMessage *message = protobuf_c_message_unpack(type, &arena->protobuf, length, begin);
    if (message) {
        if (walk.has_unknown)
            forget_unknown(message);
        return message;
    }
    // The walk found the bytes good, so memory is what was missing.
    if (arena->budget_hit)
        error_set(err, REASON_MESSAGE_TOO_LARGE, NULL,
                  "a message of %zu bytes decodes to more than %zu", length, arena->budget);
    else
        error_set_no_memory(err);
    return NULL;
}

size_t wire_decode_budget(size_t frame_length)
{
    size_t budget;
    if (__builtin_mul_overflow(frame_length, (size_t)BUDGET_FACTOR, &budget) ||
        __builtin_add_overflow(budget, (size_t)BUDGET_BASE_BYTES, &budget))
        return SIZE_MAX;
    return budget;
}
