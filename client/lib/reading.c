#include "lib/reading.h"

#include <stdarg.h>
#include <stdio.h>

void *read_array(struct reading *reading, size_t count, size_t size)
{
    if (reading->code != SOMA_OK || count == 0)
        return NULL;
    void *array = arena_calloc(reading->arena, count, size);
    if (!array)
        reading->code = error_set_no_memory(reading->err);
    return array;
}

const char *read_text_or_null(const char *text)
{
    return text[0] ? text : NULL;
}

void read_invalid(struct reading *reading, const char *format, ...)
{
    if (reading->code != SOMA_OK)
        return;
    char text[SOMA_TEXT_SIZE / 2];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    reading->code = error_set(reading->err, REASON_REPLY_INVALID, NULL, "the reply %s", text);
}
