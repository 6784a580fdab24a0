// The frame: byte 0 the version, bytes 1 to 4 the header's length (little-endian), the header, the
// message.
//
// Nothing here knows nng: frames are byte ranges.
#ifndef WIRE_FRAME_H
#define WIRE_FRAME_H

#include <protobuf-c/protobuf-c.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"

enum {
    FRAME_VERSION = 1,
    FRAME_PREFIX_BYTES = 5,
    // What nng puts in front of a frame: a request id, and one more number for each device between.
    // A socket that shall receive a frame of LIMIT_FRAME_BYTES must allow for it.
    FRAME_ENVELOPE_BYTES = 64
};

// Where the parts of a frame lie; points into the frame.
struct frame_parts {
    const uint8_t *header;
    size_t header_length;
    const uint8_t *message;
    size_t message_length;
};

// FRAME_MALFORMED, FRAME_VERSION (naming both versions), MESSAGE_TOO_LARGE.
enum soma_code frame_split(const uint8_t *frame, size_t length, struct frame_parts *ret_parts,
                           struct soma_error *err);

// Bytes that frame_write will write for these.
size_t frame_length(const ProtobufCMessage *header, const ProtobufCMessage *message_or_null);

// Writes the frame into exactly frame_length bytes.
void frame_write(uint8_t *ret_frame, const ProtobufCMessage *header,
                 const ProtobufCMessage *message_or_null);

// The same with a message that is packed already.
size_t frame_length_packed(const ProtobufCMessage *header, size_t message_length);
void frame_write_packed(uint8_t *ret_frame, const ProtobufCMessage *header, const void *message,
                        size_t message_length);

#endif
