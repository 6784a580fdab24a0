#include "lib/piece.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/packing.h"
#include "wire/frame.h"
#include "wire/limits.h"

enum {
    // The header is at most its limit; so this fits whatever token and program are.
    MESSAGE_BYTES_MAX = LIMIT_FRAME_BYTES - LIMIT_HEADER_BYTES - FRAME_PREFIX_BYTES,
    BULK_BYTES = 65536,
    SCRATCH_BYTES = 256 << 20
};

enum soma_code piece_of_message(const ProtobufCMessage *message, struct piece **ret,
                                struct soma_error *err)
{
    size_t length = protobuf_c_message_get_packed_size(message);
    if (length > MESSAGE_BYTES_MAX)
        return error_set(err, REASON_MESSAGE_TOO_LARGE, NULL,
                         "the request takes %zu bytes, more than %d", length, MESSAGE_BYTES_MAX);
    struct piece *piece = calloc(1, sizeof *piece + length);
    if (!piece)
        return error_set_no_memory(err);
    piece->length = protobuf_c_message_pack(message, piece->bytes);
    *ret = piece;
    return SOMA_OK;
}

static enum soma_code pack_in(struct packing *packing, const struct method *method,
                              const void *request, struct piece **ret)
{
    packing->message = pack_message(packing, method->request_type);
    if (packing->message)
        method->pack(request, packing);
    if (packing->code != SOMA_OK)
        return packing->code;
    enum soma_code code = piece_of_message(packing->message, ret, packing->err);
    if (code != SOMA_OK)
        return code;
    struct piece *piece = *ret;
    piece->first = packing->first;
    piece->asked = packing->asked;
    piece->more = packing->more;
    piece->bulk = packing->bulk || piece->length > BULK_BYTES || (method->flags & METHOD_BULK);
    return SOMA_OK;
}

enum soma_code piece_pack(const struct method *method, const void *request, size_t first,
                          struct arena *kept, int *memo, struct piece **ret, struct soma_error *err)
{
    struct arena scratch;
    arena_init(&scratch, SCRATCH_BYTES);
    struct packing packing = {
        .scratch = &scratch, .kept = kept, .first = first, .memo = memo, .err = err};
    enum soma_code code = pack_in(&packing, method, request, ret);
    arena_fini(&scratch);
    return code;
}

void piece_shift_field(struct soma_error *err, size_t first)
{
    char *open = first ? strchr(err->field, '[') : NULL;
    if (!open || !isdigit((unsigned char)open[1]))
        return;
    char *end;
    uintmax_t index = strtoumax(open + 1, &end, 10);
    if (*end != ']')
        return;
    char rest[SOMA_FIELD_SIZE];
    snprintf(rest, sizeof rest, "%s", end);
    size_t room = sizeof err->field - (size_t)(open + 1 - err->field);
    snprintf(open + 1, room, "%ju%.*s", index + first, SOMA_FIELD_SIZE - 1, rest);
}
