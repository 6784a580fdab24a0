// Prints the tables of docs/PROTOCOL.md from where they live in the code: `print_tables
// reasons|limits`.
#include <stdio.h>
#include <string.h>

#include "base/error.h"
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

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "reasons") == 0)
        print_reasons();
    else if (argc == 2 && strcmp(argv[1], "limits") == 0)
        print_limits();
    else
        return 2;
    return 0;
}
