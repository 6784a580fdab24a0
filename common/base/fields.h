// Files of fields, which server and runner exchange: "key length LF bytes LF", again and again.
// Binary-safe, readable, no nesting; the order of fields counts, and a key may stand several times.
//
// A whole file ends in "end 0 LF LF": what lacks it is torn and refused.
#ifndef BASE_FIELDS_H
#define BASE_FIELDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

// --- writing: grows on the heap up to max_bytes, remembers the first failure.
struct fields_writer {
    char *bytes; // owned
    size_t length;
    size_t size;
    size_t max_bytes;
    bool failed; // over max_bytes or out of memory
};

void fields_writer_init(struct fields_writer *writer, size_t max_bytes);
void fields_writer_fini(struct fields_writer *writer);
// key: 1 to 32 characters of [a-z0-9_].
void fields_put(struct fields_writer *writer, const char *key, const void *bytes, size_t length);
void fields_put_text(struct fields_writer *writer, const char *key, const char *text);
void fields_put_int(struct fields_writer *writer, const char *key, int64_t value);
// Adds the end mark. After it bytes and length are the file, unless failed (RESOURCE_EXHAUSTED in
// err).
enum soma_code fields_finish(struct fields_writer *writer, struct soma_error *err);

// --- reading: a cursor over bytes that stay the caller's.
struct fields_reader {
    const char *at;
    const char *end;
};

struct field {
    char key[33];
    const char *bytes; // into the reader's bytes, not NUL-terminated
    size_t length;
};

// DATA_DAMAGED where the end mark is missing or a field does not parse; checks the whole file at
// once.
enum soma_code fields_open(struct fields_reader *reader, const char *bytes, size_t length,
                           struct soma_error *err);
// False at the end mark.
bool fields_next(struct fields_reader *reader, struct field *ret_field);
bool field_is(const struct field *field, const char *key);
// The field's bytes as a whole decimal number; false where they are none.
bool field_to_int(const struct field *field, int64_t *ret_value);

#endif
