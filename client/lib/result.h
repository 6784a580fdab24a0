// A result: one pointer for the caller, and behind it the arena that all of it lies in.
#ifndef LIB_RESULT_H
#define LIB_RESULT_H

#include <stddef.h>

#include "base/arena.h"

// Zeroed; NULL without memory. soma_free gives it back.
void *result_new(size_t size);

// The arena of a result; its budget is the current owner's to set.
struct arena *result_arena(void *result);

#endif
