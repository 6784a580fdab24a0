// How a refusal says which limit it met, in one wording: docs/PROTOCOL.md promises its name and its
// value.
#ifndef WIRE_LIMIT_REACHED_H
#define WIRE_LIMIT_REACHED_H

#include <stdint.h>

#include "base/error.h"

// error_set; name as in limits.def.
enum soma_code limit_reached(struct soma_error *err, enum reason reason, const char *field,
                             const char *name, int64_t value);

#endif
