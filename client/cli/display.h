// Text from elsewhere, made fit for a terminal: no control characters, no more columns than asked.
#ifndef CLI_DISPLAY_H
#define CLI_DISPLAY_H

#include <stddef.h>

// Bytes of the UTF-8 character (RFC 3629) that text begins with; 0: it does not begin with one.
size_t utf8_length(const char *text);

// Columns that clean UTF-8 text takes.
size_t display_width(const char *text);

// Copies text into ret_text and returns its columns: white space becomes spaces, control characters
// and what is not UTF-8 become '?', and text that takes more columns than max_columns (0: no limit)
// is cut and ends in an ellipsis. Cut at the buffer's size in any case, between characters.
size_t display_clean(const char *text, size_t max_columns, char *ret_text, size_t size);

// The same on the heap; NULL: out of memory.
char *display_clean_new(const char *text, size_t max_columns);

#endif
