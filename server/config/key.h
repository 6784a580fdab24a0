// One configuration key: its row of the table, and what its kind can do. For the room config/ only.
#ifndef CONFIG_KEY_H
#define CONFIG_KEY_H

#include <stdbool.h>

#include "config/config.h"

enum key_kind {
    KEY_TEXT,
    KEY_NUMBER,
    KEY_SIZE,
    KEY_MODE,
    KEY_LEVEL,
    KEY_LIST
};

struct key_row {
    const char *name;
    enum key_kind kind;
    size_t offset; // of its field in struct config
    const char *initial;
    int64_t min, max; // of the numeric kinds
    const char *argument;
    const char *meaning;
};

// Ends with a row whose name is NULL.
extern const struct key_row key_table[];

// Parses value into the key's field. first: a list begins anew, else it is added to. err's text
// says what would be right.
enum soma_code key_parse(const struct key_row *row, const char *value, bool first,
                         struct config *config, struct soma_error *err);

// The value, as a file of the configuration has it.
void key_print(FILE *out, const struct key_row *row, const struct config *config);

// Frees what the field owns.
void key_clear(const struct key_row *row, struct config *config);

// The key whose name is nearest to a mistyped one, at most two edits away; NULL: none.
const char *key_nearest(const char *name);

void config_print_version(FILE *out);

#endif
