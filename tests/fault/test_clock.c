// The machine's wall clock jumps by days under the server (libfaketime changes what it sees):
// nothing that is measured in time passed notices, and nothing is lost.
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

#include "base/clock.h"
#include "base/file.h"
#include "fault_kit.h"

static const int64_t HOUR_MS = 3600000;

// Whole or not there: the library reads it at any moment.
static void set_clock(const char *offset)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s", fault_path("clock.new"));
    FD_CLEANUP int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    assert_true(fd >= 0);
    assert_int_equal(fd_write_all(fd, offset, strlen(offset)), 0);
    assert_int_equal(rename(path, fault_path("clock")), 0);
}

static int64_t server_ms(void)
{
    struct soma_ping_request request = SOMA_PING_REQUEST_INIT;
    struct soma_ping *ping;
    assert_int_equal(soma_server_ping(fault_client, &request, NULL, &ping, NULL), SOMA_OK);
    int64_t ms = ping->server_time_ms;
    soma_free(ping);
    return ms;
}

// Sets the clock and waits until the server sees it.
static void jump(const char *offset, int64_t hours)
{
    int64_t deadline_ms = 0, distance;
    set_clock(offset);
    do {
        distance = server_ms() - clock_wall_now().ms - hours * HOUR_MS;
        fault_pause(&deadline_ms, "the jump");
    } while (distance > HOUR_MS || distance < -HOUR_MS);
}

static int start(void **state)
{
    (void)state;
    if (!SOMA_FAKETIME[0])
        return 0;
    fault_open();
    set_clock("+0");
    setenv("LD_PRELOAD", SOMA_FAKETIME, 1);
    setenv("FAKETIME_TIMESTAMP_FILE", fault_path("clock"), 1);
    setenv("FAKETIME_NO_CACHE", "1", 1);
    setenv("FAKETIME_DONT_FAKE_MONOTONIC", "1", 1);
    setenv("NO_FAKE_STAT", "1", 1);
    fault_start_server();
    unsetenv("LD_PRELOAD");
    return 0;
}

static int stop(void **state)
{
    (void)state;
    if (!SOMA_FAKETIME[0])
        return 0;
    assert_int_equal(somad_end(&fault_somad, SIGTERM), 0);
    fault_close();
    return 0;
}

#define SKIP_WITHOUT_FAKETIME() \
    do {                        \
        if (!SOMA_FAKETIME[0])  \
            skip();             \
    } while (0)

static void assert_runs(const char *script, int exit_code)
{
    char id[FAULT_ID_SIZE];
    fault_submit(script, id);
    struct soma_job *job = fault_wait_final(id);
    assert_int_equal(job->exit_code, exit_code);
    assert_true(job->wall_used_ms >= 0 && job->wall_used_ms < HOUR_MS);
    soma_free(job);
}

static void a_running_job_does_not_notice_a_jump(void **state)
{
    (void)state;
    SKIP_WITHOUT_FAKETIME();
    char script[PATH_MAX + 100], id[FAULT_ID_SIZE];
    snprintf(script, sizeof script, "echo up; " FAULT_UNTIL "; exit 4", fault_path("go"));
    fault_submit(script, id);
    fault_wait_output(id, 3);
    // Longer than its wall time, which is 24 hours.
    jump("+3d", 72);
    assert_runs("exit 1", 1);
    assert_int_equal(fault_state(id), SOMA_JOB_RUNNING);
    jump("-3d", -72);
    assert_runs("exit 2", 2);
    assert_int_equal(fault_state(id), SOMA_JOB_RUNNING);
    fault_let_go("go");
    struct soma_job *job = fault_wait_final(id);
    assert_int_equal(job->exit_code, 4);
    assert_true(job->wall_used_ms >= 0 && job->wall_used_ms < HOUR_MS);
    soma_free(job);
    jump("+0", 0);
}

static void a_time_limit_is_time_that_passes(void **state)
{
    (void)state;
    SKIP_WITHOUT_FAKETIME();
    struct soma_job_spec spec = SOMA_JOB_SPEC_INIT;
    const char *const words[] = {"sleep", "1000"};
    struct soma_job *job;
    spec.arguments = words;
    spec.argument_count = 2;
    spec.wall_time_ms = 700;
    assert_int_equal(soma_job_submit(fault_client, &spec, NULL, &job, NULL), SOMA_OK);
    jump("-2d", -48);
    struct soma_job *ended = fault_wait_final(job->id);
    assert_int_equal(ended->state, SOMA_JOB_TIMED_OUT);
    soma_free(ended);
    soma_free(job);
    jump("+0", 0);
}

static void a_delayed_job_starts_when_the_clock_says_so(void **state)
{
    (void)state;
    SKIP_WITHOUT_FAKETIME();
    char id[FAULT_ID_SIZE];
    const char *reason = fault_try_submit("exit 9", clock_wall_now().ms + 12 * HOUR_MS, id);
    assert_string_equal(reason, "");
    jump("-1d", -24);
    assert_runs("exit 1", 1);
    assert_int_equal(fault_state(id), SOMA_JOB_QUEUED);
    jump("+1d", 24);
    // Whatever wakes the engine shows it the time.
    assert_runs("exit 1", 1);
    struct soma_job *job = fault_wait_final(id);
    assert_int_equal(job->exit_code, 9);
    soma_free(job);
    jump("+0", 0);
}

static void a_long_poll_ends_in_spite_of_a_jump(void **state)
{
    (void)state;
    SKIP_WITHOUT_FAKETIME();
    char id[FAULT_ID_SIZE];
    struct soma_job_wait_request request = SOMA_JOB_WAIT_REQUEST_INIT;
    fault_try_submit("exit 0", clock_wall_now().ms + 12 * HOUR_MS, id);
    jump("-5d", -120);
    request.job_id = id;
    request.wait_ms = 300;
    struct soma_job *job;
    assert_int_equal(soma_job_wait(fault_client, &request, NULL, &job, NULL), SOMA_OK);
    assert_int_equal(job->state, SOMA_JOB_QUEUED);
    soma_free(job);
    jump("+0", 0);
}

static void a_repeated_request_is_known_after_a_jump_back(void **state)
{
    (void)state;
    SKIP_WITHOUT_FAKETIME();
    static const uint8_t request_id[SOMA_REQUEST_ID_BYTES] = "clock jumps back";
    struct soma_call_options options = SOMA_CALL_OPTIONS_INIT;
    struct soma_job_spec spec = SOMA_JOB_SPEC_INIT;
    const char *const words[] = {"true"};
    struct soma_job *first, *again;
    spec.arguments = words;
    spec.argument_count = 1;
    options.request_id = request_id;
    assert_int_equal(soma_job_submit(fault_client, &spec, &options, &first, NULL), SOMA_OK);
    jump("-4d", -96);
    assert_runs("exit 1", 1);
    assert_int_equal(soma_job_submit(fault_client, &spec, &options, &again, NULL), SOMA_OK);
    assert_string_equal(first->id, again->id);
    soma_free(first);
    soma_free(again);
    jump("+0", 0);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_running_job_does_not_notice_a_jump),
        cmocka_unit_test(a_time_limit_is_time_that_passes),
        cmocka_unit_test(a_delayed_job_starts_when_the_clock_says_so),
        cmocka_unit_test(a_long_poll_ends_in_spite_of_a_jump),
        cmocka_unit_test(a_repeated_request_is_known_after_a_jump_back),
    };
    somad_kit_open(argc, argv);
    return cmocka_run_group_tests(tests, start, stop);
}
