// Prints the tables of docs/PROTOCOL.md and docs/METRICS.md from where they live in the code:
// `print_tables reasons|limits|mutating|metrics`.
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "lib/method.h"
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

// Those that libsoma sends with a request id, service by service.
static void print_mutating(void)
{
    static const struct {
        const char *service, *method;
        unsigned flags;
    } rows[] = {
#define METHOD(name, request, result, service, method, messages, flags, resume) \
    {#service, #method, flags},
#include "lib/methods.def"
#undef METHOD
    };
    const char *service = "";
    printf("| service | mutating methods |\n| --- | --- |");
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (!(rows[i].flags & METHOD_MUTATES))
            continue;
        bool is_next = strcmp(service, rows[i].service) != 0;
        if (is_next)
            printf("%s\n| %s | ", service[0] ? " |" : "", rows[i].service);
        printf("%s%s", is_next ? "" : ", ", rows[i].method);
        service = rows[i].service;
    }
    printf(" |\n");
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
    } tables[] = {{"reasons", print_reasons},
                  {"limits", print_limits},
                  {"mutating", print_mutating},
                  {"metrics", print_metrics}};
    for (size_t i = 0; argc == 2 && i < sizeof tables / sizeof tables[0]; i++) {
        if (strcmp(argv[1], tables[i].name) == 0) {
            tables[i].print();
            return 0;
        }
    }
    return 2;
}
