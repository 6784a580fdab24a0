#include "base/log.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    LINE_BYTES_MAX = 2048
};

static const struct {
    const char *word;
    const char *journal_prefix; // sd-daemon(3)
} levels[] = {
    [LOG_LEVEL_ERROR] = {"error", "<3>"},
    [LOG_LEVEL_WARNING] = {"warning", "<4>"},
    [LOG_LEVEL_INFO] = {"info", "<6>"},
    [LOG_LEVEL_DEBUG] = {"debug", "<7>"},
};

static atomic_int level_max = LOG_LEVEL_INFO;

void log_set_level(enum log_level max_level)
{
    atomic_store(&level_max, (int)max_level);
}

// A line break inside a line would forge another one.
static void flatten(char *text)
{
    for (; *text; text++) {
        if ((unsigned char)*text < ' ')
            *text = ' ';
    }
}

void log_line(enum log_level level, const char *id, const char *format, ...)
{
    if ((int)level > atomic_load(&level_max))
        return;
    const char *prefix = getenv("JOURNAL_STREAM") ? levels[level].journal_prefix : "";
    char line[LINE_BYTES_MAX];
    int used = snprintf(line, sizeof line - 1, "%s%s %s ", prefix, levels[level].word, id);
    if (used < 0 || used >= (int)sizeof line - 1)
        return;
    va_list args;
    va_start(args, format);
    vsnprintf(line + used, sizeof line - 1 - (size_t)used, format, args);
    va_end(args);
    flatten(line);
    size_t length = strlen(line);
    line[length] = '\n';
    // Nobody is left to be told when stderr is gone.
    if (write(STDERR_FILENO, line, length + 1) < 0)
        return;
}
