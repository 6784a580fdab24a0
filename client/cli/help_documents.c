// The reference of all commands in Markdown, from their table.
#include <string.h>

#include "cli/help.h"

bool help_is_document(const struct topic *topic)
{
    return topic->print == help_print_reference || topic->print == help_print_man;
}

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
    fprintf(file,
            "# The command line\n\n"
            "Written by `soma help reference`; a test compares the two.\n\n"
            "Results go to stdout, everything else to stderr. Options may stand before or "
            "after the command. The\npackage brings completion for bash, zsh and fish, with the "
            "ids and names that there are; in a checkout it is\n"
            "`. client/package/completions/soma.bash`.\n\n"
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
        if (help_is_document(topic))
            continue;
        fprintf(file, "\n## soma help %s\n\n```text\n", topic->name);
        help_print_topic(file, topic);
        fprintf(file, "```\n");
    }
}
