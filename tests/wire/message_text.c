#include "message_text.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum {
    PATH_SIZE = 256
};

static void print_quoted(const void *bytes, size_t length)
{
    const unsigned char *at = bytes;
    putchar('"');
    for (size_t i = 0; i < length; i++) {
        if (at[i] < ' ' || at[i] > '~' || at[i] == '"' || at[i] == '\\')
            printf("\\x%02x", at[i]);
        else
            putchar(at[i]);
    }
    putchar('"');
}

static void print_enum(const ProtobufCEnumDescriptor *type, int number)
{
    const ProtobufCEnumValue *value = protobuf_c_enum_descriptor_get_value(type, number);
    printf("%s", value ? value->name : "?");
}

static void print_bytes(const ProtobufCBinaryData *data)
{
    print_quoted(data->data, data->len);
}

// value points at the member, or at the element of a list.
static void print_value(const ProtobufCFieldDescriptor *field, const void *value)
{
    switch (field->type) {
    case PROTOBUF_C_TYPE_INT32:
    case PROTOBUF_C_TYPE_SINT32:
    case PROTOBUF_C_TYPE_SFIXED32:
        printf("%" PRId32, *(const int32_t *)value);
        return;
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_FIXED32:
        printf("%" PRIu32, *(const uint32_t *)value);
        return;
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64:
        printf("%" PRId64, *(const int64_t *)value);
        return;
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
        printf("%" PRIu64, *(const uint64_t *)value);
        return;
    case PROTOBUF_C_TYPE_FLOAT:
        printf("%.9g", (double)*(const float *)value);
        return;
    case PROTOBUF_C_TYPE_DOUBLE:
        printf("%.17g", *(const double *)value);
        return;
    case PROTOBUF_C_TYPE_BOOL:
        printf("%s", *(const protobuf_c_boolean *)value ? "true" : "false");
        return;
    case PROTOBUF_C_TYPE_ENUM:
        print_enum(field->descriptor, *(const int *)value);
        return;
    case PROTOBUF_C_TYPE_STRING:
        print_quoted(*(char *const *)value, strlen(*(char *const *)value));
        return;
    case PROTOBUF_C_TYPE_BYTES:
        print_bytes(value);
        return;
    case PROTOBUF_C_TYPE_MESSAGE:
        return;
    }
}

static size_t element_size(ProtobufCType type)
{
    switch (type) {
    case PROTOBUF_C_TYPE_BYTES:
        return sizeof(ProtobufCBinaryData);
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_MESSAGE:
        return sizeof(void *);
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64:
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
    case PROTOBUF_C_TYPE_DOUBLE:
        return 8;
    case PROTOBUF_C_TYPE_BOOL:
        return sizeof(protobuf_c_boolean);
    case PROTOBUF_C_TYPE_INT32:
    case PROTOBUF_C_TYPE_SINT32:
    case PROTOBUF_C_TYPE_SFIXED32:
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_FIXED32:
    case PROTOBUF_C_TYPE_FLOAT:
    case PROTOBUF_C_TYPE_ENUM:
        return 4;
    }
    return 0;
}

static void print_element(const ProtobufCFieldDescriptor *field, const void *value,
                          const char *path)
{
    if (field->type == PROTOBUF_C_TYPE_MESSAGE) {
        printf("%s: {}\n", path);
        message_print(*(ProtobufCMessage *const *)value, path);
        return;
    }
    printf("%s: ", path);
    print_value(field, value);
    putchar('\n');
}

// Whether the field would be written: proto3 leaves out what has its default, except in a oneof.
static bool is_set(const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field)
{
    static const char zeros[sizeof(ProtobufCBinaryData)];
    const char *member = (const char *)message + field->offset;
    if (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF)
        return *(const uint32_t *)((const char *)message + field->quantifier_offset) == field->id;
    if (field->type == PROTOBUF_C_TYPE_STRING)
        return **(const char *const *)member != '\0';
    if (field->type == PROTOBUF_C_TYPE_BYTES)
        return ((const ProtobufCBinaryData *)member)->len > 0;
    return memcmp(member, zeros, element_size(field->type)) != 0;
}

static void print_list(const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field,
                       const char *path)
{
    size_t count = *(const size_t *)((const char *)message + field->quantifier_offset);
    const char *elements = *(const char *const *)((const char *)message + field->offset);
    for (size_t i = 0; i < count; i++) {
        char element_path[PATH_SIZE + 24];
        snprintf(element_path, sizeof element_path, "%s[%zu]", path, i);
        print_element(field, elements + i * element_size(field->type), element_path);
    }
}

void message_print(const ProtobufCMessage *message, const char *prefix)
{
    for (unsigned i = 0; i < message->descriptor->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &message->descriptor->fields[i];
        char path[PATH_SIZE];
        snprintf(path, sizeof path, "%s.%s", prefix, field->name);
        if (field->label == PROTOBUF_C_LABEL_REPEATED)
            print_list(message, field, path);
        else if (is_set(message, field))
            print_element(field, (const char *)message + field->offset, path);
    }
}
