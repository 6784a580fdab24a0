// Which message the bytes of an input are, by its first two: the service, and twice the method plus
// 0 for its request or 1 for its response. Inputs so keep their meaning while methods are added.
#ifndef TESTS_FUZZ_MESSAGES_H
#define TESTS_FUZZ_MESSAGES_H

#include <protobuf-c/protobuf-c.h>
#include <stddef.h>
#include <stdint.h>

#include "soma/v1/jobs.pb-c.h"
#include "soma/v1/server.pb-c.h"
#include "soma/v1/vectors.pb-c.h"

enum {
    MESSAGE_CHOICE_BYTES = 2
};

// NULL: the bytes name none.
static inline const ProtobufCMessageDescriptor *message_type(const uint8_t *bytes, size_t length)
{
    static const ProtobufCServiceDescriptor *const services[] = {&pb__job_service__descriptor,
                                                                 &pb__vector_service__descriptor,
                                                                 &pb__server_service__descriptor};
    if (length < MESSAGE_CHOICE_BYTES || bytes[0] >= sizeof services / sizeof services[0] ||
        bytes[1] / 2 >= services[bytes[0]]->n_methods)
        return NULL;
    const ProtobufCMethodDescriptor *method = &services[bytes[0]]->methods[bytes[1] / 2];
    return bytes[1] % 2 ? method->output : method->input;
}

#endif
