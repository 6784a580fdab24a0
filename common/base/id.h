// Ids that sort by the time they were made: 20 characters of [0-9a-z], 48 bits of milliseconds and
// 50 random bits in Crockford's base 32.
#ifndef BASE_ID_H
#define BASE_ID_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    ID_LENGTH = 20,
    ID_SIZE = ID_LENGTH + 1
};

void id_make(char ret_id[ID_SIZE]);

// Whether text has the form of an id; says nothing of whether it names something.
bool id_is_valid(const char *text);

enum {
    REQUEST_ID_SIZE = 16
};

// An id for a request: 6 bytes of the time in milliseconds, largest first, then random ones. A
// server that keeps a million of them finds the place of a new one beside that of the last.
void request_id_make(uint8_t ret_id[REQUEST_ID_SIZE]);

// count bytes from the kernel's generator; cannot fail on the kernels that SOMA runs on (getrandom,
// Linux 3.17).
void random_bytes(void *ret_bytes, size_t count);

#endif
