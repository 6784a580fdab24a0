#include "lib/packing.h"

#include <stdio.h>
#include <string.h>

enum {
    // No struct of ours will ever be larger; a struct_size above it is not one.
    STRUCT_BYTES_MAX = 65536
};

static bool is_zero(const unsigned char *bytes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (bytes[i])
            return false;
    }
    return true;
}

static enum soma_code check_size(const void *given, size_t size, size_t known_size,
                                 struct soma_error *err)
{
    if (size < sizeof size)
        return error_set(err, REASON_FIELD_REQUIRED, "struct_size",
                         "struct_size is %zu: the struct was not initialised", size);
    if (size > STRUCT_BYTES_MAX)
        return error_set(err, REASON_FIELD_INVALID, "struct_size", "struct_size is %zu", size);
    if (size > known_size && !is_zero((const unsigned char *)given + known_size, size - known_size))
        return error_set(err, REASON_FIELD_INVALID, "struct_size",
                         "the struct uses fields that are newer than this library");
    return SOMA_OK;
}

enum soma_code struct_take(const void *given, size_t known_size, const char *name, void *room,
                           const void **ret_known, struct soma_error *err)
{
    if (!given)
        return error_set(err, REASON_FIELD_REQUIRED, name ? name : "request", "it is NULL");
    size_t size;
    memcpy(&size, given, sizeof size);
    enum soma_code code = check_size(given, size, known_size, err);
    if (code != SOMA_OK) {
        if (name)
            error_prefix_field(err, name);
        return code;
    }
    *ret_known = given;
    if (size < known_size) {
        memset(room, 0, known_size);
        memcpy(room, given, size);
        memcpy(room, &known_size, sizeof known_size);
        *ret_known = room;
    }
    return SOMA_OK;
}

static void no_memory(struct packing *packing)
{
    if (packing->code == SOMA_OK)
        packing->code = error_set_no_memory(packing->err);
}

void *pack_array(struct packing *packing, size_t count, size_t size)
{
    if (packing->code != SOMA_OK || count == 0)
        return NULL;
    void *array = arena_calloc(packing->scratch, count, size);
    if (!array)
        no_memory(packing);
    return array;
}

void *pack_message(struct packing *packing, const ProtobufCMessageDescriptor *type)
{
    ProtobufCMessage *message = pack_array(packing, 1, type->sizeof_message);
    if (message)
        protobuf_c_message_init(type, message);
    return message;
}

void *pack_messages(struct packing *packing, const ProtobufCMessageDescriptor *type, size_t count)
{
    ProtobufCMessage **pointers = pack_array(packing, count, sizeof(void *));
    unsigned char *bodies = pack_array(packing, count, type->sizeof_message);
    if (!pointers || !bodies)
        return NULL;
    for (size_t i = 0; i < count; i++) {
        pointers[i] = (ProtobufCMessage *)(void *)(bodies + i * type->sizeof_message);
        protobuf_c_message_init(type, pointers[i]);
    }
    return pointers;
}

void pack_required(struct packing *packing, const char *field)
{
    if (packing->code == SOMA_OK)
        packing->code = error_set(packing->err, REASON_FIELD_REQUIRED, field, "it is missing");
}

bool pack_has(struct packing *packing, const char *field, const void *array, size_t count)
{
    if (count > 0 && !array)
        pack_required(packing, field);
    return count > 0 && array && packing->code == SOMA_OK;
}

const char *pack_text(struct packing *packing, const char *field, const char *text)
{
    if (!text)
        pack_required(packing, field);
    return pack_text_or_none(text);
}

const char *pack_text_or_none(const char *text)
{
    return text ? text : "";
}

const char **pack_texts(struct packing *packing, const char *field, const char *const *texts,
                        size_t count)
{
    if (!pack_has(packing, field, texts, count))
        return NULL;
    for (size_t i = 0; i < count; i++) {
        if (!texts[i]) {
            char place[SOMA_FIELD_SIZE];
            snprintf(place, sizeof place, "%s[%zu]", field, i);
            pack_required(packing, place);
            return NULL;
        }
    }
    // protobuf-c's type for it; packing writes to neither the array nor the texts.
    return (const char **)(void *)(uintptr_t)texts;
}

ProtobufCBinaryData pack_bytes(struct packing *packing, const char *field, const void *bytes,
                               size_t length)
{
    if (!pack_has(packing, field, bytes, length))
        return (ProtobufCBinaryData){0, NULL};
    return (ProtobufCBinaryData){length, (uint8_t *)(uintptr_t)bytes};
}
