// Which server is spoken to, and how: from an option, else from the environment, else from a
// context, else what the library does of itself. settings.def is the one table.
//
// A context belongs together: where an option or the environment names the server, nothing of the
// context that is in use is taken, so that its token goes to no other server. Where --context names
// one, nothing of the environment is taken, for the same reason, and with --server beside it not
// the context's token, unless that is its server.
#ifndef CLI_SETTINGS_H
#define CLI_SETTINGS_H

#include <stddef.h>

#include <soma/soma.h>

#include "cli/contexts.h"

struct cli;

enum setting {
#define SETTING(id, name, value, field, variable, kind, otherwise, summary) SETTING_##id,
#define SECRET(id, name, field, variable, otherwise, summary)               SETTING_##id,
#include "cli/settings.def"
#undef SETTING
#undef SECRET
    SETTING_COUNT
};

enum setting_kind {
    SETTING_TEXT,
    SETTING_PATH,
    SETTING_SECRET, // no option; never shown
};

struct setting_row {
    const char *name;
    size_t offset; // of its field in struct soma_client_options
    const char *variable;
    enum setting_kind kind;
    const char *otherwise; // what holds where nothing is set
    const char *summary;
};

extern const struct setting_row setting_table[SETTING_COUNT];

enum origin {
    ORIGIN_DEFAULT,
    ORIGIN_CONTEXT,
    ORIGIN_ENVIRONMENT,
    ORIGIN_NAMED_CONTEXT, // by --context
    ORIGIN_OPTION,
};

enum {
    TOKEN_SIZE = 513
};

// Resolved once, when a client is opened or somebody asks. All zero: not yet.
struct settings {
    struct {
        const char *value; // NULL: not set
        enum origin origin;
    } of[SETTING_COUNT];
    struct contexts contexts;      // owned
    const struct context *context; // what is in use; NULL: none
    char token[TOKEN_SIZE];        // of a token file
};

// Exit status 0, or what was reported: no such context, a file that cannot be read.
int settings_resolve(struct cli *cli);
void settings_fini(struct settings *settings);

// Fills the fields of what is set.
void settings_apply(const struct settings *settings, struct soma_client_options *options);

// "option", "environment, SOMA_SERVER", "context prod", "default". text has ORIGIN_SIZE bytes.
enum {
    ORIGIN_SIZE = 96
};
const char *settings_origin(const struct settings *settings, enum setting setting, char *text);

#endif
