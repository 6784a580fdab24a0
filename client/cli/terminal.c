#include "cli/terminal.h"

#include <langinfo.h>
#include <locale.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

bool terminal_is_smart(int fd)
{
    const char *term = getenv("TERM");
    return isatty(fd) && term && *term && strcmp(term, "dumb") != 0;
}

bool terminal_has_color(const struct cli *cli, int fd)
{
    const char *no_color = getenv("NO_COLOR");
    if (cli->color != COLOR_AUTO)
        return cli->color == COLOR_ALWAYS;
    if (no_color && *no_color)
        return false;
    return terminal_is_smart(fd);
}

bool terminal_is_utf8(void)
{
    setlocale(LC_CTYPE, "");
    return strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
}

size_t terminal_width(int fd)
{
    struct winsize size;
    if (!isatty(fd))
        return 0;
    if (ioctl(fd, TIOCGWINSZ, &size) != 0 || size.ws_col == 0)
        return 80;
    return size.ws_col;
}

const char *paint_begin(enum paint paint)
{
    static const char *const sequences[] = {
        [PAINT_NONE] = "",         [PAINT_GOOD] = "\x1b[32m", [PAINT_BAD] = "\x1b[31m",
        [PAINT_BUSY] = "\x1b[36m", [PAINT_DIM] = "\x1b[2m",
    };
    return sequences[paint];
}

const char *paint_end(void)
{
    return "\x1b[0m";
}

static int64_t clock_ms(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

const char *asker_name(char ret_text[ASKER_SIZE])
{
    char host[65] = "";
    const struct passwd *user = getpwuid(geteuid());
    gethostname(host, sizeof host - 1);
    if (user)
        snprintf(ret_text, ASKER_SIZE, "by %.64s on %s", user->pw_name, host);
    else
        snprintf(ret_text, ASKER_SIZE, "by user %ld on %s", (long)geteuid(), host);
    return ret_text;
}

int64_t now_ms(void)
{
    return clock_ms(CLOCK_MONOTONIC);
}

int64_t wall_ms(void)
{
    return clock_ms(CLOCK_REALTIME);
}
