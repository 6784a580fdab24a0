// One line of progress at the bottom of what was written to the terminal.
//
// Whoever writes to the terminal calls bar_erase first and bar_wrote afterwards; so output lines
// stay whole. While output stands in the middle of a line, the bar is drawn on the line below.
#ifndef CLI_BAR_H
#define CLI_BAR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cli/cli.h"

// What the line says.
struct bar_view {
    // "queued", "running", "upserting"; shown where no percent is known.
    const char *label;
    // 0 to 100; below 0: unknown, a spinner is shown.
    double percent;
    // "" where none.
    const char *message;
    int64_t elapsed_ms;
    // Time still to go; below 0: unknown.
    int64_t left_ms;
    // Counts up with each drawing; turns the spinner.
    unsigned frame;
};

struct bar_style {
    // Columns that may be used.
    size_t width;
    bool color;
    bool utf8;
};

enum {
    BAR_TEXT_SIZE = 2048
};

// The line as bytes, without line end or cursor movement.
void bar_render(const struct bar_view *view, const struct bar_style *style,
                char ret_text[BAR_TEXT_SIZE]);

struct bar {
    // False: nothing is ever written.
    bool enabled;
    int fd;
    struct bar_style style;
    bool drawn;
    // The drawn bar stands below a line of output that has not ended.
    bool below;
    bool mid_line;
};

// Enabled where fd is a smart terminal and the user has not asked for quiet.
void bar_init(struct bar *bar, const struct cli *cli, int fd);
void bar_draw(struct bar *bar, const struct bar_view *view);
void bar_erase(struct bar *bar);
// Bytes were written to the terminal.
void bar_wrote(struct bar *bar, const void *bytes, size_t length);

// Time to go, from the time that percent took; below 0 where nothing can be said.
int64_t bar_left_ms(double percent, int64_t taken_ms, int64_t since_report_ms);

#endif
