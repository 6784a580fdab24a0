#include "services/record_list.h"

#include <string.h>

enum soma_code record_list_init(struct record_list *list, struct record_parts parts, uint32_t dim,
                                size_t room, struct arena *arena, struct soma_error *err)
{
    *list = (struct record_list){.arena = arena, .parts = parts, .dim = dim, .room = room};
    // More embeddings than a reply holds are never put in.
    size_t row_bytes = dim * sizeof(float);
    size_t row_room = room < REPLY_BYTES / row_bytes + 1 ? room : REPLY_BYTES / row_bytes + 1;
    list->records = arena_alloc(arena, room * sizeof *list->records);
    list->embeddings = arena_alloc(arena, parts.embedding ? row_room * row_bytes : 1);
    return list->records && list->embeddings ? SOMA_OK : error_set_no_memory(err);
}

enum soma_code record_list_add(struct record_list *list, struct store_txn *txn, int64_t num,
                               size_t max_bytes, bool *ret_fits, struct soma_error *err)
{
    struct record_row row;
    Pb__Record *message;
    enum soma_code code = records_read(txn, num, list->parts, list->dim, list->arena, &row, err);
    if (!code)
        code = message_from_record(&row, list->arena, &message, err);
    if (code)
        return code;
    size_t row_bytes = list->parts.embedding ? list->dim * sizeof(float) : 0;
    size_t bytes = protobuf_c_message_get_packed_size(&message->base) + row_bytes + FIELD_OVERHEAD;
    *ret_fits = list->bytes + bytes <= max_bytes;
    if (!*ret_fits)
        return SOMA_OK;
    if (row_bytes)
        memcpy(list->embeddings + list->count * list->dim, row.embedding, row_bytes);
    list->records[list->count++] = message;
    list->bytes += bytes;
    return SOMA_OK;
}

enum soma_code record_list_add_id(struct record_list *list, const char *id, size_t max_bytes,
                                  bool *ret_fits, struct soma_error *err)
{
    Pb__Record *message = arena_alloc(list->arena, sizeof *message);
    char *copy = arena_string(list->arena, id);
    if (!message || !copy)
        return error_set_no_memory(err);
    pb__record__init(message);
    message->id = copy;
    size_t bytes = strlen(id) + 2 * FIELD_OVERHEAD;
    *ret_fits = list->bytes + bytes <= max_bytes;
    if (*ret_fits) {
        list->records[list->count++] = message;
        list->bytes += bytes;
    }
    return SOMA_OK;
}

size_t record_list_number_count(const struct record_list *list)
{
    return list->parts.embedding ? list->count * list->dim : 0;
}
