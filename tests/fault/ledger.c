#include "ledger.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/file.h"

enum {
    LEDGER_BYTES_MAX = 64 << 20
};

static int compare_lines(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static size_t count_lines(const char *text)
{
    size_t count = 0;
    for (; text && (text = strchr(text, '\n')) != NULL; text++)
        count++;
    return count;
}

void ledger_read(struct ledger *ledger, const char *path)
{
    struct soma_error err;
    bool missing = false;
    *ledger = (struct ledger){0};
    if (file_read_all(AT_FDCWD, path, LEDGER_BYTES_MAX, &ledger->text, NULL, &missing, &err))
        fail_msg("%s", err.text);
    size_t room = 1 + count_lines(ledger->text);
    ledger->lines = calloc(room, sizeof *ledger->lines);
    assert_non_null(ledger->lines);
    char *save, *line = ledger->text ? strtok_r(ledger->text, "\n", &save) : NULL;
    for (; line && ledger->count < room; line = strtok_r(NULL, "\n", &save))
        ledger->lines[ledger->count++] = line;
    qsort(ledger->lines, ledger->count, sizeof *ledger->lines, compare_lines);
}

void ledger_free(struct ledger *ledger)
{
    free(ledger->lines);
    free(ledger->text);
}

bool ledger_has(const struct ledger *ledger, const char *line)
{
    return bsearch(&line, ledger->lines, ledger->count, sizeof *ledger->lines, compare_lines);
}

const char *ledger_twice(const struct ledger *ledger)
{
    for (size_t i = 1; i < ledger->count; i++) {
        if (strcmp(ledger->lines[i - 1], ledger->lines[i]) == 0)
            return ledger->lines[i];
    }
    return NULL;
}
