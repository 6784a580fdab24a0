// What goes by itself, and how much may wait, on the real server.
#include <setjmp.h>
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

#define STATE(name) PB__JOB_STATE__JOB_STATE_##name

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

static bool is_there(const char *id)
{
    Pb__GetJobRequest request = PB__GET_JOB_REQUEST__INIT;
    request.job_id = id;
    return strcmp(job_refused(NULL, "GetJob", &request.base), "") == 0;
}

static bool has_files(const char *id)
{
    char path[200];
    struct stat info;
    snprintf(path, sizeof path, "%s/data/jobs/%s", somad.directory, id);
    return stat(path, &info) == 0;
}

static void wait_removed(const char *id, const char *why)
{
    char line[200];
    struct mono_time deadline = clock_deadline_after(KIT_PATIENCE_MS);
    while (is_there(id) || has_files(id)) {
        if (clock_left_ms(deadline) == 0)
            fail_msg("job %s is not removed", id);
        usleep(5000);
    }
    snprintf(line, sizeof line, "JOB-REMOVED job %s of queue kept: %s", id, why);
    assert_true(somad_said(&somad, "stderr", line));
}

static void run_kept(char ids[4][JOB_ID_SIZE])
{
    for (int i = 0; i < 4; i++) {
        job_submit_to("kept", "head -c 1000 /dev/zero", ids[i]);
        job_wait_final(ids[i]);
    }
}

static void finished_jobs_past_what_their_queue_keeps_go_and_the_log_says_so(void **state)
{
    (void)state;
    char ids[4][JOB_ID_SIZE];
    Pb__UpdateQueueRequest request = PB__UPDATE_QUEUE_REQUEST__INIT;
    run_kept(ids);
    request.keep_jobs_presence_case = PB__UPDATE_QUEUE_REQUEST__KEEP_JOBS_PRESENCE_KEEP_JOBS;
    request.keep_jobs = 3;
    queue_update(&request, "kept");
    wait_removed(ids[0], "its queue keeps no more finished jobs");
    request = (Pb__UpdateQueueRequest)PB__UPDATE_QUEUE_REQUEST__INIT;
    request.keep_bytes_presence_case = PB__UPDATE_QUEUE_REQUEST__KEEP_BYTES_PRESENCE_KEEP_BYTES;
    request.keep_bytes = 2000;
    queue_update(&request, "kept");
    wait_removed(ids[1], "its queue keeps no more output");
    assert_true(is_there(ids[2]) && has_files(ids[2]) && is_there(ids[3]));
    assert_int_equal(queue_get("kept")->finished_jobs, 2);
    assert_int_equal(queue_get("kept")->output_bytes, 2000);
    request = (Pb__UpdateQueueRequest)PB__UPDATE_QUEUE_REQUEST__INIT;
    request.keep_ms_presence_case = PB__UPDATE_QUEUE_REQUEST__KEEP_MS_PRESENCE_KEEP_MS;
    request.keep_ms = 1;
    queue_update(&request, "kept");
    wait_removed(ids[2], "its queue keeps finished jobs no longer");
    wait_removed(ids[3], "its queue keeps finished jobs no longer");
}

static void a_job_past_its_keep_time_goes_and_one_that_runs_never_does(void **state)
{
    (void)state;
    char running[JOB_ID_SIZE], over[JOB_ID_SIZE];
    Pb__JobSpec *spec = job_script("sleep 1000");
    spec->keep_ms = 1;
    spec->queue = "kept";
    job_submit(spec, running);
    spec = job_script("true");
    spec->keep_ms = 1;
    spec->queue = "kept";
    job_submit(spec, over);
    job_wait_state(running, STATE(RUNNING));
    job_kit_kill_server();
    job_kit_restart_server(); // which looks at its start
    struct mono_time deadline = clock_deadline_after(KIT_PATIENCE_MS);
    while (is_there(over))
        assert_true(clock_left_ms(deadline) > 0);
    assert_int_equal(job_get(running)->status->state, STATE(RUNNING));
    job_cancel(running, "", true);
}

static void past_the_total_size_the_job_that_ended_first_goes(void **state)
{
    (void)state;
    char ids[4][JOB_ID_SIZE];
    Pb__UpdateQueueRequest none = PB__UPDATE_QUEUE_REQUEST__INIT;
    none.keep_jobs_presence_case = PB__UPDATE_QUEUE_REQUEST__KEEP_JOBS_PRESENCE_KEEP_JOBS;
    none.keep_ms_presence_case = PB__UPDATE_QUEUE_REQUEST__KEEP_MS_PRESENCE_KEEP_MS;
    none.keep_bytes_presence_case = PB__UPDATE_QUEUE_REQUEST__KEEP_BYTES_PRESENCE_KEEP_BYTES;
    queue_update(&none, "kept");
    run_kept(ids);
    job_kit_kill_server();
    setenv("SOMA_MAX_KEPT", "3000", 1);
    job_kit_restart_server();
    unsetenv("SOMA_MAX_KEPT");
    wait_removed(ids[0], "the output of all finished jobs is over its bound");
    assert_true(is_there(ids[3]));
}

static void past_the_bound_of_unfinished_jobs_a_submit_is_refused_and_changes_nothing(void **state)
{
    (void)state;
    char first[JOB_ID_SIZE], second[JOB_ID_SIZE];
    job_kit_kill_server();
    setenv("SOMA_MAX_UNFINISHED", "2", 1);
    job_kit_restart_server();
    queue_pause("full", true);
    job_submit_to("full", "true", first);
    job_submit_to("full", "true", second);
    Pb__SubmitJobRequest request = PB__SUBMIT_JOB_REQUEST__INIT;
    request.spec = job_script("true");
    request.spec->queue = "overflow";
    assert_string_equal(job_refused(NULL, "SubmitJob", &request.base), "QUEUE_FULL");
    Pb__GetQueueRequest get = PB__GET_QUEUE_REQUEST__INIT;
    get.queue = "overflow";
    assert_string_equal(job_refused(NULL, "GetQueue", &get.base), "QUEUE_NOT_FOUND");
    job_cancel(first, "", false);
    char third[JOB_ID_SIZE];
    job_submit_to("overflow", "true", third);
    assert_int_equal(job_wait_final(third)->status->state, STATE(SUCCEEDED));
    Pb__RetryJobRequest retry = PB__RETRY_JOB_REQUEST__INIT;
    retry.job_id = first;
    job_ask("RetryJob", &retry.base, &pb__retry_job_response__descriptor);
    retry.job_id = third;
    assert_string_equal(job_refused(NULL, "RetryJob", &retry.base), "QUEUE_FULL");
    job_kit_kill_server();
    unsetenv("SOMA_MAX_UNFINISHED");
    job_kit_restart_server();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finished_jobs_past_what_their_queue_keeps_go_and_the_log_says_so),
        cmocka_unit_test(a_job_past_its_keep_time_goes_and_one_that_runs_never_does),
        cmocka_unit_test(past_the_total_size_the_job_that_ended_first_goes),
        cmocka_unit_test(past_the_bound_of_unfinished_jobs_a_submit_is_refused_and_changes_nothing),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
