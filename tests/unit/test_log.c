// common/base/log: what becomes of lines that nobody reads.
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/log.h"

static int reader = -1;

// Stderr is a pipe, full but for what its reader takes.
static int start(void **state)
{
    int pair[2];
    (void)state;
    assert_int_equal(pipe2(pair, O_CLOEXEC), 0);
    assert_int_equal(dup2(pair[1], STDERR_FILENO), STDERR_FILENO);
    close(pair[1]);
    reader = pair[0];
    return 0;
}

static int stop(void **state)
{
    (void)state;
    fd_close_at_exit(&reader);
    int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
    dup2(null, STDERR_FILENO);
    close(null);
    return 0;
}

static void take(char *ret_text, size_t size)
{
    ssize_t length = read(reader, ret_text, size - 1);
    ret_text[length > 0 ? length : 0] = '\0';
}

static void a_line_is_read_as_it_was_said(void **state)
{
    (void)state;
    char text[256];
    log_info("A-THING", "happened %d times\nerror FORGED", 3);
    take(text, sizeof text);
    assert_string_equal(text, "info A-THING happened 3 times error FORGED\n");
}

// Not by waiting: with one wait for each line this would take an hour.
static void a_reader_that_stands_still_stops_nobody_and_hears_what_it_missed(void **state)
{
    (void)state;
    static char text[1 << 20];
    for (int i = 0; i < 4000; i++)
        log_info("A-THING", "%0500d", i);
    take(text, sizeof text);
    assert_null(strstr(text, "LOG-DROPPED"));
    log_info("THE-NEXT", "line");
    take(text, sizeof text);
    assert_non_null(strstr(text, "warning LOG-DROPPED "));
    assert_non_null(strstr(text, "info THE-NEXT line\n"));
    log_info("ANOTHER", "line");
    take(text, sizeof text);
    assert_string_equal(text, "info ANOTHER line\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_is_read_as_it_was_said),
        cmocka_unit_test(a_reader_that_stands_still_stops_nobody_and_hears_what_it_missed),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
