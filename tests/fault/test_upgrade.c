// The server is upgraded under running jobs: their runners are of an older version than it. The old
// one is old_runner.py.
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "fault_kit.h"

static char *old_runner; // the program's text
static size_t old_runner_length;

static int start_with_old_runners(void **state)
{
    static char path[PATH_MAX];
    (void)state;
    fault_open();
    snprintf(path, sizeof path, "%s", fault_path("old-runner"));
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0755);
    assert_int_equal(fd_write_all(fd, old_runner, old_runner_length), 0);
    close(fd);
    somad_kit_use_runner(path);
    fault_start_server();
    return 0;
}

static int stop(void **state)
{
    (void)state;
    if (fault_somad.pid > 0)
        assert_int_equal(somad_end(&fault_somad, SIGTERM), 0);
    fault_close();
    return 0;
}

static void upgrade(void)
{
    somad_kit_use_runner(NULL);
    fault_start_server();
}

static void submit_until(const char *name, char *ret_id)
{
    char script[PATH_MAX + 100];
    snprintf(script, sizeof script, "seq 1 100; " FAULT_UNTIL "; seq 101 200; exit 5",
             fault_path(name));
    fault_submit(script, ret_id);
    fault_wait_output(ret_id, 292);
}

static void assert_ended_well(const char *id)
{
    struct soma_job *job = fault_wait_final(id);
    assert_int_equal(job->state, SOMA_JOB_FAILED);
    assert_int_equal(job->exit_code, 5);
    assert_int_equal(job->attempt, 1);
    assert_int_equal(job->stdout_size.kept_bytes, 692);
    assert_int_equal(job->stdout_size.dropped_bytes, 0);
    soma_free(job);
    fault_wait_output(id, 692);
}

static void a_new_server_understands_an_old_runner_from_the_start(void **state)
{
    (void)state;
    char id[FAULT_ID_SIZE];
    submit_until("go-at-once", id);
    fault_let_go("go-at-once");
    assert_ended_well(id);
}

static void jobs_of_old_runners_are_taken_up_by_a_new_server(void **state)
{
    (void)state;
    char waiting[FAULT_ID_SIZE], alone[FAULT_ID_SIZE], endless[FAULT_ID_SIZE], new[FAULT_ID_SIZE];
    submit_until("go-later", waiting);
    submit_until("go-alone", alone);
    fault_submit("echo up; sleep 1000", endless);
    fault_wait_output(endless, 3);
    somad_end(&fault_somad, SIGKILL);
    fault_let_go("go-alone");
    upgrade();
    assert_ended_well(alone);
    assert_int_equal(fault_state(waiting), SOMA_JOB_RUNNING);
    fault_let_go("go-later");
    assert_ended_well(waiting);
    struct soma_job_cancel_request request = SOMA_JOB_CANCEL_REQUEST_INIT;
    request.job_id = endless;
    assert_int_equal(soma_job_cancel(fault_client, &request, NULL, NULL, NULL), SOMA_OK);
    struct soma_job *job = fault_wait_final(endless);
    assert_int_equal(job->state, SOMA_JOB_CANCELLED);
    soma_free(job);
    fault_submit("exit 6", new);
    job = fault_wait_final(new);
    assert_int_equal(job->exit_code, 6);
    soma_free(job);
}

static void an_old_runner_that_vanished_leaves_a_lost_job(void **state)
{
    (void)state;
    char id[FAULT_ID_SIZE];
    fault_submit("echo up; exec sleep 30", id);
    fault_wait_output(id, 3);
    struct soma_job *job = fault_get(id);
    pid_t runner = (pid_t)job->runner_pid;
    soma_free(job);
    assert_true(runner > 0);
    somad_end(&fault_somad, SIGKILL);
    assert_int_equal(kill(runner, SIGKILL), 0);
    upgrade();
    job = fault_wait_final(id);
    assert_int_equal(job->state, SOMA_JOB_LOST);
    soma_free(job);
}

int main(int argc, char **argv)
{
#define WITH_OLD_RUNNERS(test) cmocka_unit_test_setup_teardown(test, start_with_old_runners, stop)
    const struct CMUnitTest tests[] = {
        WITH_OLD_RUNNERS(a_new_server_understands_an_old_runner_from_the_start),
        WITH_OLD_RUNNERS(jobs_of_old_runners_are_taken_up_by_a_new_server),
        WITH_OLD_RUNNERS(an_old_runner_that_vanished_leaves_a_lost_job),
    };
    struct soma_error err;
    if (file_read_all(AT_FDCWD, SOMA_OLD_RUNNER, 1 << 20, &old_runner, &old_runner_length, NULL,
                      &err))
        return 1;
    somad_kit_open(argc, argv);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    free(old_runner);
    return failed;
}
