// Every message of the services (messages.h says which). What decodes is packed and decoded again,
// and must be the same.
#include <string.h>

#include "fuzz.h"
#include "messages.h"
#include "wire/decode.h"

static void decode_again(const ProtobufCMessageDescriptor *type, const ProtobufCMessage *message)
{
    size_t length = protobuf_c_message_get_packed_size(message);
    uint8_t *packed = malloc(length ? length : 1);
    uint8_t *again = malloc(length ? length : 1);
    struct arena arena;
    arena_init(&arena, SIZE_MAX);
    MUST(packed && again && protobuf_c_message_pack(message, packed) == length);
    const ProtobufCMessage *second = wire_decode(type, packed, length, &arena, NULL);
    MUST(second && protobuf_c_message_get_packed_size(second) == length);
    protobuf_c_message_pack(second, again);
    MUST(memcmp(packed, again, length) == 0);
    arena_fini(&arena);
    free(packed);
    free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    const ProtobufCMessageDescriptor *type = message_type(bytes, length);
    if (!type)
        return 0;
    bytes += MESSAGE_CHOICE_BYTES;
    length -= MESSAGE_CHOICE_BYTES;
    struct arena arena;
    struct soma_error err = {0};
    arena_init(&arena, wire_decode_budget(length));
    const ProtobufCMessage *message = wire_decode(type, bytes, length, &arena, &err);
    MUST(message || err.reason[0]);
    MUST(arena.held <= arena.budget);
    if (message)
        decode_again(type, message);
    arena_fini(&arena);
    return 0;
}
