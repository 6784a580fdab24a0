#include "cli/bar.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/display.h"
#include "cli/terminal.h"
#include "cli/units.h"

struct glyphs {
    const char *full, *empty;
    const char *left_end, *right_end;
    const char *spinner[4];
};

static const struct glyphs glyphs_ascii = {"#", "-", "[", "]", {"|", "/", "-", "\\"}};
static const struct glyphs glyphs_utf8 = {
    "\xe2\x96\x88",
    "\xe2\x96\x91",
    "",
    "",
    {"\xe2\xa0\x8b", "\xe2\xa0\xb9", "\xe2\xa0\xb4", "\xe2\xa0\xa7"}};

enum {
    BAR_CELLS_MAX = 30,
    BAR_CELLS_MIN = 5,
};

// Text under construction, bounded by its buffer and by the columns of the terminal.
struct line {
    char *text;
    size_t length;
    size_t columns_left;
};

static void line_bytes(struct line *line, const char *bytes)
{
    size_t length = strlen(bytes);
    if (line->length + length >= BAR_TEXT_SIZE - 8)
        return;
    memcpy(line->text + line->length, bytes, length + 1);
    line->length += length;
}

static void line_add(struct line *line, const char *text)
{
    char clean[600];
    if (!line->columns_left)
        return;
    line->columns_left -= display_clean(text, line->columns_left, clean, sizeof clean);
    line_bytes(line, clean);
}

static void line_paint(struct line *line, const struct bar_style *style, enum paint paint)
{
    if (style->color)
        line_bytes(line, paint == PAINT_NONE ? paint_end() : paint_begin(paint));
}

static void add_cells(struct line *line, const struct bar_style *style, double percent,
                      size_t cells)
{
    const struct glyphs *glyphs = style->utf8 ? &glyphs_utf8 : &glyphs_ascii;
    size_t full = (size_t)(percent / 100 * (double)cells + 1e-9);
    line_add(line, glyphs->left_end);
    line_paint(line, style, PAINT_GOOD);
    for (size_t i = 0; i < cells; i++) {
        if (i == full)
            line_paint(line, style, PAINT_DIM);
        line_add(line, i < full ? glyphs->full : glyphs->empty);
    }
    line_paint(line, style, PAINT_NONE);
    line_add(line, glyphs->right_end);
}

void bar_render(const struct bar_view *view, const struct bar_style *style,
                char ret_text[BAR_TEXT_SIZE])
{
    const struct glyphs *glyphs = style->utf8 ? &glyphs_utf8 : &glyphs_ascii;
    struct line line = {ret_text, 0, style->width};
    char times[80], clock[UNITS_TEXT_SIZE], number[32];
    ret_text[0] = '\0';
    if (view->percent < 0) {
        line_paint(&line, style, PAINT_BUSY);
        line_add(&line, glyphs->spinner[view->frame % 4]);
        line_paint(&line, style, PAINT_NONE);
        snprintf(times, sizeof times, " %s %s", view->label, format_clock(clock, view->elapsed_ms));
        line_add(&line, times);
    } else {
        double percent = view->percent > 100 ? 100 : view->percent;
        size_t cells = style->width / 3;
        cells = cells > BAR_CELLS_MAX ? BAR_CELLS_MAX : cells < BAR_CELLS_MIN ? 0 : cells;
        if (cells)
            add_cells(&line, style, percent, cells);
        snprintf(number, sizeof number, " %3d%%", (int)percent);
        line_add(&line, number + (cells ? 0 : 1));
        snprintf(times, sizeof times, "  %s", format_clock(clock, view->elapsed_ms));
        line_add(&line, times);
        if (view->left_ms >= 0) {
            snprintf(times, sizeof times, ", %s left", format_clock(clock, view->left_ms));
            line_add(&line, times);
        }
    }
    if (view->message && *view->message) {
        line_add(&line, "  ");
        line_add(&line, view->message);
    }
}

int64_t bar_left_ms(double percent, int64_t taken_ms, int64_t since_report_ms)
{
    if (percent < 1 || taken_ms < 1000)
        return -1;
    double left = (100 - percent) / percent * (double)taken_ms - (double)since_report_ms;
    return left < 0 ? 0 : (int64_t)left;
}

void bar_init(struct bar *bar, const struct cli *cli, int fd)
{
    *bar = (struct bar){.fd = fd};
    bar->enabled = !cli->quiet && terminal_is_smart(fd);
    bar->style.color = terminal_has_color(cli, fd);
    bar->style.utf8 = terminal_is_utf8();
}

static void bar_send(const struct bar *bar, const char *text, size_t length)
{
    // A line of progress that does not get through is no loss.
    ssize_t written = write(bar->fd, text, length);
    (void)written;
}

void bar_draw(struct bar *bar, const struct bar_view *view)
{
    // Index and up make room below, save and restore keep the place in the line of output
    // (ECMA-48 and DEC's VT100: IND, CUU, DECSC, CUD, EL, DECRC).
    static const char below_begin[] = "\x1b"
                                      "D\x1b[A\x1b"
                                      "7\x1b[B\r";
    static const char below_end[] = "\x1b[K\x1b"
                                    "8";
    char line[BAR_TEXT_SIZE], all[BAR_TEXT_SIZE + 64];
    if (!bar->enabled)
        return;
    size_t width = terminal_width(bar->fd);
    bar->style.width = width > 1 ? width - 1 : 1;
    bar_render(view, &bar->style, line);
    int length = snprintf(all, sizeof all, "%s%s%s", bar->mid_line ? below_begin : "\r", line,
                          bar->mid_line ? below_end : "\x1b[K");
    bar_send(bar, all, (size_t)length);
    bar->drawn = true;
    bar->below = bar->mid_line;
}

void bar_erase(struct bar *bar)
{
    static const char below[] = "\x1b"
                                "7\x1b[B\r\x1b[K\x1b"
                                "8";
    static const char here[] = "\r\x1b[K";
    if (!bar->drawn)
        return;
    if (bar->below)
        bar_send(bar, below, sizeof below - 1);
    else
        bar_send(bar, here, sizeof here - 1);
    bar->drawn = false;
}

void bar_wrote(struct bar *bar, const void *bytes, size_t length)
{
    if (length)
        bar->mid_line = ((const char *)bytes)[length - 1] != '\n';
}
