// What the terminal can do, if there is one.
#ifndef CLI_TERMINAL_H
#define CLI_TERMINAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cli/cli.h"

enum paint {
    PAINT_NONE,
    PAINT_GOOD,
    PAINT_BAD,
    PAINT_BUSY,
    PAINT_DIM,
};

// A terminal that understands cursor movement: TERM is neither unset nor "dumb".
bool terminal_is_smart(int fd);
// --color, then NO_COLOR, then whether fd is a smart terminal.
bool terminal_has_color(const struct cli *cli, int fd);
bool terminal_is_utf8(void);
// Columns of the terminal on fd; 0 where it is none.
size_t terminal_width(int fd);

// The sequence that begins a paint, and the one that ends any.
const char *paint_begin(enum paint paint);
const char *paint_end(void);

enum {
    ASKER_SIZE = 160
};

// Who asks for something: "by ada on lovelace".
const char *asker_name(char ret_text[ASKER_SIZE]);

// Milliseconds of a clock that never goes back.
int64_t now_ms(void);
// Milliseconds since 1970-01-01 UTC.
int64_t wall_ms(void);

#endif
