// From replies to the caller's structs. What a server says is not believed: counts are held against
// what was asked, and what does not fit makes the call fail with REPLY_INVALID.
#ifndef LIB_READING_H
#define LIB_READING_H

#include "lib/method.h"

// Zeroed; NULL where count is 0 or reading has failed or fails here.
void *read_array(struct reading *reading, size_t count, size_t size);

// "" becomes NULL.
const char *read_text_or_null(const char *text);

// The first failure counts; format says what is wrong.
void read_invalid(struct reading *reading, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
