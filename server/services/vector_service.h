// soma.v1.VectorService: collections of vectors.
//
// Every method runs on a worker first, which checks the request; writes go on to the writer from
// there. Files: vector_collections.c, vector_writes.c and vector_reads.c hold the methods,
// vector_messages.c turns messages into domain values and back.
#ifndef SERVICES_VECTOR_SERVICE_H
#define SERVICES_VECTOR_SERVICE_H

#include <protobuf-c/protobuf-c.h>

#include "rpc/workers.h"
#include "store/writer.h"
#include "vectors/collection.h"

struct vector_service;

// All borrowed, for as long as the service lives.
struct vector_service_rooms {
    struct store *store;
    struct writer *writer;
    struct workers *workers;
    struct vectors *vectors;
};

// Begins to remove what cleared and deleted collections have left behind.
enum soma_code vector_service_new(const struct vector_service_rooms *rooms,
                                  struct vector_service **ret_service, struct soma_error *err);
// The writer has stopped. Takes NULL.
void vector_service_free(struct vector_service *service);

// For the dispatcher.
ProtobufCService *vector_service_base(struct vector_service *service);

#endif
