#include "wire/limits.h"

#include <stddef.h>

const struct limit_row limit_table[] = {
#define LIMIT(NAME, wire_name, value, meaning) {wire_name, value, meaning},
#include "wire/limits.def"
#undef LIMIT
    {NULL, 0, NULL},
};
