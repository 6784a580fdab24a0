#include "wire/frame.h"

#include <string.h>

#include "wire/limits.h"

enum soma_code frame_split(const uint8_t *frame, size_t length, struct frame_parts *ret_parts,
                           struct soma_error *err)
{
    if (length < FRAME_PREFIX_BYTES)
        return error_set(err, REASON_FRAME_MALFORMED, NULL, "a frame of %zu bytes has no prefix",
                         length);
    if (length > (size_t)LIMIT_FRAME_BYTES)
        return error_set(err, REASON_MESSAGE_TOO_LARGE, NULL,
                         "a frame of %zu bytes, at most %lld are allowed (frame_bytes)", length,
                         (long long)LIMIT_FRAME_BYTES);
    if (frame[0] != FRAME_VERSION)
        return error_set(err, REASON_FRAME_VERSION, NULL, "frame version %u, this side speaks %d",
                         frame[0], FRAME_VERSION);
    size_t header_length =
        (size_t)frame[1] | (size_t)frame[2] << 8 | (size_t)frame[3] << 16 | (size_t)frame[4] << 24;
    if (header_length > (size_t)LIMIT_HEADER_BYTES)
        return error_set(err, REASON_MESSAGE_TOO_LARGE, NULL,
                         "a header of %zu bytes, at most %lld are allowed (header_bytes)",
                         header_length, (long long)LIMIT_HEADER_BYTES);
    if (header_length > length - FRAME_PREFIX_BYTES)
        return error_set(err, REASON_FRAME_MALFORMED, NULL,
                         "a header of %zu bytes does not fit into a frame of %zu", header_length,
                         length);
    ret_parts->header = frame + FRAME_PREFIX_BYTES;
    ret_parts->header_length = header_length;
    ret_parts->message = ret_parts->header + header_length;
    ret_parts->message_length = length - FRAME_PREFIX_BYTES - header_length;
    return SOMA_OK;
}

size_t frame_length_packed(const ProtobufCMessage *header, size_t message_length)
{
    return FRAME_PREFIX_BYTES + protobuf_c_message_get_packed_size(header) + message_length;
}

size_t frame_length(const ProtobufCMessage *header, const ProtobufCMessage *message_or_null)
{
    size_t message_length =
        message_or_null ? protobuf_c_message_get_packed_size(message_or_null) : 0;
    return frame_length_packed(header, message_length);
}

// Writes prefix and header; gives the place where the message begins.
static uint8_t *write_head(uint8_t *frame, const ProtobufCMessage *header)
{
    size_t length = protobuf_c_message_pack(header, frame + FRAME_PREFIX_BYTES);
    frame[0] = FRAME_VERSION;
    for (int i = 0; i < 4; i++)
        frame[1 + i] = (uint8_t)(length >> (8 * i));
    return frame + FRAME_PREFIX_BYTES + length;
}

void frame_write(uint8_t *ret_frame, const ProtobufCMessage *header,
                 const ProtobufCMessage *message_or_null)
{
    uint8_t *at = write_head(ret_frame, header);
    if (message_or_null)
        protobuf_c_message_pack(message_or_null, at);
}

void frame_write_packed(uint8_t *ret_frame, const ProtobufCMessage *header, const void *message,
                        size_t message_length)
{
    uint8_t *at = write_head(ret_frame, header);
    if (message_length)
        memcpy(at, message, message_length);
}
