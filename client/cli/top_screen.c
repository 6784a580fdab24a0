#define NCURSES_WIDECHAR 1
#include "cli/top.h"

#include <curses.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/bar.h"
#include "cli/display.h"
#include "cli/terminal.h"
#include "cli/units.h"

enum {
    COLUMNS_MAX = 6,
    CELL_SIZE = BAR_TEXT_SIZE,
    HEAD_ROWS = 4, // two lines of figures and an empty one around them, or trouble
    REST_MIN = 10, // where the terminal is too narrow, the last columns are cut off instead
    CTRL_C = 3,
};

struct column {
    const char *title;
    int width; // 0: what is left
    bool right;
};

// A part of the screen: titles, and a row for each thing.
struct part {
    const struct column *columns;
    size_t column_count;
    size_t count;
    // Fills the cells of the i-th thing; width is that of the column that takes what is left.
    void (*fill)(const struct top_view *view, size_t i, int width, char cells[][CELL_SIZE]);
};

bool screen_open(void)
{
    // What the terminal's description cannot be found for ends initscr, not the program.
    terminal_is_utf8();
    if (!newterm(NULL, stdout, stdin))
        return false;
    raw(); // Ctrl-C is a key, so that the terminal is given back in one place
    noecho();
    keypad(stdscr, TRUE);
    curs_set(0);
    return true;
}

void screen_close(void)
{
    endwin();
}

// --- cells

static void put(int row, int column, int width, const char *text, bool right)
{
    char clean[CELL_SIZE];
    if (width > COLS - column)
        width = COLS - column; // curses would go on in the next line
    if (width <= 0)
        return;
    int used = (int)display_clean(text, (size_t)width, clean, sizeof clean);
    mvaddstr(row, column + (right && used < width ? width - used : 0), clean);
}

static int rest_of(const struct column *columns, size_t count)
{
    int used = 0;
    for (size_t i = 0; i < count; i++)
        used += columns[i].width + (i > 0 ? 2 : 0);
    return COLS - used > REST_MIN ? COLS - used : REST_MIN;
}

static void put_titles(int row, const struct part *part, int rest)
{
    int at = 0;
    attron(A_REVERSE);
    mvhline(row, 0, ' ', COLS);
    for (size_t i = 0; i < part->column_count; i++) {
        int width = part->columns[i].width ? part->columns[i].width : rest;
        put(row, at, width, part->columns[i].title, part->columns[i].right);
        at += width + 2;
    }
    attroff(A_REVERSE);
}

// The part's rows, at most so many lines of the screen with the titles; gives the next free line.
static int put_part(int row, int lines, const struct top_view *view, const struct part *part)
{
    int rest = rest_of(part->columns, part->column_count);
    if (lines < 2)
        return row;
    put_titles(row++, part, rest);
    size_t shown = part->count;
    if (shown > (size_t)lines - 1)
        shown = (size_t)lines - 2;
    for (size_t i = 0; i < shown; i++, row++) {
        char cells[COLUMNS_MAX][CELL_SIZE] = {{0}};
        int at = 0;
        part->fill(view, i, rest, cells);
        for (size_t c = 0; c < part->column_count; c++) {
            int width = part->columns[c].width ? part->columns[c].width : rest;
            put(row, at, width, cells[c], part->columns[c].right);
            at += width + 2;
        }
    }
    if (shown < part->count) {
        attron(A_DIM);
        mvprintw(row++, 0, "and %zu more", part->count - shown);
        attroff(A_DIM);
    }
    return row;
}

// --- parts

static const struct column queue_columns[] = {
    {"QUEUE", 0, false},  {"QUEUED", 8, true},   {"RUNNING", 7, true},
    {"AT MOST", 7, true}, {"FINISHED", 9, true}, {"OUTPUT", 10, true},
};

static void fill_queue(const struct top_view *view, size_t i, int width, char cells[][CELL_SIZE])
{
    const struct soma_queue *queue = &view->queues->queues[i];
    (void)width;
    snprintf(cells[0], CELL_SIZE, "%s", queue->name);
    snprintf(cells[1], CELL_SIZE, "%" PRId64, queue->queued_jobs);
    snprintf(cells[2], CELL_SIZE, "%" PRId64, queue->running_jobs);
    if (queue->is_paused)
        snprintf(cells[3], CELL_SIZE, "paused");
    else if (queue->max_running)
        snprintf(cells[3], CELL_SIZE, "%u", queue->max_running);
    snprintf(cells[4], CELL_SIZE, "%" PRId64, queue->finished_jobs);
    format_size(cells[5], queue->output_bytes);
}

static const struct column job_columns[] = {
    {"JOB", 20, false},
    {"NAME", 10, false},
    {"QUEUE", 8, false},
    {"RUNNING", 0, false},
};

// The same bar as that of 'soma run'.
static void fill_job(const struct top_view *view, size_t i, int width, char cells[][CELL_SIZE])
{
    const struct soma_job *job = &view->jobs->jobs[i];
    const struct soma_job_progress *progress = &job->progress;
    int64_t now = wall_ms(), taken = now - job->started_ms;
    const struct bar_view bar = {
        .label = "",
        .percent = progress->percent,
        .message = progress->message,
        .elapsed_ms = taken > 0 ? taken : 0,
        .left_ms = bar_left_ms(progress->percent, progress->reported_ms - job->started_ms,
                               now - progress->reported_ms),
        .frame = (unsigned)(now / 1000),
    };
    const struct bar_style style = {.width = (size_t)width, .utf8 = terminal_is_utf8()};
    bar_render(&bar, &style, cells[3]);
    snprintf(cells[0], CELL_SIZE, "%s", job->id);
    snprintf(cells[1], CELL_SIZE, "%s", job->spec.name ? job->spec.name : "");
    snprintf(cells[2], CELL_SIZE, "%s", job->spec.queue ? job->spec.queue : "");
}

static const struct column collection_columns[] = {
    {"COLLECTION", 0, false}, {"RECORDS", 11, true}, {"DIM", 5, true},
    {"INDEX", 6, false},      {"WAITING", 9, true},  {"MEMORY", 10, true},
};

static void fill_collection(const struct top_view *view, size_t i, int width,
                            char cells[][CELL_SIZE])
{
    const struct soma_collection *collection = &view->collections->collections[i];
    (void)width;
    snprintf(cells[0], CELL_SIZE, "%s", collection->name);
    snprintf(cells[1], CELL_SIZE, "%" PRId64, collection->record_count);
    snprintf(cells[2], CELL_SIZE, "%u", collection->dimension);
    snprintf(cells[3], CELL_SIZE, "%s", collection->memory_bytes ? collection->index_kind : "-");
    snprintf(cells[4], CELL_SIZE, "%" PRId64, collection->rows_waiting);
    format_size(cells[5], collection->memory_bytes);
}

// --- the screen

// A second's worth; what was removed meanwhile makes nothing negative.
static double rate(const struct top_view *view, int64_t now, int64_t before)
{
    int64_t ms = view->now.at_ms - view->before.at_ms;
    return view->before.at_ms == 0 || ms <= 0 || now < before
               ? 0
               : (double)(now - before) * 1000 / (double)ms;
}

static void put_head(const struct top_view *view)
{
    const struct top_figures *now = &view->now, *before = &view->before;
    char line[CELL_SIZE], age[UNITS_TEXT_SIZE] = "", size[UNITS_TEXT_SIZE];
    if (view->info)
        format_age(age, wall_ms() - view->info->started_ms);
    snprintf(line, sizeof line, "soma %s on %s, up %s; q quits",
             view->info ? view->info->version : "", view->server, age);
    attron(A_BOLD);
    put(0, 0, COLS, line, false);
    attroff(A_BOLD);
    snprintf(line, sizeof line,
             "jobs: %" PRId64 " running, %" PRId64
             " queued; %.1f finished and %.1f failed a second",
             now->running, now->queued, rate(view, now->finished, before->finished),
             rate(view, now->failed, before->failed));
    put(1, 0, COLS, line, false);
    snprintf(line, sizeof line,
             "calls: %.0f a second, %.1f errors; vectors: %" PRId64 " records, +%.0f a second, %s",
             rate(view, now->calls, before->calls), rate(view, now->errors, before->errors),
             now->records, rate(view, now->records, before->records),
             format_size(size, now->memory_bytes));
    put(2, 0, COLS, line, false);
    if (!view->trouble[0])
        return;
    snprintf(line, sizeof line, "the server does not answer: %s", view->trouble);
    attron(A_REVERSE);
    put(3, 0, COLS, line, false);
    attroff(A_REVERSE);
}

void screen_draw(const struct top_view *view)
{
    const struct part queues = {queue_columns, 6, view->queues ? view->queues->queue_count : 0,
                                fill_queue};
    const struct part jobs = {job_columns, 4, view->jobs ? view->jobs->job_count : 0, fill_job};
    const struct part collections = {collection_columns, 6,
                                     view->collections ? view->collections->collection_count : 0,
                                     fill_collection};
    int lines = LINES - HEAD_ROWS, quarter = lines / 4;
    erase();
    put_head(view);
    // Running jobs get what the others leave of their quarters.
    int for_queues = quarter < 2 + (int)queues.count ? quarter : 2 + (int)queues.count;
    int for_collections =
        quarter < 2 + (int)collections.count ? quarter : 2 + (int)collections.count;
    int row = put_part(HEAD_ROWS, for_queues, view, &queues);
    row = put_part(row + 1, LINES - row - 2 - for_collections, view, &jobs);
    put_part(row + 1, LINES - row - 1, view, &collections);
    refresh();
}

bool screen_wait(const struct top_view *view, int64_t ms)
{
    int64_t deadline = now_ms() + ms;
    for (int64_t left = ms; left > 0; left = deadline - now_ms()) {
        timeout((int)left);
        int key = getch();
        if (key == 'q' || key == 'Q' || key == CTRL_C)
            return false;
        if (key == KEY_RESIZE)
            screen_draw(view);
    }
    return true;
}
