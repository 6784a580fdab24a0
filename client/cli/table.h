// Tables for people: columns as wide as their cells, cells made fit for a terminal.
#ifndef CLI_TABLE_H
#define CLI_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "cli/terminal.h"

enum {
    TABLE_COLUMNS = 8,
};

struct table_column {
    const char *title;
    // At most this many columns of the terminal; 0: no limit. The last column is also cut at the
    // terminal's edge.
    size_t max_width;
    bool right;
};

struct table_cell {
    // Clean, on the heap.
    char *text;
    enum paint paint;
};

struct table {
    const struct table_column *columns;
    size_t column_count;
    // column_count for each row.
    struct table_cell *cells;
    size_t cell_count;
    size_t cell_room;
    bool titles_printed;
    size_t widths[TABLE_COLUMNS];
};

// columns stay the caller's and outlive the table.
void table_init(struct table *table, const struct table_column *columns, size_t column_count);
void table_fini(struct table *table);

// The next cell, left to right, row after row. False: out of memory.
bool table_add(struct table *table, const char *text);
bool table_add_painted(struct table *table, const char *text, enum paint paint);

// Prints to stdout what was added since the last time, the titles once.
void table_print(struct table *table, const struct cli *cli);

#endif
