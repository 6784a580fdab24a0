// soma-runner: the spawner, and what runners and servers say to each other.
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "runner_kit.h"

static struct spawner spawner;

static struct attempt *spawn_script(const char *script)
{
    struct attempt *attempt = attempt_new();
    attempt_order_script(attempt, script);
    attempt_spawn(attempt, &spawner);
    return attempt;
}

static int start_spawner(void **state)
{
    (void)state;
    struct soma_error err;
    spawner = SPAWNER_INIT;
    return spawner_start(&spawner, kit_runner(), &err) != SOMA_OK;
}

static int stop_spawner(void **state)
{
    (void)state;
    spawner_stop(&spawner);
    return 0;
}

static void read_proc(pid_t pid, const char *name, char *ret_bytes, size_t size)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, name);
    FD_CLEANUP int fd = open(path, O_RDONLY | O_CLOEXEC);
    memset(ret_bytes, 0, size);
    assert_true(read(fd, ret_bytes, size - 1) >= 0);
}

static void a_runner_has_a_title_and_none_of_the_servers_environment(void **state)
{
    (void)state;
    struct attempt *attempt = attempt_new();
    attempt_order_script(attempt, "exec sleep 1000");
    pid_t pid = attempt_spawn(attempt, &spawner);
    char started[32], text[8192];
    snprintf(started, sizeof started, "started %d", (int)pid);
    link_expect(attempt->link_fd, started);
    read_proc(pid, "cmdline", text, sizeof text);
    char title[64];
    snprintf(title, sizeof title, "soma-runner %s", strchr(attempt->cookie, '=') + 1);
    assert_string_equal(text, title);
    read_proc(pid, "environ", text, sizeof text);
    assert_null(memmem(text, sizeof text, "SOMA_SECRET", 11));
    read_proc(spawner.pid, "environ", text, sizeof text);
    assert_null(memmem(text, sizeof text, "SOMA_SECRET", 11));
    link_cancel(attempt->link_fd, 0, "");
    link_expect_end(attempt->link_fd);
    attempt_free(attempt);
}

static void a_link_tells_all_and_ends_with_the_status(void **state)
{
    (void)state;
    struct attempt *attempt = spawn_script("printf 12345; printf 123 >&2; "
                                           "echo '40 epoch 4/10' > $SOMA_PROGRESS; sleep 0.1; "
                                           "printf 67890");
    link_expect(attempt->link_fd, "progress 40 epoch 4/10");
    link_expect(attempt->link_fd, "output 10 0 3 0");
    link_expect_end(attempt->link_fd);
    assert_true(attempt_text_is(attempt, "reason", "exited"));
    assert_true(attempt_file_is(attempt, "stdout", "1234567890"));
    attempt_free(attempt);
}

static void a_new_server_is_told_how_things_are(void **state)
{
    (void)state;
    struct attempt *attempt = spawn_script("printf 12345; echo 7.25 > $SOMA_PROGRESS; sleep 1000");
    char started[32];
    assert_true(link_next(attempt->link_fd, started, sizeof started));
    link_expect(attempt->link_fd, "progress 7.25");
    close(attempt->link_fd); // the server is gone
    int link_fd = attempt->link_fd = attempt_connect(attempt);
    char text[4096];
    assert_true(link_next(link_fd, text, sizeof text));
    assert_string_equal(text, started);
    assert_true(link_next(link_fd, text, sizeof text));
    assert_memory_equal(text, "isolation ", 10);
    assert_non_null(strstr(text, "\n+tree_kill "));
    assert_true(link_next(link_fd, text, sizeof text));
    assert_string_equal(text, "output 5 0 0 0");
    assert_true(link_next(link_fd, text, sizeof text));
    assert_string_equal(text, "progress 7.25");
    assert_int_equal(send(link_fd, "dance 3 times", 13, 0), 13); // unknown: ignored
    link_cancel(link_fd, 100, "by the new one\nand a line break");
    link_expect_end(link_fd);
    assert_true(attempt_text_has(attempt, "message", "by the new one and a line break"));
    attempt_free(attempt);
}

static void a_server_that_does_not_read_holds_nothing_up(void **state)
{
    (void)state;
    struct attempt *attempt = attempt_new();
    // Reports for longer than the link can take.
    attempt_order_script(attempt, "i=0; while [ $i -lt 400 ]; do i=$((i+1)); echo $i; sleep 0.003; "
                                  "done");
    attempt_spawn(attempt, &spawner);
    struct waiting waiting = {0};
    while (!attempt_has(attempt, "status"))
        waiting_step(&waiting, "the end of the attempt");
    assert_int_equal(attempt_number(attempt, "exit_code"), 0);
    assert_int_equal(attempt_number(attempt, "stdout_kept"), 1492);
    attempt_free(attempt);
}

static void there_is_room_for_nine_servers_that_come_back(void **state)
{
    (void)state;
    enum {
        MORE = 9
    };
    struct attempt *attempt = spawn_script("sleep 1000");
    char text[600];
    assert_true(link_next(attempt->link_fd, text, sizeof text));
    // As long as its server is there, nobody else has a place to come to.
    assert_false(attempt_has(attempt, "control"));
    close(attempt->link_fd);
    attempt->link_fd = -1;
    int links[MORE];
    for (int i = 0; i < MORE; i++) {
        links[i] = attempt_connect(attempt);
        assert_true(link_next(links[i], text, sizeof text));
    }
    int one_too_many = attempt_connect(attempt);
    assert_false(link_next(one_too_many, text, sizeof text));
    close(one_too_many);
    link_cancel(links[MORE - 1], 0, "");
    for (int i = 0; i < MORE; i++) {
        link_expect_end(links[i]);
        close(links[i]);
    }
    attempt_free(attempt);
}

static void runners_outlive_the_spawner(void **state)
{
    (void)state;
    struct attempt *attempt = spawn_script("echo ready; while ! [ -e go ]; do sleep 0.02; done");
    attempt_wait_for_text(attempt, "stdout", "ready");
    stop_spawner(state);
    assert_int_equal(mkdirat(attempt->fd, "work/go", 0700), 0);
    link_expect_end(attempt->link_fd);
    assert_true(attempt_text_is(attempt, "reason", "exited"));
    attempt_free(attempt);
}

// A program with a daemon of another session, and the runner that is to be killed under them.
static struct attempt *spawn_with_daemons(pid_t *ret_runner)
{
    struct attempt *attempt = attempt_new();
    attempt_order_script(attempt, "for i in 1 2 3; do\n"
                                  "setsid sh -c 'trap \"\" TERM HUP; sleep 1000 & sleep 1000' &\n"
                                  "done; echo ready; sleep 1000");
    *ret_runner = attempt_spawn(attempt, &spawner);
    attempt_wait_for_text(attempt, "stdout", "ready");
    return attempt;
}

static void what_a_killed_runner_leaves_behind_is_killed(void **state)
{
    (void)state;
    pid_t runner;
    struct attempt *bystander = spawn_script("echo ready; sleep 1000 & sleep 1000");
    attempt_wait_for_text(bystander, "stdout", "ready");
    struct attempt *attempt = spawn_with_daemons(&runner);
    assert_int_equal(kill(runner, SIGKILL), 0);
    attempt_wait_for_processes(attempt, 0);
    attempt_wait_for_processes(bystander, 3);
    link_cancel(bystander->link_fd, 0, "");
    link_expect_end(bystander->link_fd);
    attempt_free(bystander);
    attempt_free(attempt);
}

static void also_when_the_server_is_gone(void **state)
{
    pid_t runner;
    struct attempt *attempt = spawn_with_daemons(&runner);
    stop_spawner(state);
    assert_int_equal(kill(runner, SIGKILL), 0);
    attempt_wait_for_processes(attempt, 0);
    attempt_free(attempt);
}

static void a_dead_spawner_is_noticed_and_replaced(void **state)
{
    (void)state;
    assert_int_equal(kill(spawner.pid, SIGKILL), 0);
    struct spawner_reply reply;
    struct waiting waiting = {0};
    enum spawner_read_result result;
    while ((result = spawner_read(&spawner, &reply)) == SPAWNER_EMPTY)
        waiting_step(&waiting, "the spawner's end");
    assert_int_equal(result, SPAWNER_GONE);
    stop_spawner(state);
    assert_int_equal(start_spawner(state), 0);
    struct attempt *attempt = spawn_script("exit 2");
    link_expect_end(attempt->link_fd);
    assert_int_equal(attempt_number(attempt, "exit_code"), 2);
    attempt_free(attempt);
}

static void a_directory_that_is_not_there_ends_the_link_alone(void **state)
{
    (void)state;
    struct attempt *attempt = attempt_new();
    attempt_order_script(attempt, "true");
    strcat(attempt->path, "0");
    attempt_spawn(attempt, &spawner);
    link_expect_end(attempt->link_fd);
    assert_false(attempt_has(attempt, "status"));
    assert_false(attempt_has(attempt, "lock"));
    attempt_free(attempt);
}

static void a_program_that_is_no_runner_cannot_be_started(void **state)
{
    (void)state;
    struct spawner none = SPAWNER_INIT;
    struct soma_error err;
    assert_int_equal(spawner_start(&none, "/no/such/runner", &err), SOMA_INTERNAL);
    assert_int_equal(none.fd, SPAWNER_CLOSED);
    spawner_stop(&none);
}

int main(int argc, char **argv)
{
#define WITH_SPAWNER(test) cmocka_unit_test_setup_teardown(test, start_spawner, stop_spawner)
    const struct CMUnitTest tests[] = {
        WITH_SPAWNER(a_runner_has_a_title_and_none_of_the_servers_environment),
        WITH_SPAWNER(a_link_tells_all_and_ends_with_the_status),
        WITH_SPAWNER(a_new_server_is_told_how_things_are),
        WITH_SPAWNER(a_server_that_does_not_read_holds_nothing_up),
        WITH_SPAWNER(there_is_room_for_nine_servers_that_come_back),
        WITH_SPAWNER(runners_outlive_the_spawner),
        WITH_SPAWNER(what_a_killed_runner_leaves_behind_is_killed),
        WITH_SPAWNER(also_when_the_server_is_gone),
        WITH_SPAWNER(a_dead_spawner_is_noticed_and_replaced),
        WITH_SPAWNER(a_directory_that_is_not_there_ends_the_link_alone),
        cmocka_unit_test(a_program_that_is_no_runner_cannot_be_started),
    };
    setenv("SOMA_SECRET", "of the server", 1);
    kit_open(argc, argv);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    kit_close();
    return failed;
}
