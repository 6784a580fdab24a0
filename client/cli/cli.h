// What every command knows of its surroundings, and what a command is.
//
// The program is one process with one thread of its own; only cli/follow.c meets threads, those of
// the library. Results go to stdout, everything else to stderr.
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <soma/soma.h>

#include "cli/options.h"
#include "cli/settings.h"

enum format {
    FORMAT_TABLE,
    FORMAT_JSON,
    FORMAT_JSONL,
};

struct cli {
    enum format format;
    bool quiet;
    // As asked for by --color; terminal.h decides with it.
    enum {
        COLOR_AUTO,
        COLOR_ALWAYS,
        COLOR_NEVER
    } color;
    // The command line's, once it is read.
    const struct options *options;
    struct settings settings;
    // --timeout, 0 where it was not given.
    int64_t timeout_ms;
    // The command's exit status speaks of a job: SOMA's own failures are then 125.
    bool speaks_for_job;
    // Opened by cli_connect.
    struct soma_client *client;
};

struct command {
    // "ps", "collection create".
    const char *name;
    // After the name, "[OPTIONS] ID…".
    const char *synopsis;
    const char *summary;
    // Whole command lines, each with its line end.
    const char *examples;
    // What the examples and the options do not say; NULL: nothing.
    const char *details;
    // Ends with a row without a name; NULL: none.
    const struct option *options;
    size_t operands_min;
    size_t operands_max;
    // Exit status.
    int (*run)(struct cli *cli, const struct options *options);
    bool speaks_for_job;
    // Not in overviews: programs call it, not people.
    bool is_hidden;
};

enum {
    ANY_NUMBER = 1 << 20
};

// Rows of the command table, one file for each group.
struct command_group {
    const char *title;
    // Ends with a row without a name.
    const struct command *commands;
    // Of its manual page, soma-PAGE(1); groups of one page stand together. NULL: hidden.
    const char *page;
};

// The command table, in commands.c; ends with a group without a title.
extern const struct command_group command_groups[];

// NULL where there is none.
const struct command *command_find(const char *name);

// Exit status 0, or what was reported.
int cli_connect(struct cli *cli);
// Ends every call of the library that is still in flight.
void cli_disconnect(struct cli *cli);

#endif
