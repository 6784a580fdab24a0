// soma-runner: how an attempt ends, and that nothing is left of its tree.
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include <cmocka.h>

#include "runner_kit.h"

// A daemon as stubborn as one can be: orphaned, in a session of its own, deaf to TERM.
#define DAEMON                                                                                  \
    "(setsid sh -c 'trap \"\" TERM HUP INT; printf d >>deaf; exec sleep 1000' >/dev/null 2>&1 " \
    "&); "

static struct attempt *start_script(const char *script)
{
    struct attempt *attempt = attempt_new();
    attempt_order_script(attempt, script);
    attempt_start(attempt);
    return attempt;
}

static void cancel(struct attempt *attempt, int64_t grace_ms, const char *note)
{
    int link_fd = attempt_connect(attempt);
    link_cancel(link_fd, grace_ms, note);
    link_expect_end(link_fd);
    close(link_fd);
    assert_int_equal(attempt_wait(attempt), 0);
    assert_int_equal(attempt_processes(attempt), 0);
}

static void a_timeout_keeps_the_output(void **state)
{
    (void)state;
    struct attempt *attempt = attempt_new();
    attempt_order_script(attempt, "echo before; echo also >&2; exec sleep 1000");
    attempt_limit(attempt, "wall_time_ms", 700);
    attempt_run(attempt);
    assert_true(attempt_text_is(attempt, "reason", "wall_timeout"));
    assert_true(attempt_file_is(attempt, "stdout", "before\n"));
    assert_true(attempt_file_is(attempt, "stderr", "also\n"));
    assert_true(attempt_number(attempt, "wall_ms") >= 700);
    attempt_free(attempt);
}

static void cancel_ends_twenty_daemons_that_ignore_it(void **state)
{
    (void)state;
    struct attempt *attempt =
        start_script("for i in $(seq 20); do " DAEMON " done; exec sleep 1000");
    // The shells that fork them are gone: 20 daemons, deaf by now, and the program.
    attempt_wait_for_processes(attempt, 21);
    struct waiting waiting = {0};
    while (!attempt_has(attempt, "work/deaf") || attempt_file_size(attempt, "work/deaf") < 20)
        waiting_step(&waiting, "20 daemons");
    cancel(attempt, 300, "by a test");
    assert_true(attempt_text_is(attempt, "reason", "cancelled"));
    assert_true(attempt_text_has(attempt, "message", "cancelled: by a test; "));
    assert_true(attempt_text_has(attempt, "message", "21 processes were asked to end, 20 were"));
    // Every one of them is gone, which cancel() has seen.
    assert_int_equal(attempt_number(attempt, "asked_count"), 21);
    assert_int_equal(attempt_number(attempt, "killed_count"), 20);
    attempt_free(attempt);
}

static void a_kind_program_may_say_goodbye(void **state)
{
    (void)state;
    struct attempt *attempt =
        start_script("trap 'echo bye; exit 7' TERM; echo ready; while :; do sleep 0.05; done");
    attempt_wait_for_text(attempt, "stdout", "ready");
    cancel(attempt, 30000, "");
    assert_true(attempt_text_is(attempt, "reason", "cancelled"));
    assert_int_equal(attempt_number(attempt, "exit_code"), 7);
    assert_true(attempt_file_is(attempt, "stdout", "ready\nbye\n"));
    attempt_free(attempt);
}

static void without_grace_nothing_is_asked(void **state)
{
    (void)state;
    struct attempt *attempt =
        start_script("trap 'echo bye' TERM; echo ready; while :; do sleep 0.05; done");
    attempt_wait_for_text(attempt, "stdout", "ready");
    cancel(attempt, 0, "now");
    assert_int_equal(attempt_number(attempt, "signal"), SIGKILL);
    assert_true(attempt_file_is(attempt, "stdout", "ready\n"));
    attempt_free(attempt);
}

static void a_second_cancel_may_be_harder(void **state)
{
    (void)state;
    struct attempt *attempt =
        start_script("trap 'echo asked' TERM; echo ready; while :; do sleep 0.05; done");
    attempt_wait_for_text(attempt, "stdout", "ready");
    int link_fd = attempt_connect(attempt);
    link_cancel(link_fd, 600000, "first");
    attempt_wait_for_text(attempt, "stdout", "asked");
    link_cancel(link_fd, 0, "second");
    link_expect_end(link_fd);
    close(link_fd);
    assert_int_equal(attempt_wait(attempt), 0);
    assert_true(attempt_text_has(attempt, "message", "cancelled: first"));
    attempt_free(attempt);
}

static void a_stopped_program_hears_the_cancel(void **state)
{
    (void)state;
    struct attempt *attempt =
        start_script("trap 'echo bye; exit 7' TERM; echo ready; kill -STOP $$; exit 8");
    attempt_wait_for_text(attempt, "stdout", "ready");
    cancel(attempt, 600000, "");
    assert_int_equal(attempt_number(attempt, "exit_code"), 7);
    attempt_free(attempt);
}

static void what_a_program_leaves_behind_is_killed(void **state)
{
    (void)state;
    struct attempt *attempt = start_script(DAEMON DAEMON "sleep 1000 & exit 6");
    assert_int_equal(attempt_wait(attempt), 0);
    assert_int_equal(attempt_processes(attempt), 0);
    assert_true(attempt_text_is(attempt, "reason", "exited"));
    assert_int_equal(attempt_number(attempt, "exit_code"), 6);
    assert_int_equal(attempt_number(attempt, "killed_count"), 3);
    attempt_free(attempt);
}

static void a_filter_that_outlives_the_program_may_finish(void **state)
{
    (void)state;
    struct attempt *attempt = start_script("mkfifo f; (cat f; echo late) & exec 3>f; echo early");
    assert_int_equal(attempt_wait(attempt), 0);
    assert_true(attempt_file_is(attempt, "stdout", "early\nlate\n"));
    assert_int_equal(attempt_number(attempt, "killed_count"), 0);
    attempt_free(attempt);
}

static void who_forks_all_the_time_ends_too(void **state)
{
    (void)state;
    struct attempt *attempt =
        start_script("trap '' TERM; echo ready; i=0; while :; do i=$((i+1)); "
                     "[ $i -gt 300 ] || (setsid sleep 1000 &); sleep 0.002; done");
    attempt_wait_for_text(attempt, "stdout", "ready");
    cancel(attempt, 200, "");
    assert_true(attempt_text_is(attempt, "reason", "cancelled"));
    attempt_free(attempt);
}

// Not the user's cancel: the machine's end.
static void the_end_of_the_runner_is_the_end_of_the_job(void **state)
{
    (void)state;
    struct attempt *attempt = start_script(DAEMON "echo ready; exec sleep 1000");
    attempt_wait_for_text(attempt, "stdout", "ready");
    assert_int_equal(kill(attempt->pid, SIGTERM), 0);
    assert_int_equal(attempt_wait(attempt), 0);
    assert_int_equal(attempt_processes(attempt), 0);
    assert_true(attempt_text_is(attempt, "reason", "signaled"));
    assert_int_equal(attempt_number(attempt, "signal"), SIGTERM);
    assert_true(attempt_text_has(attempt, "message", "the runner got SIGTERM"));
    attempt_free(attempt);
}

static void a_killed_runner_takes_the_whole_tree_along(void **state)
{
    (void)state;
    struct attempt *attempt =
        start_script(DAEMON DAEMON DAEMON "sleep 1000 & echo ready; exec sleep 1000");
    attempt_wait_for_text(attempt, "stdout", "ready");
    attempt_wait_for_processes(attempt, 5);
    assert_int_equal(kill(attempt->pid, SIGKILL), 0);
    assert_int_equal(attempt_wait(attempt), -SIGKILL);
    attempt_wait_for_processes(attempt, 0);
    assert_false(attempt_has(attempt, "status"));
    // What the server finds: a record, and a lock that nobody holds.
    int lock_fd = openat(attempt->fd, "lock", O_RDWR | O_CLOEXEC);
    assert_int_equal(flock(lock_fd, LOCK_EX | LOCK_NB), 0);
    assert_true(attempt_file_size(attempt, "lock") > 0);
    close(lock_fd);
    attempt_free(attempt);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_timeout_keeps_the_output),
        cmocka_unit_test(cancel_ends_twenty_daemons_that_ignore_it),
        cmocka_unit_test(a_kind_program_may_say_goodbye),
        cmocka_unit_test(without_grace_nothing_is_asked),
        cmocka_unit_test(a_second_cancel_may_be_harder),
        cmocka_unit_test(a_stopped_program_hears_the_cancel),
        cmocka_unit_test(what_a_program_leaves_behind_is_killed),
        cmocka_unit_test(a_filter_that_outlives_the_program_may_finish),
        cmocka_unit_test(who_forks_all_the_time_ends_too),
        cmocka_unit_test(the_end_of_the_runner_is_the_end_of_the_job),
        cmocka_unit_test(a_killed_runner_takes_the_whole_tree_along),
    };
    kit_open(argc, argv);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    kit_close();
    return failed;
}
