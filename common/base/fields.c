#include "base/fields.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

static const char end_mark[] = "end 0\n\n";

enum {
    KEY_MAX = 32,
    LENGTH_DIGITS_MAX = 18,
    FIRST_SIZE = 512
};

void fields_writer_init(struct fields_writer *writer, size_t max_bytes)
{
    *writer = (struct fields_writer){.max_bytes = max_bytes};
}

void fields_writer_fini(struct fields_writer *writer)
{
    free(writer->bytes);
    *writer = (struct fields_writer){.max_bytes = writer->max_bytes};
}

static bool grow(struct fields_writer *writer, size_t more)
{
    if (writer->failed || more > writer->max_bytes - writer->length) {
        writer->failed = true;
        return false;
    }
    size_t needed = writer->length + more;
    if (needed <= writer->size)
        return true;
    size_t size = writer->size ? writer->size * 2 : FIRST_SIZE;
    if (size < needed)
        size = needed;
    char *bytes = realloc(writer->bytes, size);
    if (!bytes) {
        writer->failed = true;
        return false;
    }
    writer->bytes = bytes;
    writer->size = size;
    return true;
}

static void append(struct fields_writer *writer, const void *bytes, size_t length)
{
    if (length == 0 || !grow(writer, length))
        return;
    memcpy(writer->bytes + writer->length, bytes, length);
    writer->length += length;
}

// Writes the digits before end; gives the first one.
static char *put_digits(char *end, uint64_t number)
{
    do
        *--end = (char)('0' + number % 10);
    while (number /= 10);
    return end;
}

void fields_put(struct fields_writer *writer, const char *key, const void *bytes, size_t length)
{
    char head[LENGTH_DIGITS_MAX + 4];
    char *end = head + sizeof head, *at = end;
    *--at = '\n';
    at = put_digits(at, length);
    *--at = ' ';
    append(writer, key, strnlen(key, KEY_MAX));
    append(writer, at, (size_t)(end - at));
    append(writer, bytes, length);
    append(writer, "\n", 1);
}

void fields_put_text(struct fields_writer *writer, const char *key, const char *text)
{
    fields_put(writer, key, text, strlen(text));
}

void fields_put_int(struct fields_writer *writer, const char *key, int64_t value)
{
    char text[24];
    char *end = text + sizeof text;
    uint64_t size = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    char *at = put_digits(end, size);
    if (value < 0)
        *--at = '-';
    fields_put(writer, key, at, (size_t)(end - at));
}

enum soma_code fields_finish(struct fields_writer *writer, struct soma_error *err)
{
    append(writer, end_mark, sizeof end_mark - 1);
    if (writer->failed)
        return error_set(err, REASON_OUT_OF_MEMORY, NULL, "more than %zu bytes of fields",
                         writer->max_bytes);
    return SOMA_OK;
}

// Reads "key length LF" at *at; false where there is none.
static bool read_head(const char **at, const char *end, struct field *ret_field)
{
    size_t left = (size_t)(end - *at);
    const char *newline = memchr(*at, '\n', left < 64 ? left : 64);
    const char *space = newline ? memchr(*at, ' ', (size_t)(newline - *at)) : NULL;
    if (!space || space == *at || space - *at > KEY_MAX)
        return false;
    char digits[LENGTH_DIGITS_MAX + 1];
    size_t digit_count = (size_t)(newline - space - 1);
    if (digit_count == 0 || digit_count > LENGTH_DIGITS_MAX)
        return false;
    memcpy(digits, space + 1, digit_count);
    digits[digit_count] = '\0';
    int64_t length;
    if (digits[0] == '+' || !text_to_int64(digits, 0, INT64_MAX, &length))
        return false;
    memcpy(ret_field->key, *at, (size_t)(space - *at));
    ret_field->key[space - *at] = '\0';
    ret_field->length = (size_t)length;
    *at = newline + 1;
    return text_is_of(ret_field->key, "a-z0-9_");
}

static bool read_field(struct fields_reader *reader, struct field *ret_field)
{
    const char *at = reader->at;
    if (!read_head(&at, reader->end, ret_field))
        return false;
    if ((size_t)(reader->end - at) < ret_field->length + 1 || at[ret_field->length] != '\n')
        return false;
    ret_field->bytes = at;
    reader->at = at + ret_field->length + 1;
    return true;
}

enum soma_code fields_open(struct fields_reader *reader, const char *bytes, size_t length,
                           struct soma_error *err)
{
    struct fields_reader cursor = {bytes, bytes + length};
    struct field field;
    while (read_field(&cursor, &field)) {
        if (!field_is(&field, "end"))
            continue;
        if (field.length == 0 && cursor.at == cursor.end) {
            *reader = (struct fields_reader){bytes, bytes + length};
            return SOMA_OK;
        }
        break;
    }
    return error_set(err, REASON_DATA_DAMAGED, NULL, "fields are torn at byte %zu of %zu",
                     (size_t)(cursor.at - bytes), length);
}

bool fields_next(struct fields_reader *reader, struct field *ret_field)
{
    struct field field;
    if (!read_field(reader, &field) || field_is(&field, "end"))
        return false;
    *ret_field = field;
    return true;
}

bool field_is(const struct field *field, const char *key)
{
    return strcmp(field->key, key) == 0;
}

bool field_to_int(const struct field *field, int64_t *ret_value)
{
    char text[24];
    if (field->length == 0 || field->length >= sizeof text)
        return false;
    memcpy(text, field->bytes, field->length);
    text[field->length] = '\0';
    return text_to_int64(text, INT64_MIN, INT64_MAX, ret_value);
}
