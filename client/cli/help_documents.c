// What the command table is good for besides help: the reference in Markdown, the manual page.
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "cli/help.h"

static bool is_document(const struct topic *topic)
{
    return topic->print == help_print_reference || topic->print == help_print_man;
}

// --- docs/CLI.md

static void reference_options(FILE *file, const struct option *options)
{
    for (const struct option *o = options; o && o->name; o++) {
        fprintf(file, "- `");
        if (o->letter)
            fprintf(file, "-%c`, `", o->letter);
        fprintf(file, "--%s%s%s`: %s%s\n", o->name, o->value ? " " : "", o->value ? o->value : "",
                o->summary, o->repeats ? " (may repeat)" : "");
    }
}

static void reference_command(FILE *file, const struct command *command)
{
    fprintf(file, "\n### soma %s\n\n%s.\n\n    soma %s%s%s\n\n", command->name, command->summary,
            command->name, *command->synopsis ? " " : "", command->synopsis);
    if (command->details)
        fprintf(file, "%s\n", command->details);
    reference_options(file, command->options);
    fprintf(file, "%sExamples:\n\n", command->options && command->options->name ? "\n" : "");
    for (const char *at = command->examples; *at;) {
        size_t length = strcspn(at, "\n");
        fprintf(file, "    %.*s\n", (int)length, at);
        at += length + (at[length] == '\n');
    }
}

void help_print_reference(FILE *file)
{
    fprintf(file, "# The command line\n\n"
                  "Written by `soma help reference`; a test compares the two.\n\n"
                  "Results go to stdout, everything else to stderr. Options may stand before or "
                  "after the command.\n\n"
                  "Options of every command:\n\n");
    reference_options(file, global_options);
    for (const struct command_group *group = command_groups; group->title; group++) {
        if (group->commands->is_hidden)
            continue;
        fprintf(file, "\n## %s\n", group->title);
        for (const struct command *c = group->commands; c->name; c++)
            reference_command(file, c);
    }
    for (const struct topic *topic = help_topics; topic->name; topic++) {
        if (is_document(topic))
            continue;
        fprintf(file, "\n## soma help %s\n\n```text\n", topic->name);
        help_print_topic(file, topic);
        fprintf(file, "```\n");
    }
}

// --- soma(1)

// A line that roff prints as it stands.
static void man_line(FILE *file, const char *text, size_t length)
{
    if (length > 0 && (text[0] == '.' || text[0] == '\''))
        fputs("\\&", file);
    for (size_t i = 0; i < length; i++) {
        if (text[i] == '\\')
            fputs("\\e", file);
        else if (text[i] == '-')
            fputs("\\-", file);
        else
            fputc(text[i], file);
    }
    fputc('\n', file);
}

static void man_lines(FILE *file, const char *text)
{
    while (*text) {
        size_t length = strcspn(text, "\n");
        man_line(file, text, length);
        text += length + (text[length] == '\n');
    }
}

static void man_block(FILE *file, const char *text)
{
    fputs(".PP\n.nf\n.RS 4\n", file);
    man_lines(file, text);
    fputs(".RE\n.fi\n", file);
}

static void man_options(FILE *file, const struct option *options)
{
    for (const struct option *o = options; o && o->name; o++) {
        char line[256];
        fputs(".TP\n", file);
        snprintf(line, sizeof line, "%s%c%s--%s%s%s", o->letter ? "-" : "",
                 o->letter ? o->letter : ' ', o->letter ? ", " : "", o->name, o->value ? " " : "",
                 o->value ? o->value : "");
        const char *text = line + strspn(line, " ");
        man_line(file, text, strlen(text));
        snprintf(line, sizeof line, "%s%s", o->summary, o->repeats ? " (may repeat)" : "");
        man_line(file, line, strlen(line));
    }
}

static void man_command(FILE *file, const struct command *command)
{
    char line[256];
    snprintf(line, sizeof line, "%s %s", command->name, command->synopsis);
    fputs(".SS ", file);
    man_line(file, line, strlen(line));
    snprintf(line, sizeof line, "%s.", command->summary);
    man_line(file, line, strlen(line));
    if (command->details)
        man_block(file, command->details);
    man_options(file, command->options);
    fputs(".PP\nExamples:\n", file);
    man_block(file, command->examples);
}

static void man_topic(FILE *file, const struct topic *topic)
{
    char *text = NULL;
    size_t size = 0;
    FILE *memory = open_memstream(&text, &size);
    if (!memory)
        return;
    help_print_topic(memory, topic);
    if (fclose(memory) == 0) {
        fputs(".SH ", file);
        for (const char *c = topic->name; *c; c++)
            fputc(*c == '-' ? ' ' : toupper((unsigned char)*c), file);
        fputc('\n', file);
        man_block(file, text);
    }
    free(text);
}

void help_print_man(FILE *file)
{
    fprintf(file,
            ".TH SOMA 1 \"\" \"SOMA %s\"\n.SH NAME\nsoma \\- run code as durable jobs and keep "
            "vectors\n.SH SYNOPSIS\n.B soma\n[OPTIONS] COMMAND ...\n.SH DESCRIPTION\nResults go to "
            "stdout, everything else to stderr. Options may stand before or after the command.\n"
            ".SH OPTIONS\n",
            SOMA_VERSION);
    man_options(file, global_options);
    for (const struct command_group *group = command_groups; group->title; group++) {
        if (group->commands->is_hidden)
            continue;
        fputs(".SH ", file);
        for (const char *c = group->title; *c; c++)
            fputc(toupper((unsigned char)*c), file);
        fputc('\n', file);
        for (const struct command *c = group->commands; c->name; c++)
            man_command(file, c);
    }
    for (const struct topic *topic = help_topics; topic->name; topic++) {
        if (!is_document(topic))
            man_topic(file, topic);
    }
    fputs(".SH SEE ALSO\nsomad(8)\n", file);
}
