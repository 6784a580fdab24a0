// Metadata as one string of bytes: typed fields sorted by key.
//
// Equal metadata has equal bytes, so that comparing and hashing need no decoding; filters read the
// bytes in place. Each field is
//     type 1 byte, key length 1, value count 2, value bytes 4, key, NUL, values
// with numbers little-endian; a value is length 4, text, NUL (string), 8 bytes (int, double) or
// 1 byte (bool). No fields: no bytes. Doubles are finite and kept bit by bit, so -0.0 stays -0.0
// (and equals 0.0 in a filter).
#ifndef VECTORS_METADATA_H
#define VECTORS_METADATA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"

// Stored: the numbers never change.
enum metadata_type {
    METADATA_REMOVE = 0, // only in a patch: takes the key out
    METADATA_STRING = 1,
    METADATA_INT = 2,
    METADATA_DOUBLE = 3,
    METADATA_BOOL = 4,
    METADATA_STRING_LIST = 5,
    METADATA_INT_LIST = 6,
    METADATA_DOUBLE_LIST = 7,
    METADATA_BOOL_LIST = 8
};

// A field as it comes in; borrows everything.
struct metadata_field {
    const char *key;
    enum metadata_type type;
    size_t count; // of values; 1 where the type is no list
    union {
        const char *const *strings;
        const int64_t *ints;
        const double *doubles;
        const int *bools;
    } values;
};

struct metadata {
    const uint8_t *bytes;
    size_t length;
};

// Checks the fields and encodes them into the arena. FIELD_REQUIRED, FIELD_INVALID, FIELD_TOO_LONG
// or DUPLICATE_KEY with a field like "metadata[3].key". A patch may hold METADATA_REMOVE.
enum soma_code metadata_encode(const struct metadata_field *fields, size_t count, bool is_patch,
                               struct arena *arena, struct metadata *ret_metadata,
                               struct soma_error *err);

// base with the fields of patch put in or taken out. FIELD_TOO_LONG where the sum is over a limit.
enum soma_code metadata_merge(struct metadata base, struct metadata patch, struct arena *arena,
                              struct metadata *ret_metadata, struct soma_error *err);

bool metadata_is_equal(struct metadata a, struct metadata b);

// A field of encoded metadata; points into it.
struct metadata_item {
    const char *key; // ends in NUL
    size_t key_length;
    enum metadata_type type;
    size_t count;
    const uint8_t *values;
    size_t value_bytes;
};

// Takes the next field off the front of *rest; false at the end, and at bytes that are damaged:
// then rest->length is not 0.
bool metadata_next(struct metadata *rest, struct metadata_item *ret_item);

// False where there is no field of that key.
bool metadata_find(struct metadata metadata, const char *key, size_t key_length,
                   struct metadata_item *ret_item);

// One value of a field, of the scalar type that belongs to the field's.
struct metadata_value {
    enum metadata_type type; // METADATA_STRING to METADATA_BOOL
    const char *text;        // ends in NUL
    size_t text_length;
    union {
        int64_t integer;
        double real;
        bool truth;
    };
};

// Takes the next value off the item; false at the end or at damage.
bool metadata_value_next(struct metadata_item *item, struct metadata_value *ret_value);

bool metadata_type_is_list(enum metadata_type type);

#endif
