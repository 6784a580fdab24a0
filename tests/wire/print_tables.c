// Prints the tables of docs/PROTOCOL.md and docs/METRICS.md from where they live in the code:
// `print_tables reasons|limits|metrics`.
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "measures/measures.h"
#include "wire/limits.h"

static void print_reasons(void)
{
    printf("| reason | code | meaning |\n| --- | --- | --- |\n");
    for (int i = 0; i < REASON_COUNT; i++)
        printf("| %s | %s | %s |\n", reason_table[i].name, code_name(reason_table[i].code),
               reason_table[i].meaning);
}

static void print_limits(void)
{
    printf("| name | value | of what |\n| --- | ---: | --- |\n");
    for (const struct limit_row *row = limit_table; row->name; row++)
        printf("| %s | %lld | %s |\n", row->name, (long long)row->value, row->meaning);
}

static void print_metrics(void)
{
    printf("| metric | type | labels | what |\n| --- | --- | --- | --- |\n");
    for (int i = 0; i < MEASURE_COUNT; i++) {
        const struct measure_row *row = &measure_table[i];
        printf("| `%s` | %s | %s | %s |\n", row->name, measure_type_name(row->type), row->labels,
               row->help);
    }
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*print)(void);
    } tables[] = {{"reasons", print_reasons}, {"limits", print_limits}, {"metrics", print_metrics}};
    for (size_t i = 0; argc == 2 && i < sizeof tables / sizeof tables[0]; i++) {
        if (strcmp(argv[1], tables[i].name) == 0) {
            tables[i].print();
            return 0;
        }
    }
    return 2;
}
