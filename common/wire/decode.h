// The only place where bytes from outside become protobuf messages.
//
// protobuf-c checks neither UTF-8 nor enum values, ends strings at a NUL, has no bound on depth or
// memory. So a message is walked along its descriptor first: every string is UTF-8 without NUL,
// every enum value has a name, nesting and counts are bounded, and an error names the field
// ("spec.labels[2].key"). Only then is it unpacked, into an arena with a budget.
#ifndef WIRE_DECODE_H
#define WIRE_DECODE_H

#include <protobuf-c/protobuf-c.h>

#include "base/arena.h"
#include "base/error.h"

// The message, in the arena, or NULL with MESSAGE_MALFORMED, TEXT_NOT_UTF8, TEXT_HAS_NUL,
// ENUM_UNKNOWN or MESSAGE_TOO_LARGE. An unpacked message has no unknown fields. bytes must outlive
// nothing: all is copied.
ProtobufCMessage *wire_decode(const ProtobufCMessageDescriptor *type, const void *bytes,
                              size_t length, struct arena *arena, struct soma_error *err);

// A sensible arena budget for a frame of that length: what an honest message of that size takes,
// and not much more.
size_t wire_decode_budget(size_t frame_length);

#endif
