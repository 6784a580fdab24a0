// soma help: all of it comes from the command table, the exit statuses and the topics below.
#ifndef CLI_HELP_H
#define CLI_HELP_H

#include <stdio.h>

#include "cli/cli.h"

extern const struct option global_options[];

// Commands, one line each.
void help_overview(FILE *file);
void help_command(FILE *file, const struct command *command);

struct topic {
    const char *name;
    const char *summary;
    // Prints the topic; text is printed where it is NULL.
    void (*print)(FILE *file);
    const char *text;
};

// Ends with a row without a name.
extern const struct topic help_topics[];
void help_print_topic(FILE *file, const struct topic *topic);

// help_documents.c: docs/CLI.md.
void help_print_reference(FILE *file);
// help_man.c: soma(1) in roff; then, to stdout, soma-PAGE(1), or with "pages" the names of those
// that there are.
void help_print_man(FILE *file);
int help_man(const struct cli *cli, const char *page);
// Whether it is made of the others.
bool help_is_document(const struct topic *topic);

// The command help.
int run_help(struct cli *cli, const struct options *options);

// Whether commands of two words begin with this one.
bool help_knows_group(const char *name);

// The command or topic nearest to a mistyped name; NULL: none is near.
const char *help_nearest(const char *name);

#endif
