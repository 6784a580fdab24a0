// All fixed limits in one place, as constants and as a table to serve.
#ifndef WIRE_LIMITS_H
#define WIRE_LIMITS_H

#include <stdint.h>

// LIMIT_FRAME_BYTES and so on; constant expressions. An enum for each, so that one that needs 64
// bits does not widen the others.
#define LIMIT(NAME, wire_name, value, meaning) \
    enum {                                     \
        LIMIT_##NAME = value                   \
    };
#include "wire/limits.def"
#undef LIMIT

struct limit_row {
    const char *name; // as GetServerInfo says it
    int64_t value;
    const char *meaning;
};

// Ends with a row whose name is NULL.
extern const struct limit_row limit_table[];

#endif
