// Prints all that travels, from the descriptors that the programs run by: services, messages,
// enums.
//
// tests/wire/descriptors.txt is what it printed when the protocol was last reviewed. Exits with 1
// where a message contains itself: such a type has no bound on its depth.
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "soma/v1/jobs.pb-c.h"
#include "soma/v1/rpc.pb-c.h"
#include "soma/v1/server.pb-c.h"
#include "soma/v1/vectors.pb-c.h"

enum {
    TYPES_MAX = 512,
    DEPTH_MAX = 16
};

static const ProtobufCServiceDescriptor *const services[] = {
    &pb__job_service__descriptor,
    &pb__server_service__descriptor,
    &pb__vector_service__descriptor,
};

static const char *const type_names[] = {
    [PROTOBUF_C_TYPE_INT32] = "int32",       [PROTOBUF_C_TYPE_SINT32] = "sint32",
    [PROTOBUF_C_TYPE_SFIXED32] = "sfixed32", [PROTOBUF_C_TYPE_INT64] = "int64",
    [PROTOBUF_C_TYPE_SINT64] = "sint64",     [PROTOBUF_C_TYPE_SFIXED64] = "sfixed64",
    [PROTOBUF_C_TYPE_UINT32] = "uint32",     [PROTOBUF_C_TYPE_FIXED32] = "fixed32",
    [PROTOBUF_C_TYPE_UINT64] = "uint64",     [PROTOBUF_C_TYPE_FIXED64] = "fixed64",
    [PROTOBUF_C_TYPE_FLOAT] = "float",       [PROTOBUF_C_TYPE_DOUBLE] = "double",
    [PROTOBUF_C_TYPE_BOOL] = "bool",         [PROTOBUF_C_TYPE_STRING] = "string",
    [PROTOBUF_C_TYPE_BYTES] = "bytes",
};

// What was found on the way, each once.
static const ProtobufCMessageDescriptor *messages[TYPES_MAX];
static size_t message_count;
static const ProtobufCEnumDescriptor *enums[TYPES_MAX];
static size_t enum_count;

static void add_enum(const ProtobufCEnumDescriptor *type)
{
    for (size_t i = 0; i < enum_count; i++) {
        if (enums[i] == type)
            return;
    }
    if (enum_count == TYPES_MAX)
        abort();
    enums[enum_count++] = type;
}

// False where the message, or one below it, nests deeper than DEPTH_MAX, as one that contains
// itself does.
static bool add_message(const ProtobufCMessageDescriptor *type, int depth)
{
    if (depth > DEPTH_MAX) {
        fprintf(stderr, "%s is nested deeper than %d, or in itself\n", type->name, DEPTH_MAX);
        return false;
    }
    bool known = false;
    for (size_t i = 0; i < message_count && !known; i++)
        known = messages[i] == type;
    if (!known && message_count == TYPES_MAX)
        abort();
    if (!known)
        messages[message_count++] = type;
    for (unsigned i = 0; i < type->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &type->fields[i];
        if (field->type == PROTOBUF_C_TYPE_ENUM)
            add_enum(field->descriptor);
        if (field->type == PROTOBUF_C_TYPE_MESSAGE && !add_message(field->descriptor, depth + 1))
            return false;
    }
    return true;
}

static bool add_services(void)
{
    for (size_t i = 0; i < sizeof services / sizeof services[0]; i++) {
        for (unsigned k = 0; k < services[i]->n_methods; k++) {
            const ProtobufCMethodDescriptor *method = &services[i]->methods[k];
            if (!add_message(method->input, 1) || !add_message(method->output, 1))
                return false;
        }
    }
    return true;
}

static int by_message_name(const void *a, const void *b)
{
    return strcmp((*(const ProtobufCMessageDescriptor *const *)a)->name,
                  (*(const ProtobufCMessageDescriptor *const *)b)->name);
}

static int by_enum_name(const void *a, const void *b)
{
    return strcmp((*(const ProtobufCEnumDescriptor *const *)a)->name,
                  (*(const ProtobufCEnumDescriptor *const *)b)->name);
}

static void print_service(const ProtobufCServiceDescriptor *service)
{
    printf("service %s\n", service->name);
    for (unsigned i = 0; i < service->n_methods; i++)
        printf("    %s(%s) -> %s\n", service->methods[i].name,
               service->methods[i].input->short_name, service->methods[i].output->short_name);
}

static const char *type_name(const ProtobufCFieldDescriptor *field)
{
    if (field->type == PROTOBUF_C_TYPE_MESSAGE)
        return ((const ProtobufCMessageDescriptor *)field->descriptor)->short_name;
    if (field->type == PROTOBUF_C_TYPE_ENUM)
        return ((const ProtobufCEnumDescriptor *)field->descriptor)->short_name;
    return type_names[field->type];
}

static void print_field(const ProtobufCFieldDescriptor *field)
{
    const char *type = type_name(field);
    printf("    %3u %s%s%s %s\n", field->id,
           field->label == PROTOBUF_C_LABEL_REPEATED ? "repeated " : "",
           field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF ? "one of: " : "", type, field->name);
}

static void print_message(const ProtobufCMessageDescriptor *message)
{
    printf("message %s\n", message->name);
    for (unsigned i = 0; i < message->n_fields; i++)
        print_field(&message->fields[i]);
}

static void print_enum(const ProtobufCEnumDescriptor *type)
{
    printf("enum %s\n", type->name);
    for (unsigned i = 0; i < type->n_values; i++)
        printf("    %3d %s\n", type->values[i].value, type->values[i].name);
}

int main(void)
{
    if (!add_message(&pb__request_header__descriptor, 1) ||
        !add_message(&pb__response_header__descriptor, 1) || !add_services())
        return 1;
    qsort(messages, message_count, sizeof messages[0], by_message_name);
    qsort(enums, enum_count, sizeof enums[0], by_enum_name);
    for (size_t i = 0; i < sizeof services / sizeof services[0]; i++)
        print_service(services[i]);
    for (size_t i = 0; i < message_count; i++)
        print_message(messages[i]);
    for (size_t i = 0; i < enum_count; i++)
        print_enum(enums[i]);
    return 0;
}
