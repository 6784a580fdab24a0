// Methods as rows: what stands in soma.h, in the protobuf services, and between the two.
//
// methods.def lists them; a row's two functions turn the caller's struct into the request message
// and the reply messages into the result. A request whose items are many is packed in pieces, one
// message each.
#ifndef LIB_METHOD_H
#define LIB_METHOD_H

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <soma/soma.h>

#include "base/arena.h"
#include "base/error.h"

enum {
    METHOD_MUTATES = 1, // carries a request id
    METHOD_BULK = 2,    // large either way: on the connection for such
    METHOD_PARTIAL = 4, // what the pieces before a failed one did is handed over
};

// What was asked for, as far as the reply is held against it.
struct asked {
    size_t item_count;      // records, ids or queries in the piece
    uint32_t dimension;     // 0: not known
    uint32_t k;             // hits wanted for each query
    bool streams[2];        // stdout, stderr
    uint32_t wait_ms;       // a long poll
    const char *const *ids; // of all items, in the result's arena; NULL: not needed
};

// Packing one piece. Failures stick: the first one counts, and the functions below go on with what
// does no harm.
struct packing {
    struct arena *scratch; // gone when the piece is packed
    struct arena *kept;    // the result's
    void *message;         // the request message, initialised; to be filled
    size_t first;          // items before this piece
    int *memo;             // the call's, 0 for the first piece: what packing found out before
    bool more;             // set: items are left for another piece
    bool bulk;             // set: large in this case
    struct asked asked;
    enum soma_code code;
    struct soma_error *err;
};

// The reply to one piece.
struct reply {
    struct reply *next;
    const void *message; // the response message, in the result's arena
    size_t first;
    struct asked asked;
};

// Building the result; failures stick as in packing.
struct reading {
    struct arena *arena;
    const struct reply *replies; // at least one
    enum soma_code code;
    struct soma_error *err;
};

struct piece;
struct method;

typedef void method_deliver(void (*done)(void), void *user, void *result,
                            const struct soma_error *err);

// After a reply to a piece: *ret_rest is what the reply left undone, or NULL.
typedef enum soma_code method_resume(const struct method *method, const struct piece *piece,
                                     const void *reply, struct piece **ret_rest,
                                     struct soma_error *err);

struct method {
    const char *path; // "soma.v1.JobService/SubmitJob"
    const ProtobufCMessageDescriptor *request_type;
    const ProtobufCMessageDescriptor *reply_type;
    unsigned flags;
    size_t request_size;
    size_t result_size;
    void (*pack)(const void *request, struct packing *packing);
    void (*read)(struct reading *reading, void *result);
    method_resume *resume; // NULL: replies are whole
    method_deliver *deliver;
};

enum method_id {
#define METHOD(NAME, REQUEST, RESULT, SERVICE, METHOD_NAME, message, flags, resume) \
    METHOD_ID_##NAME,
#include "lib/methods.def"
#undef METHOD
    METHOD_COUNT
};

extern const struct method method_table[METHOD_COUNT];

#define METHOD(NAME, REQUEST, RESULT, SERVICE, METHOD_NAME, message, flags, resume) \
    void NAME##_pack(const struct REQUEST *request, struct packing *packing);       \
    void NAME##_read(struct reading *reading, struct RESULT *result);
#include "lib/methods.def"
#undef METHOD

method_resume records_get_resume;

#endif
