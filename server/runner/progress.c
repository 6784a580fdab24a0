#include "runner/progress.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

enum {
    NUMBER_MAX = 24
};

// Decimal digits with at most one point, 0 to 100. strtod alone would also take "inf" and "0x10".
static bool take_percent(const char **at, double *ret_percent)
{
    char number[NUMBER_MAX + 1];
    size_t length = strspn(*at, "0123456789.");
    if (length == 0 || length > NUMBER_MAX)
        return false;
    memcpy(number, *at, length);
    number[length] = '\0';
    char *end;
    double value = strtod(number, &end);
    if (*end || end == number || value < 0 || value > 100)
        return false;
    *at += length;
    if (**at == '%')
        (*at)++;
    *ret_percent = value;
    return true;
}

static void set_text(struct progress *progress, const char *text)
{
    size_t length = strlen(text);
    if (length > PROGRESS_TEXT_MAX) {
        length = PROGRESS_TEXT_MAX;
        while (length > 0 && ((unsigned char)text[length] & 0xc0) == 0x80)
            length--;
    }
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)text[i];
        progress->text[i] = c < ' ' || c == 0x7f ? ' ' : text[i];
    }
    while (length > 0 && progress->text[length - 1] == ' ')
        length--;
    progress->text[length] = '\0';
}

// Cuts a character that the end of the line's room cut in two; a text broken elsewhere stays so.
static void drop_cut_character(struct progress *progress)
{
    if (progress->line_length < PROGRESS_LINE_SIZE - 1)
        return;
    size_t length = progress->line_length;
    for (int back = 0; back < 3 && ((unsigned char)progress->line[length - 1] & 0xc0) == 0x80;
         back++)
        length--;
    if ((unsigned char)progress->line[length - 1] >= 0xc0)
        progress->line_length = length - 1;
}

static bool take_line(struct progress *progress)
{
    drop_cut_character(progress);
    progress->line[progress->line_length] = '\0';
    const char *at = progress->line + strspn(progress->line, " \t");
    double percent;
    if (memchr(progress->line, '\0', progress->line_length) || !take_percent(&at, &percent))
        return false;
    if (*at && !strchr(" \t\r", *at))
        return false;
    at += strspn(at, " \t\r");
    if (!text_is_utf8(at, strlen(at)))
        return false;
    progress->is_known = true;
    progress->percent = percent;
    set_text(progress, at);
    return true;
}

bool progress_feed(struct progress *progress, const char *bytes, size_t length)
{
    bool has_news = false;
    for (size_t i = 0; i < length; i++) {
        if (bytes[i] == '\n') {
            has_news |= take_line(progress);
            progress->line_length = 0;
        } else if (progress->line_length < PROGRESS_LINE_SIZE - 1) {
            progress->line[progress->line_length++] = bytes[i];
        }
    }
    return has_news;
}

void progress_format(const struct progress *progress, char ret_text[PROGRESS_FORMAT_SIZE])
{
    snprintf(ret_text, PROGRESS_FORMAT_SIZE, "%.10g%s%s", progress->percent,
             progress->text[0] ? " " : "", progress->text);
}
