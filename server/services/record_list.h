// Records of a reply, with their embeddings beside them, bounded in bytes.
#ifndef SERVICES_RECORD_LIST_H
#define SERVICES_RECORD_LIST_H

#include "services/vector_messages.h"
#include "wire/limits.h"

enum {
    // What a reply's message may take of its frame.
    REPLY_BYTES = LIMIT_FRAME_BYTES - LIMIT_HEADER_BYTES - 1024,
    FIELD_OVERHEAD = 8 // tag and length around one message
};

struct record_list {
    struct arena *arena;
    struct record_parts parts;
    uint32_t dim;
    Pb__Record **records; // room for room
    float *embeddings;    // float[room][dim] where wanted
    size_t count, room;
    size_t bytes; // when packed
};

enum soma_code record_list_init(struct record_list *list, struct record_parts parts, uint32_t dim,
                                size_t room, struct arena *arena, struct soma_error *err);

// Reads a record and appends it, unless the list would take more than max_bytes; *ret_fits.
enum soma_code record_list_add(struct record_list *list, struct store_txn *txn, int64_t num,
                               size_t max_bytes, bool *ret_fits, struct soma_error *err);

// Appends a record of which nothing but the id is wanted, without reading it.
enum soma_code record_list_add_id(struct record_list *list, const char *id, size_t max_bytes,
                                  bool *ret_fits, struct soma_error *err);

// Of all embeddings together; 0 where none are wanted.
size_t record_list_number_count(const struct record_list *list);

#endif
