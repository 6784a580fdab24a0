// client/cli/bar: the line of progress, and that it never harms output.
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "cli/bar.h"
#include "cli/display.h"

static void unknown_progress_is_a_spinner_and_a_clock(void **state)
{
    char text[BAR_TEXT_SIZE];
    const struct bar_style style = {.width = 79};
    struct bar_view view = {.label = "running", .percent = -1, .elapsed_ms = 65000, .left_ms = -1};
    (void)state;
    bar_render(&view, &style, text);
    assert_string_equal(text, "| running 1:05");
    view.frame = 1;
    bar_render(&view, &style, text);
    assert_string_equal(text, "/ running 1:05");
}

static void known_progress_has_bar_percent_times_and_message(void **state)
{
    char text[BAR_TEXT_SIZE];
    const struct bar_style style = {.width = 60};
    const struct bar_view view = {
        .percent = 50, .message = "epoch 5/10", .elapsed_ms = 10000, .left_ms = 10000};
    (void)state;
    bar_render(&view, &style, text);
    assert_string_equal(text, "[##########----------]  50%  0:10, 0:10 left  epoch 5/10");
}

static void the_line_never_exceeds_the_terminal(void **state)
{
    char text[BAR_TEXT_SIZE], message[400];
    (void)state;
    memset(message, 'm', sizeof message - 1);
    message[sizeof message - 1] = '\0';
    for (size_t width = 1; width < 200; width++) {
        for (int percent = -1; percent <= 101; percent += 17) {
            const struct bar_style style = {.width = width, .utf8 = width % 2};
            const struct bar_view view = {
                .label = "running", .percent = percent, .message = message, .left_ms = 5000};
            bar_render(&view, &style, text);
            assert_true(display_width(text) <= width);
        }
    }
}

static void messages_cannot_move_the_cursor(void **state)
{
    char text[BAR_TEXT_SIZE];
    const struct bar_style style = {.width = 79};
    const struct bar_view view = {.percent = 1, .message = "a\x1b[2J\r\nb", .left_ms = -1};
    (void)state;
    bar_render(&view, &style, text);
    assert_null(strchr(text, '\x1b'));
    assert_null(strchr(text, '\r'));
    assert_null(strchr(text, '\n'));
}

static void colours_stand_only_where_asked_for(void **state)
{
    char text[BAR_TEXT_SIZE];
    struct bar_style style = {.width = 79, .color = true};
    const struct bar_view view = {.percent = 40, .message = "", .left_ms = -1};
    (void)state;
    bar_render(&view, &style, text);
    assert_non_null(strstr(text, "\x1b[32m"));
    style.color = false;
    bar_render(&view, &style, text);
    assert_null(strchr(text, '\x1b'));
}

static void time_left_is_said_only_when_it_can_be_known(void **state)
{
    (void)state;
    assert_int_equal(bar_left_ms(0, 10000, 0), -1);
    assert_int_equal(bar_left_ms(50, 10, 0), -1);
    assert_int_equal(bar_left_ms(25, 10000, 0), 30000);
    assert_int_equal(bar_left_ms(25, 10000, 5000), 25000);
    assert_int_equal(bar_left_ms(25, 10000, 50000), 0);
}

// What was written to the bar's file since the last time.
static size_t drain(int fd, char *text, size_t size)
{
    ssize_t length = read(fd, text, size - 1);
    if (length < 0)
        length = 0;
    text[length] = '\0';
    return (size_t)length;
}

static void a_line_of_output_in_progress_keeps_its_place(void **state)
{
    int ends[2];
    char text[BAR_TEXT_SIZE];
    const struct bar_view view = {.label = "running", .percent = -1, .left_ms = -1};
    (void)state;
    assert_int_equal(pipe2(ends, O_NONBLOCK | O_CLOEXEC), 0);
    struct bar bar = {.enabled = true, .fd = ends[1]};
    bar_erase(&bar);
    assert_int_equal(drain(ends[0], text, sizeof text), 0);
    bar_draw(&bar, &view);
    drain(ends[0], text, sizeof text);
    assert_int_equal(text[0], '\r');
    bar_erase(&bar);
    drain(ends[0], text, sizeof text);
    assert_string_equal(text, "\r\x1b[K");
    bar_wrote(&bar, "half a line", 11);
    bar_draw(&bar, &view);
    drain(ends[0], text, sizeof text);
    // Makes room below, saves the cursor, goes down; restores it at the end.
    assert_int_equal(strncmp(text,
                             "\x1b"
                             "D\x1b[A\x1b"
                             "7\x1b[B\r",
                             11),
                     0);
    assert_string_equal(text + strlen(text) - 2, "\x1b"
                                                 "8");
    bar_erase(&bar);
    drain(ends[0], text, sizeof text);
    assert_string_equal(text, "\x1b"
                              "7\x1b[B\r\x1b[K\x1b"
                              "8");
    bar_wrote(&bar, " and its end\n", 13);
    bar_draw(&bar, &view);
    drain(ends[0], text, sizeof text);
    assert_int_equal(text[0], '\r');
    close(ends[0]);
    close(ends[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(unknown_progress_is_a_spinner_and_a_clock),
        cmocka_unit_test(known_progress_has_bar_percent_times_and_message),
        cmocka_unit_test(the_line_never_exceeds_the_terminal),
        cmocka_unit_test(messages_cannot_move_the_cursor),
        cmocka_unit_test(colours_stand_only_where_asked_for),
        cmocka_unit_test(time_left_is_said_only_when_it_can_be_known),
        cmocka_unit_test(a_line_of_output_in_progress_keeps_its_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
