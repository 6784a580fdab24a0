// What an operator can set, from four places: a flag, else an environment variable, else the file,
// else the default.
//
// keys.def is the one table; the struct, the reading, the help, the example file and the man page
// follow it. A key "max-running" is the flag --max-running, the variable SOMA_MAX_RUNNING and the
// line "max-running = 8" of the file.
#ifndef CONFIG_CONFIG_H
#define CONFIG_CONFIG_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/error.h"

enum {
    CONFIG_LIST_MAX = 64
};

struct config_list {
    char *items[CONFIG_LIST_MAX]; // owned
    size_t count;
};

typedef char *config_text;
typedef int64_t config_number; // also sizes, file modes and choices
typedef struct config_list config_items;

struct config {
#define KEY(name, field, kind, type, initial, min, max, argument, meaning) type field;
#include "config/keys.def"
#undef KEY
    const char *archive; // of CONFIG_BACKUP and CONFIG_RESTORE; borrowed from the command line
};

enum config_action {
    CONFIG_RUN,     // start the server
    CONFIG_PRINTED, // --help and the like: the answer is on stdout, exit 0
    // On the data directory, without a server: upkeep/upkeep.h.
    CONFIG_CHECK,
    CONFIG_BACKUP,  // to config->archive
    CONFIG_RESTORE, // from it
};

// Reads flags, environment and file. CONFIG_INVALID with the key in field, and where the value came
// from in the text. ret_config is config_fini's to free, also after a failure.
enum soma_code config_load(int argc, char **argv, struct config *ret_config,
                           enum config_action *ret_action, struct soma_error *err);
void config_fini(struct config *config);

// --- made from the table

void config_print_help(FILE *out);
void config_print_example(FILE *out);
void config_print_man(FILE *out);

#endif
