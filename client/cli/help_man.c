// The manual pages in roff, from the table of commands: soma(1), and soma-PAGE(1) for the groups of
// each page.
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "cli/error.h"
#include "cli/help.h"

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
    snprintf(line, sizeof line, "soma %s %s", command->name, command->synopsis);
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

static void man_heading(FILE *file, const char *title)
{
    fputs(".SH ", file);
    for (const char *c = title; *c; c++)
        fputc(toupper((unsigned char)*c), file);
    fputc('\n', file);
}

// Whether the group is the first one of its page.
static bool begins_page(const struct command_group *group)
{
    return group->page &&
           (group == command_groups || !group[-1].page || strcmp(group[-1].page, group->page) != 0);
}

static void man_see_also(FILE *file, const char *but)
{
    fputs(".SH SEE ALSO\n", file);
    if (but)
        fputs("soma(1),\n", file);
    for (const struct command_group *group = command_groups; group->title; group++) {
        if (begins_page(group) && (!but || strcmp(group->page, but) != 0))
            fprintf(file, "soma\\-%s(1),\n", group->page);
    }
    fputs("libsoma(3), somad(8)\n", file);
}

static void man_summaries(FILE *file)
{
    for (const struct command_group *group = command_groups; group->title; group++) {
        if (!group->page)
            continue;
        fprintf(file, ".SS %s: soma\\-%s(1)\n", group->title, group->page);
        for (const struct command *c = group->commands; c->name; c++) {
            fputs(".TP\n.B soma ", file);
            man_line(file, c->name, strlen(c->name));
            man_line(file, c->summary, strlen(c->summary));
        }
    }
}

void help_print_man(FILE *file)
{
    fprintf(file,
            ".TH SOMA 1 \"\" \"SOMA %s\"\n.SH NAME\nsoma \\- run code as durable jobs and keep "
            "vectors\n.SH SYNOPSIS\n.B soma\n[OPTIONS] COMMAND ...\n.SH DESCRIPTION\nResults go to "
            "stdout, everything else to stderr. Options may stand before or after the command.\n"
            ".SH COMMANDS\n",
            SOMA_VERSION);
    man_summaries(file);
    fputs(".SH OPTIONS\n", file);
    man_options(file, global_options);
    for (const struct topic *topic = help_topics; topic->name; topic++) {
        if (!help_is_document(topic))
            man_topic(file, topic);
    }
    man_see_also(file, NULL);
}

// "soma-run, soma-queue-ls": man finds a page by each of these.
static void man_names(FILE *file, const char *page)
{
    const char *comma = "";
    for (const struct command_group *group = command_groups; group->title; group++) {
        if (!group->page || strcmp(group->page, page) != 0)
            continue;
        for (const struct command *c = group->commands; c->name; c++, comma = ", ") {
            fprintf(file, "%ssoma\\-", comma);
            for (const char *letter = c->name; *letter; letter++)
                fputs(*letter == ' ' || *letter == '-' ? "\\-" : (char[]){*letter, 0}, file);
        }
    }
}

static void print_page(FILE *file, const char *page)
{
    fprintf(file, ".TH SOMA\\-");
    for (const char *c = page; *c; c++)
        fputc(toupper((unsigned char)*c), file);
    fprintf(file, " 1 \"\" \"SOMA %s\"\n.SH NAME\n", SOMA_VERSION);
    man_names(file, page);
    fprintf(file, " \\- %s on a SOMA server\n", page);
    for (const struct command_group *group = command_groups; group->title; group++) {
        if (!group->page || strcmp(group->page, page) != 0)
            continue;
        man_heading(file, group->title);
        for (const struct command *c = group->commands; c->name; c++)
            man_command(file, c);
    }
    fputs(".SH OPTIONS OF EVERY COMMAND\n", file);
    man_options(file, global_options);
    man_see_also(file, page);
}

int help_man(const struct cli *cli, const char *page)
{
    bool is_list = strcmp(page, "pages") == 0;
    for (const struct command_group *group = command_groups; group->title; group++) {
        if (!begins_page(group))
            continue;
        if (is_list) {
            puts(group->page);
        } else if (strcmp(group->page, page) == 0) {
            print_page(stdout, page);
            return STATUS_OK;
        }
    }
    return is_list ? STATUS_OK
                   : report_usage(cli, "'soma help man pages' lists them",
                                  "help: there is no manual page soma-%s(1)", page);
}
