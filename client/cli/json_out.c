#include "cli/json_out.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cli/display.h"
#include "cli/units.h"

void out_init(struct json_out *out, FILE *file, bool pretty)
{
    *out = (struct json_out){.file = file, .pretty = pretty};
}

static bool is_flat(const struct json_out *out)
{
    return !out->pretty || (out->flat_depth && out->depth >= out->flat_depth);
}

static void new_line(struct json_out *out)
{
    if (!is_flat(out) && out->depth)
        fprintf(out->file, "\n%*s", (int)out->depth * 2, "");
}

// What stands before a value or a key.
static void before_value(struct json_out *out)
{
    if (out->waiting_bracket) {
        char bracket = out->waiting_bracket;
        out->waiting_bracket = 0;
        out_begin(out, bracket);
    }
    uint32_t bit = UINT32_C(1) << out->depth;
    if (out->after_key) {
        out->after_key = false;
        return;
    }
    if (out->depth && (out->filled & bit))
        fputs(is_flat(out) && out->pretty ? ", " : ",", out->file);
    out->filled |= bit;
    new_line(out);
}

void out_begin(struct json_out *out, char bracket)
{
    before_value(out);
    putc(bracket, out->file);
    out->depth++;
    out->filled &= ~(UINT32_C(1) << out->depth);
}

void out_begin_late(struct json_out *out, char bracket)
{
    out->waiting_bracket = bracket;
}

void out_begin_flat(struct json_out *out, char bracket)
{
    out_begin(out, bracket);
    if (!out->flat_depth)
        out->flat_depth = out->depth;
}

void out_end(struct json_out *out, char bracket)
{
    bool was_filled = out->filled & (UINT32_C(1) << out->depth);
    bool was_flat = is_flat(out);
    if (out->flat_depth == out->depth)
        out->flat_depth = 0;
    out->depth--;
    if (was_filled && !was_flat)
        fprintf(out->file, "\n%*s", (int)out->depth * 2, "");
    putc(bracket, out->file);
}

// U+0080 to U+009f, the second bytes of which are their numbers: some terminals obey them as they
// do escape sequences. JSON itself lets them through.
static bool is_c1(const char *text)
{
    unsigned char second = (unsigned char)text[1];
    return text[0] == '\xc2' && second >= 0x80 && second <= 0x9f;
}

static void quoted(struct json_out *out, const char *text)
{
    putc('"', out->file);
    for (const char *at = text; *at;) {
        unsigned char c = (unsigned char)*at;
        if (c == '"' || c == '\\')
            fprintf(out->file, "\\%c", c);
        else if (c == '\n')
            fputs("\\n", out->file);
        else if (c == '\t')
            fputs("\\t", out->file);
        else if (c < 0x20 || c == 0x7f)
            fprintf(out->file, "\\u%04x", c);
        else {
            size_t length = utf8_length(at);
            if (is_c1(at))
                fprintf(out->file, "\\u%04x", (unsigned char)at[1]);
            else if (length)
                fwrite(at, 1, length, out->file);
            else
                fputs("\xef\xbf\xbd", out->file);
            at += length ? length : 1;
            continue;
        }
        at++;
    }
    putc('"', out->file);
}

void out_key(struct json_out *out, const char *key)
{
    before_value(out);
    quoted(out, key);
    fputs(out->pretty ? ": " : ":", out->file);
    out->after_key = true;
}

void out_text(struct json_out *out, const char *text)
{
    if (!text) {
        out_null(out);
        return;
    }
    before_value(out);
    quoted(out, text);
}

void out_int(struct json_out *out, int64_t value)
{
    before_value(out);
    fprintf(out->file, "%" PRId64, value);
}

// A number with a point or an exponent, so that it is read back as a real one.
static void real(struct json_out *out, const char *text)
{
    before_value(out);
    fputs(text, out->file);
    if (!strpbrk(text, ".en"))
        fputs(".0", out->file);
}

void out_double(struct json_out *out, double value)
{
    char text[UNITS_TEXT_SIZE];
    real(out, format_double(text, value));
}

void out_float(struct json_out *out, float value)
{
    char text[UNITS_TEXT_SIZE];
    real(out, format_float(text, value));
}

void out_bool(struct json_out *out, bool value)
{
    before_value(out);
    fputs(value ? "true" : "false", out->file);
}

void out_null(struct json_out *out)
{
    before_value(out);
    fputs("null", out->file);
}

void out_line(struct json_out *out)
{
    putc('\n', out->file);
    out->filled = 0;
}

void out_text_at(struct json_out *out, const char *key, const char *text)
{
    out_key(out, key);
    out_text(out, text);
}

void out_int_at(struct json_out *out, const char *key, int64_t value)
{
    out_key(out, key);
    out_int(out, value);
}

void out_bool_at(struct json_out *out, const char *key, bool value)
{
    out_key(out, key);
    out_bool(out, value);
}
