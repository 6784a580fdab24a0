#include "cli/list_out.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "cli/display.h"
#include "cli/error.h"

// stdio keeps that something failed, and not what.
static int first_failure;

void output_note_failure(void)
{
    first_failure = first_failure ? first_failure : errno;
}

void output_flush(void)
{
    if (fflush(stdout) != 0)
        output_note_failure();
}

int output_failure(void)
{
    output_flush();
    // Where stdio wrote of itself, and what came later got through, nobody saw what it was.
    return !first_failure && ferror(stdout) ? EIO : first_failure;
}

void list_begin(struct json_out *out, const struct cli *cli)
{
    out_init(out, stdout, cli->format == FORMAT_JSON);
    if (cli->format == FORMAT_JSON)
        out_begin_late(out, '[');
}

void list_item_end(struct json_out *out, const struct cli *cli)
{
    if (cli->format == FORMAT_JSONL)
        out_line(out);
}

void list_end(struct json_out *out, const struct cli *cli, int status)
{
    if (cli->format != FORMAT_JSON)
        return;
    if (out->waiting_bracket && status == STATUS_OK) {
        out->waiting_bracket = 0;
        out_begin(out, '[');
    }
    if (out->depth) {
        out_end(out, ']');
        out_line(out);
    }
}

void value_begin(struct json_out *out, const struct cli *cli)
{
    out_init(out, stdout, cli->format == FORMAT_JSON);
}

void value_end(struct json_out *out)
{
    out_line(out);
}

void print_fact(const char *name, const char *format, ...)
{
    char text[4096], clean[6144];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    display_clean(text, 0, clean, sizeof clean);
    if (clean[0])
        printf("%-12s %s\n", name, clean);
}
