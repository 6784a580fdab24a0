#include "cli/log_text.h"

#include <stdlib.h>
#include <string.h>

#include "cli/units.h"

static size_t count_lines(const char *data, size_t length)
{
    size_t count = 1;
    for (size_t i = 0; i < length; i++)
        count += data[i] == '\n';
    return count;
}

// Writes the time before each line that begins in data.
static size_t put_times(char *to, const char *data, size_t length, const char *time, bool *in_line)
{
    char *at = to;
    while (length > 0) {
        const char *end = memchr(data, '\n', length);
        size_t part = end ? (size_t)(end - data) + 1 : length;
        if (!*in_line) {
            at = stpcpy(at, time);
            *at++ = ' ';
        }
        memcpy(at, data, part);
        at += part;
        *in_line = end == NULL;
        data += part;
        length -= part;
    }
    return (size_t)(at - to);
}

bool log_text_make(struct log_text *text, const struct soma_job_log_piece *piece, size_t skip,
                   const char **ret_data, size_t *ret_length)
{
    char time[UNITS_TEXT_SIZE];
    const char *data = (const char *)piece->data + skip;
    size_t length = piece->length - skip;
    *ret_data = data;
    *ret_length = length;
    if (!text->with_times)
        return true;
    format_time(time, piece->time_ms);
    free(text->buffer);
    text->buffer = malloc(length + count_lines(data, length) * (strlen(time) + 1));
    if (!text->buffer)
        return false;
    *ret_data = text->buffer;
    *ret_length =
        put_times(text->buffer, data, length, time, &text->in_line[piece->stream == SOMA_STDERR]);
    return true;
}

void log_text_fini(struct log_text *text)
{
    free(text->buffer);
    text->buffer = NULL;
}
