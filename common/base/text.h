// Checks and conversions of text that comes from outside.
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF.
bool text_is_utf8(const void *bytes, size_t length);

// Puts '?' in the place of every byte that breaks UTF-8, as cuts do in the middle of a character.
void text_repair(char *text);

// Puts '_' in the place of every byte that is not a printable one of ASCII, and of '=': what comes
// from outside is then one word and one value in a line of key=value.
void text_make_word(char *text);

// Whether every character of text is in allowed, whose ranges are written out: "a-zA-Z0-9._-" (a
// '-' at the end is itself).
bool text_is_of(const char *text, const char *allowed);

// A whole decimal number, sign allowed, nothing else around it, between min and max; ret_value is
// untouched otherwise.
bool text_to_int64(const char *text, int64_t min, int64_t max, int64_t *ret_value);

// length bytes as 2 × length lower-case hexadecimal digits and a NUL.
void text_from_bytes(char *ret_hex, const void *bytes, size_t length);

#endif
