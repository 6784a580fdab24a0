#include "wire/limits.h"

#include <stddef.h>

#include "wire/limit_reached.h"

const struct limit_row limit_table[] = {
#define LIMIT(NAME, wire_name, value, meaning) {wire_name, value, meaning},
#include "wire/limits.def"
#undef LIMIT
    {NULL, 0, NULL},
};

enum soma_code limit_reached(struct soma_error *err, enum reason reason, const char *field,
                             const char *name, int64_t value)
{
    return error_set(err, reason, field, "the limit %s is %lld, and it is reached", name,
                     (long long)value);
}
