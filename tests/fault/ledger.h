// A file of lines that jobs append to and no server knows of: what really ran.
#ifndef TESTS_LEDGER_H
#define TESTS_LEDGER_H

#include <stdbool.h>
#include <stddef.h>

struct ledger {
    char **lines; // sorted
    size_t count;
    char *text;
};

// Fails the test where it cannot; a file that is not there has no lines.
void ledger_read(struct ledger *ledger, const char *path);
void ledger_free(struct ledger *ledger);
bool ledger_has(const struct ledger *ledger, const char *line);
// A line that is there twice; NULL: there is none.
const char *ledger_twice(const struct ledger *ledger);

#endif
