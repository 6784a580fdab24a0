// Writes JSON to a stream as it comes, without a tree in memory.
//
// Errors of the stream stay in it (ferror); nothing here fails. Text that is not UTF-8 is made so.
#ifndef CLI_JSON_OUT_H
#define CLI_JSON_OUT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct json_out {
    FILE *file;
    // Indented, except in lists begun with out_begin_flat.
    bool pretty;
    unsigned depth;
    // Containers deeper than this stand on one line; 0: none does.
    unsigned flat_depth;
    // One bit for each depth: something stands in it already.
    uint32_t filled;
    bool after_key;
    // Begins with the first value that stands in it; 0: none waits.
    char waiting_bracket;
};

void out_init(struct json_out *out, FILE *file, bool pretty);

// '{' or '['; at most 30 deep.
void out_begin(struct json_out *out, char bracket);
// The same, not written before something stands in it.
void out_begin_late(struct json_out *out, char bracket);
// The same, all on one line.
void out_begin_flat(struct json_out *out, char bracket);
void out_end(struct json_out *out, char bracket);

void out_key(struct json_out *out, const char *key);
// NULL: null.
void out_text(struct json_out *out, const char *text);
void out_int(struct json_out *out, int64_t value);
void out_double(struct json_out *out, double value);
void out_float(struct json_out *out, float value);
void out_bool(struct json_out *out, bool value);
void out_null(struct json_out *out);

// Ends the line after a whole value.
void out_line(struct json_out *out);

// Key and value in one.
void out_text_at(struct json_out *out, const char *key, const char *text);
void out_int_at(struct json_out *out, const char *key, int64_t value);
void out_bool_at(struct json_out *out, const char *key, bool value);

#endif
