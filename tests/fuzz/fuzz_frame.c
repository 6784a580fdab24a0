// A frame and its two kinds of header, as they come from a peer.
#include "fuzz.h"
#include "soma/v1/rpc.pb-c.h"
#include "wire/decode.h"
#include "wire/frame.h"

static void decode(const ProtobufCMessageDescriptor *type, const struct frame_parts *parts)
{
    struct arena arena;
    struct soma_error err = {0};
    arena_init(&arena, wire_decode_budget(parts->header_length));
    const ProtobufCMessage *header =
        wire_decode(type, parts->header, parts->header_length, &arena, &err);
    MUST(header || err.code != SOMA_OK);
    MUST(arena.held <= arena.budget);
    arena_fini(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    struct frame_parts parts;
    struct soma_error err = {0};
    if (frame_split(bytes, length, &parts, &err) != SOMA_OK) {
        MUST(err.reason[0]);
        return 0;
    }
    MUST(FRAME_PREFIX_BYTES + parts.header_length + parts.message_length == length);
    decode(&pb__request_header__descriptor, &parts);
    decode(&pb__response_header__descriptor, &parts);
    return 0;
}
