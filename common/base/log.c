#include "base/log.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    LINE_BYTES_MAX = 2048, // fits whatever a pipe or socket that takes something takes
    WAIT_MS = 1000,        // for a reader that is behind
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

static const char *prefix_of(enum log_level level)
{
    return getenv("JOURNAL_STREAM") ? levels[level].journal_prefix : "";
}

static bool takes_more(int wait_ms)
{
    struct pollfd out = {.fd = STDERR_FILENO, .events = POLLOUT};
    int ready;
    do
        ready = poll(&out, 1, wait_ms);
    while (ready < 0 && errno == EINTR);
    return ready == 1;
}

// A reader who stands still holds nobody up but once.
static void put(const char *line, size_t length)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    static unsigned long dropped;
    char loss[128];
    ssize_t put = 0;
    pthread_mutex_lock(&lock);
    bool is_taken = takes_more(dropped ? 0 : WAIT_MS);
    if (is_taken && dropped) {
        int size = snprintf(loss, sizeof loss, "%swarning %s %lu lines: nobody read them\n",
                            prefix_of(LOG_LEVEL_WARNING), "LOG-DROPPED", dropped);
        put = write(STDERR_FILENO, loss, (size_t)size);
        dropped = 0;
        is_taken = takes_more(0);
    }
    if (is_taken)
        put = write(STDERR_FILENO, line, length);
    else
        dropped++;
    (void)put; // nobody is left to be told when stderr is gone
    pthread_mutex_unlock(&lock);
}

void log_line(enum log_level level, const char *id, const char *format, ...)
{
    if ((int)level > atomic_load(&level_max))
        return;
    char line[LINE_BYTES_MAX];
    int used =
        snprintf(line, sizeof line - 1, "%s%s %s ", prefix_of(level), levels[level].word, id);
    if (used < 0 || used >= (int)sizeof line - 1)
        return;
    va_list args;
    va_start(args, format);
    vsnprintf(line + used, sizeof line - 1 - (size_t)used, format, args);
    va_end(args);
    flatten(line);
    size_t length = strlen(line);
    line[length] = '\n';
    put(line, length + 1);
}
