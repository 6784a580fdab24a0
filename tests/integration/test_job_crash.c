// Jobs and the ends of others: the server is killed, the runner is killed, both are.
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "job_kit.h"

#define STDOUT PB__OUTPUT_STREAM__OUTPUT_STREAM_STDOUT

enum {
    SUBMITS = 100
};

static const int64_t FAR_AHEAD_MS = 4102444800000; // the year 2100

static int start(void **state)
{
    (void)state;
    job_kit_start();
    return 0;
}

static int stop(void **state)
{
    (void)state;
    job_kit_stop();
    return 0;
}

static pid_t runner_of(const char *id)
{
    struct mono_time deadline = clock_deadline_after(KIT_PATIENCE_MS);
    for (;;) {
        int64_t pid = job_get(id)->status->runner_pid;
        if (pid > 0)
            return (pid_t)pid;
        assert_true(clock_left_ms(deadline) > 0);
    }
}

// The job waits for the file "go" in its work directory before it goes on.
static void let_go(const char *id)
{
    char path[160];
    snprintf(path, sizeof path, "%s/data/jobs/%s/1/work/go", somad.directory, id);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fclose(file);
}

static void run_until_let_go(char id[JOB_ID_SIZE])
{
    job_run("seq 1 100; until [ -e go ]; do sleep 0.02; done; seq 101 200; exit 5", id);
}

static void assert_two_hundred_lines(const char *id)
{
    char expected[2000], *at = expected;
    for (int i = 1; i <= 200; i++)
        at += sprintf(at, "%d\n", i);
    char *output = job_output(id, 0, STDOUT, 0);
    assert_string_equal(output, expected);
    free(output);
}

static void a_running_job_goes_on_without_its_server_and_is_taken_up_again(void **state)
{
    (void)state;
    char id[JOB_ID_SIZE];
    run_until_let_go(id);
    job_wait_output(id, "100");
    job_kit_kill_server();
    job_kit_restart_server();
    assert_int_equal(job_get(id)->status->state, PB__JOB_STATE__JOB_STATE_RUNNING);
    pid_t runner = runner_of(id);
    assert_int_equal(kill(runner, 0), 0);
    let_go(id);
    const Pb__JobStatus *status = job_wait_final(id)->status;
    assert_int_equal(status->state, PB__JOB_STATE__JOB_STATE_FAILED);
    assert_int_equal(status->exit_code, 5);
    assert_int_equal(status->attempt, 1);
    assert_two_hundred_lines(id);
}

static void a_job_that_ended_while_no_server_was_there_is_found_ended(void **state)
{
    (void)state;
    char id[JOB_ID_SIZE];
    run_until_let_go(id);
    job_wait_output(id, "100");
    pid_t runner = runner_of(id);
    job_kit_kill_server();
    let_go(id);
    struct mono_time deadline = clock_deadline_after(KIT_PATIENCE_MS);
    while (kill(runner, 0) == 0)
        assert_true(clock_left_ms(deadline) > 0);
    job_kit_restart_server();
    assert_int_equal(job_wait_final(id)->status->exit_code, 5);
    assert_two_hundred_lines(id);
}

static void a_job_taken_up_again_can_still_be_cancelled(void **state)
{
    (void)state;
    char id[JOB_ID_SIZE];
    Pb__JobSpec *spec = job_script("trap '' TERM; echo up; while :; do sleep 1000; done");
    Pb__JobLimits limits = PB__JOB_LIMITS__INIT;
    limits.kill_grace_ms = 600000;
    spec->limits = &limits;
    job_submit(spec, id);
    job_wait_output(id, "up");
    job_cancel(id, "kindly", false);
    job_kit_kill_server();
    job_kit_restart_server();
    assert_true(job_get(id)->status->cancel_requested_unix_ms > 0);
    assert_int_equal(job_get(id)->status->state, PB__JOB_STATE__JOB_STATE_RUNNING);
    job_cancel(id, "by force", true);
    assert_int_equal(job_wait_final(id)->status->state, PB__JOB_STATE__JOB_STATE_CANCELLED);
}

static void a_job_whose_supervisor_is_killed_is_lost_and_says_so(void **state)
{
    (void)state;
    char id[JOB_ID_SIZE];
    job_run("echo some; sleep 1000", id);
    job_wait_output(id, "some");
    kill(runner_of(id), SIGKILL);
    const Pb__JobStatus *status = job_wait_final(id)->status;
    assert_int_equal(status->state, PB__JOB_STATE__JOB_STATE_LOST);
    assert_int_equal(status->reason, PB__JOB_REASON__JOB_REASON_LOST);
    assert_int_equal(status->stdout_size->kept_bytes, 5);
    assert_true(status->message[0] != '\0');
}

static void a_job_lost_with_its_server_is_lost_not_running_for_ever(void **state)
{
    (void)state;
    char id[JOB_ID_SIZE];
    job_run("echo some; sleep 1000", id);
    job_wait_output(id, "some");
    pid_t runner = runner_of(id);
    job_kit_kill_server();
    kill(runner, SIGKILL);
    job_kit_restart_server();
    assert_int_equal(job_wait_final(id)->status->state, PB__JOB_STATE__JOB_STATE_LOST);
}

static void an_idempotent_job_runs_again_but_not_for_ever(void **state)
{
    (void)state;
    char id[JOB_ID_SIZE];
    Pb__JobSpec *spec = job_script("echo up; sleep 1000");
    spec->idempotent = true;
    job_submit(spec, id);
    for (uint32_t attempt = 1; attempt <= 3; attempt++) {
        struct mono_time deadline = clock_deadline_after(KIT_PATIENCE_MS);
        while (job_get(id)->status->attempt < attempt)
            assert_true(clock_left_ms(deadline) > 0);
        job_wait_output(id, "up");
        kill(runner_of(id), SIGKILL);
    }
    const Pb__JobStatus *status = job_wait_final(id)->status;
    assert_int_equal(status->state, PB__JOB_STATE__JOB_STATE_LOST);
    assert_int_equal(status->attempt, 3);
}

// A job that is RUNNING in the database, and whose directory says that it never ran.
static void run_and_forget(char id[JOB_ID_SIZE], const char *boot)
{
    char path[160];
    job_run("echo up; sleep 1000", id);
    job_wait_output(id, "up");
    pid_t runner = runner_of(id);
    job_kit_kill_server();
    kill(runner, SIGKILL);
    snprintf(path, sizeof path, "%s/data/jobs/%s/1/lock", somad.directory, id);
    assert_int_equal(truncate(path, 0), 0);
    snprintf(path, sizeof path, "%s/data/boot", somad.directory);
    FILE *file = fopen(path, boot ? "w" : "r");
    assert_non_null(file);
    assert_true(!boot || fputs(boot, file) >= 0);
    fclose(file);
    job_kit_restart_server();
}

static void what_a_machine_forgot_that_went_down_is_not_run_again(void **state)
{
    (void)state;
    char id[JOB_ID_SIZE];
    run_and_forget(id, "00000000-0000-4000-8000-000000000000");
    const Pb__JobStatus *status = job_wait_final(id)->status;
    assert_int_equal(status->state, PB__JOB_STATE__JOB_STATE_LOST);
    assert_int_equal(status->attempt, 1);
    assert_non_null(strstr(status->message, "the machine went down"));
    // Settled: from now on directories are believed again.
    run_and_forget(id, NULL);
    job_wait_output(id, "up");
    assert_int_equal(job_get(id)->status->state, PB__JOB_STATE__JOB_STATE_RUNNING);
    assert_int_equal(job_get(id)->status->attempt, 1);
    job_cancel(id, "", true);
    job_wait_final(id);
}

static void no_acknowledged_submit_is_lost(void **state)
{
    (void)state;
    static char ids[SUBMITS][JOB_ID_SIZE];
    for (int i = 0; i < SUBMITS; i++) {
        Pb__JobSpec *spec = job_script("exit 0");
        spec->not_before_unix_ms = FAR_AHEAD_MS;
        job_submit(spec, ids[i]);
    }
    job_kit_kill_server();
    job_kit_restart_server();
    for (int i = 0; i < SUBMITS; i++)
        assert_int_equal(job_get(ids[i])->status->state, PB__JOB_STATE__JOB_STATE_QUEUED);
}

static void files_of_a_job_without_a_row_are_swept_up(void **state)
{
    (void)state;
    char path[160], id[JOB_ID_SIZE];
    job_run("exit 0", id);
    job_wait_final(id);
    job_kit_kill_server();
    snprintf(path, sizeof path, "%s/data/jobs/00000000000000000001", somad.directory);
    assert_int_equal(mkdir(path, 0711), 0);
    job_kit_restart_server();
    struct mono_time deadline = clock_deadline_after(KIT_PATIENCE_MS);
    while (access(path, F_OK) == 0)
        assert_true(clock_left_ms(deadline) > 0);
    snprintf(path, sizeof path, "%s/data/jobs/%s/1/status", somad.directory, id);
    assert_int_equal(access(path, F_OK), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_running_job_goes_on_without_its_server_and_is_taken_up_again),
        cmocka_unit_test(a_job_that_ended_while_no_server_was_there_is_found_ended),
        cmocka_unit_test(a_job_taken_up_again_can_still_be_cancelled),
        cmocka_unit_test(a_job_whose_supervisor_is_killed_is_lost_and_says_so),
        cmocka_unit_test(a_job_lost_with_its_server_is_lost_not_running_for_ever),
        cmocka_unit_test(an_idempotent_job_runs_again_but_not_for_ever),
        cmocka_unit_test(what_a_machine_forgot_that_went_down_is_not_run_again),
        cmocka_unit_test(no_acknowledged_submit_is_lost),
        cmocka_unit_test(files_of_a_job_without_a_row_are_swept_up),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
