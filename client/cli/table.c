#include "cli/table.h"

#include <stdlib.h>
#include <unistd.h>

#include "cli/display.h"

void table_init(struct table *table, const struct table_column *columns, size_t column_count)
{
    *table = (struct table){.columns = columns, .column_count = column_count};
}

static void table_empty(struct table *table)
{
    for (size_t i = 0; i < table->cell_count; i++)
        free(table->cells[i].text);
    table->cell_count = 0;
}

void table_fini(struct table *table)
{
    table_empty(table);
    free(table->cells);
    table->cells = NULL;
}

bool table_add(struct table *table, const char *text)
{
    return table_add_painted(table, text, PAINT_NONE);
}

bool table_add_painted(struct table *table, const char *text, enum paint paint)
{
    size_t column = table->cell_count % table->column_count;
    if (table->cell_count == table->cell_room) {
        size_t room = table->cell_room ? table->cell_room * 2 : 256;
        struct table_cell *cells = realloc(table->cells, room * sizeof *cells);
        if (!cells)
            return false;
        table->cells = cells;
        table->cell_room = room;
    }
    char *cell = display_clean_new(text ? text : "", table->columns[column].max_width);
    if (!cell)
        return false;
    table->cells[table->cell_count++] = (struct table_cell){cell, paint};
    size_t width = display_width(cell);
    if (width > table->widths[column])
        table->widths[column] = width;
    return true;
}

// Where a table is printed to.
struct sheet {
    // Columns for the last cell of a row; 0: no limit.
    size_t room;
    bool color;
};

static void print_cell(const struct table *table, const struct sheet *sheet, size_t column,
                       const char *text, enum paint paint)
{
    bool is_last = column + 1 == table->column_count, is_right = table->columns[column].right;
    bool is_painted = sheet->color && paint != PAINT_NONE;
    char *cut = NULL;
    size_t width = display_width(text);
    if (is_last && sheet->room && width > sheet->room)
        cut = display_clean_new(text, sheet->room);
    int pad = table->widths[column] > width ? (int)(table->widths[column] - width) : 0;
    printf("%*s%s%s%s", is_right ? pad : 0, "", is_painted ? paint_begin(paint) : "",
           cut ? cut : text, is_painted ? paint_end() : "");
    if (!is_last)
        printf("%*s", (is_right ? 0 : pad) + 2, "");
    free(cut);
}

static struct sheet sheet_of(struct table *table, const struct cli *cli)
{
    struct sheet sheet = {.color = terminal_has_color(cli, STDOUT_FILENO)};
    size_t taken = 0, edge = terminal_width(STDOUT_FILENO);
    for (size_t c = 0; c < table->column_count; c++) {
        size_t title = display_width(table->columns[c].title);
        if (title > table->widths[c])
            table->widths[c] = title;
        if (c + 1 < table->column_count)
            taken += table->widths[c] + 2;
    }
    // A terminal too narrow for the columns before gets lines that wrap, not an empty column.
    if (edge > taken + 8)
        sheet.room = edge - taken;
    return sheet;
}

void table_print(struct table *table, const struct cli *cli)
{
    struct sheet sheet = sheet_of(table, cli);
    if (!table->titles_printed) {
        for (size_t c = 0; c < table->column_count; c++)
            print_cell(table, &sheet, c, table->columns[c].title, PAINT_DIM);
        putchar('\n');
        table->titles_printed = true;
    }
    const struct table_cell *cell = table->cells;
    for (size_t left = table->cell_count; left >= table->column_count && left;
         left -= table->column_count) {
        for (size_t c = 0; c < table->column_count; c++, cell++)
            print_cell(table, &sheet, c, cell->text, cell->paint);
        putchar('\n');
    }
    table_empty(table);
}
