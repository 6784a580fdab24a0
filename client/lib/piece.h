// One request message on its way, packed: the whole request, or one of the pieces that a request
// with many items is sent in.
#ifndef LIB_PIECE_H
#define LIB_PIECE_H

#include "lib/method.h"

struct piece {
    struct piece *next;
    size_t first; // items before it
    struct asked asked;
    bool bulk;
    bool more; // another is to be packed after it
    size_t length;
    uint8_t bytes[]; // the message
};

// The piece that begins at item first; the caller frees it. kept and memo are as in struct packing.
enum soma_code piece_pack(const struct method *method, const void *request, size_t first,
                          struct arena *kept, int *memo, struct piece **ret,
                          struct soma_error *err);

// A piece of a message that is there already.
enum soma_code piece_of_message(const ProtobufCMessage *message, struct piece **ret,
                                struct soma_error *err);

// "records[3].id" becomes "records[13].id" where 10 items stand before the piece.
void piece_shift_field(struct soma_error *err, size_t first);

#endif
