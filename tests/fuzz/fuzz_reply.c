// A hostile server against libsoma: messages.h says which reply it is.
#include <string.h>

#include "fuzz.h"
#include "lib/method.h"
#include "messages.h"
#include "wire/decode.h"

static const struct method *method_with(const ProtobufCMessageDescriptor *reply_type)
{
    for (size_t i = 0; i < METHOD_COUNT; i++) {
        if (method_table[i].reply_type == reply_type)
            return &method_table[i];
    }
    return NULL;
}

// What was asked for comes from the third byte: replies are held against it.
static struct asked asked_for(uint8_t byte, const char *const *ids)
{
    return (struct asked){.item_count = byte % 4,
                          .dimension = byte / 4 % 4,
                          .k = byte / 16 % 4,
                          .streams = {byte / 64 % 2, byte / 128},
                          .ids = ids};
}

static void read_reply(const struct method *method, const uint8_t *bytes, size_t length)
{
    static const char *const ids[] = {"a", "b", "c", "d"};
    struct arena arena;
    struct soma_error err = {0};
    arena_init(&arena, 4 * wire_decode_budget(length));
    struct reply reply = {
        .message = wire_decode(method->reply_type, bytes + 1, length - 1, &arena, &err),
        .asked = asked_for(bytes[0], ids),
    };
    void *result = arena_calloc(&arena, 1, method->result_size);
    struct reading reading = {.arena = &arena, .replies = &reply, .err = &err};
    if (reply.message && result) {
        method->read(&reading, result);
        MUST(reading.code == SOMA_OK || err.reason[0]);
    }
    arena_fini(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    const ProtobufCMessageDescriptor *type = message_type(bytes, length);
    const struct method *method = type ? method_with(type) : NULL;
    if (method && length > MESSAGE_CHOICE_BYTES)
        read_reply(method, bytes + MESSAGE_CHOICE_BYTES, length - MESSAGE_CHOICE_BYTES);
    return 0;
}
