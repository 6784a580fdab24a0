// JobService with the real server, the real runner and real programs.
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "job_kit.h"

#define STDOUT PB__OUTPUT_STREAM__OUTPUT_STREAM_STDOUT
#define STDERR PB__OUTPUT_STREAM__OUTPUT_STREAM_STDERR

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

static void assert_output(const char *id, uint32_t attempt, Pb__OutputStream stream,
                          const char *text)
{
    char *output = job_output(id, attempt, stream, 0);
    assert_string_equal(output, text);
    free(output);
}

// --- what a job is

static void a_program_gets_what_was_asked_for_and_its_words_are_kept(void **state)
{
    (void)state;
    char id[JOB_ID_SIZE];
    Pb__JobSpec *spec =
        job_script("cat; echo \"$A-$SOMA_JOB_ID-$SOMA_ATTEMPT\"; echo bad >&2; exit 7");
    Pb__EnvironmentVariable variable = PB__ENVIRONMENT_VARIABLE__INIT, *variables[] = {&variable};
    variable.name = "A";
    variable.value = "b";
    spec->environment = variables;
    spec->n_environment = 1;
    spec->stdin.data = (uint8_t *)"in\n";
    spec->stdin.len = 3;
    job_submit(spec, id);
    const Pb__JobStatus *status = job_wait_final(id)->status;
    assert_int_equal(status->state, PB__JOB_STATE__JOB_STATE_FAILED);
    assert_int_equal(status->reason, PB__JOB_REASON__JOB_REASON_EXITED);
    assert_int_equal(status->exit_code, 7);
    assert_int_equal(status->attempt, 1);
    assert_true(status->created_unix_ms <= status->started_unix_ms);
    assert_true(status->started_unix_ms <= status->finished_unix_ms);
    assert_non_null(status->resource_use);
    assert_int_equal(status->stderr_size->kept_bytes, 4);
    char expected[64];
    snprintf(expected, sizeof expected, "in\nb-%s-1\n", id);
    assert_output(id, 0, STDOUT, expected);
    assert_output(id, 1, STDERR, "bad\n");
}

static void each_end_has_its_state_and_reason(void **state)
{
    (void)state;
    static const struct {
        const char *script;
        Pb__JobState state;
        Pb__JobReason reason;
        int exit_code;
        int signal;
    } rows[] = {
        {"exit 0", PB__JOB_STATE__JOB_STATE_SUCCEEDED, PB__JOB_REASON__JOB_REASON_EXITED, 0, 0},
        {"kill -9 $$", PB__JOB_STATE__JOB_STATE_FAILED, PB__JOB_REASON__JOB_REASON_SIGNALED, 0, 9},
        {NULL, PB__JOB_STATE__JOB_STATE_FAILED, PB__JOB_REASON__JOB_REASON_START_FAILED, 127, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char id[JOB_ID_SIZE];
        Pb__JobSpec *spec = job_script(rows[i].script);
        if (!rows[i].script) {
            spec->command->argv[0] = "/no/such/program";
            spec->command->n_argv = 1;
        }
        job_submit(spec, id);
        const Pb__JobStatus *status = job_wait_final(id)->status;
        assert_int_equal(status->state, rows[i].state);
        assert_int_equal(status->reason, rows[i].reason);
        assert_int_equal(status->exit_code, rows[i].exit_code);
        assert_int_equal(status->signal, rows[i].signal);
    }
}

static void the_wall_time_limit_ends_a_job_and_keeps_its_output(void **state)
{
    (void)state;
    char id[JOB_ID_SIZE];
    Pb__JobSpec *spec = job_script("echo begun; sleep 1000");
    Pb__JobLimits limits = PB__JOB_LIMITS__INIT;
    limits.wall_time_ms = 300;
    spec->limits = &limits;
    job_submit(spec, id);
    assert_int_equal(job_wait_final(id)->status->state, PB__JOB_STATE__JOB_STATE_TIMED_OUT);
    assert_output(id, 0, STDOUT, "begun\n");
}

static void output_past_the_cap_is_counted_not_kept(void **state)
{
    (void)state;
    char id[JOB_ID_SIZE];
    Pb__JobSpec *spec = job_script("head -c 300000 /dev/zero | tr '\\0' x");
    Pb__JobLimits limits = PB__JOB_LIMITS__INIT;
    limits.output_bytes = 100000;
    spec->limits = &limits;
    job_submit(spec, id);
    const Pb__JobStatus *status = job_wait_final(id)->status;
    assert_int_equal(status->state, PB__JOB_STATE__JOB_STATE_SUCCEEDED);
    assert_int_equal(status->stdout_size->kept_bytes, 100000);
    assert_int_equal(status->stdout_size->dropped_bytes, 200000);
    char *output = job_output(id, 0, STDOUT, 777);
    assert_int_equal(strlen(output), 100000);
    free(output);
}

static void output_is_followed_while_it_is_written_and_ends_with_the_job(void **state)
{
    (void)state;
    char id[JOB_ID_SIZE];
    job_run("for i in 1 2 3 4 5 6 7 8 9; do echo $i; sleep 0.03; done", id);
    // Begun before the job is; what is there is never taken for the end.
    assert_output(id, 0, STDOUT, "1\n2\n3\n4\n5\n6\n7\n8\n9\n");
    assert_int_equal(job_wait_final(id)->status->state, PB__JOB_STATE__JOB_STATE_SUCCEEDED);
}

static void an_offset_past_the_end_is_refused(void **state)
{
    (void)state;
    char id[JOB_ID_SIZE];
    job_run("echo x", id);
    job_wait_final(id);
    Pb__OutputPosition position = PB__OUTPUT_POSITION__INIT, *positions[] = {&position};
    Pb__ReadJobOutputRequest request = PB__READ_JOB_OUTPUT_REQUEST__INIT;
    position.stream = STDOUT;
    position.offset = 3;
    request.job_id = id;
    request.positions = positions;
    request.n_positions = 1;
    assert_string_equal(job_refused(NULL, "ReadJobOutput", &request.base), "OFFSET_PAST_END");
    position.offset = 2;
    assert_string_equal(job_refused(NULL, "ReadJobOutput", &request.base), "");
    request.attempt = 2;
    assert_string_equal(job_refused(NULL, "ReadJobOutput", &request.base), "ATTEMPT_NOT_FOUND");
}

// --- requests that come twice

static void a_request_id_submits_once(void **state)
{
    (void)state;
    static const uint8_t request_id[16] = "fifteen letters";
    Pb__SubmitJobRequest request = PB__SUBMIT_JOB_REQUEST__INIT;
    request.spec = job_script("echo once");
    char first[JOB_ID_SIZE];
    const Pb__SubmitJobResponse *response =
        job_ask_as(request_id, "SubmitJob", &request.base, &pb__submit_job_response__descriptor);
    memcpy(first, response->job->id, sizeof first);
    response =
        job_ask_as(request_id, "SubmitJob", &request.base, &pb__submit_job_response__descriptor);
    assert_string_equal(response->job->id, first);
    request.spec->name = "another";
    assert_string_equal(job_refused(request_id, "SubmitJob", &request.base), "REQUEST_ID_REUSED");
}

// --- cancel

static void a_queued_job_is_cancelled_at_once(void **state)
{
    (void)state;
    char id[JOB_ID_SIZE];
    Pb__JobSpec *spec = job_script("echo never");
    spec->not_before_unix_ms = FAR_AHEAD_MS;
    job_submit(spec, id);
    job_cancel(id, "wrong file", false);
    const Pb__JobStatus *status = job_get(id)->status;
    assert_int_equal(status->state, PB__JOB_STATE__JOB_STATE_CANCELLED);
    assert_int_equal(status->attempt, 0);
    assert_non_null(strstr(status->message, "wrong file"));
    assert_output(id, 0, STDOUT, "");
    Pb__CancelJobRequest request = PB__CANCEL_JOB_REQUEST__INIT;
    request.job_id = id;
    const Pb__CancelJobResponse *response =
        job_ask("CancelJob", &request.base, &pb__cancel_job_response__descriptor);
    assert_true(response->was_final);
}

static void cancel_kills_the_grandchildren_that_ignore_it_too(void **state)
{
    (void)state;
    char id[JOB_ID_SIZE];
    Pb__JobSpec *spec = job_script("trap '' TERM; for i in 1 2 3; do "
                                   "(setsid sh -c 'trap \"\" TERM; sleep 1000; sleep 1000' &) ; "
                                   "done; echo up; sleep 1000; sleep 1000");
    Pb__EnvironmentVariable variable = PB__ENVIRONMENT_VARIABLE__INIT, *variables[] = {&variable};
    char value[32], cookie[64];
    snprintf(value, sizeof value, "of-test-%ld", (long)getpid());
    snprintf(cookie, sizeof cookie, "COOKIE=%s", value);
    variable.name = "COOKIE";
    variable.value = value;
    spec->environment = variables;
    spec->n_environment = 1;
    Pb__JobLimits limits = PB__JOB_LIMITS__INIT;
    limits.kill_grace_ms = 100;
    spec->limits = &limits;
    job_submit(spec, id);
    job_wait_output(id, "up");
    job_wait_processes(cookie, 8);
    job_cancel(id, "by the test", false);
    const Pb__JobStatus *status = job_wait_final(id)->status;
    assert_int_equal(status->state, PB__JOB_STATE__JOB_STATE_CANCELLED);
    assert_non_null(strstr(status->message, "by the test"));
    assert_true(status->cancel_requested_unix_ms > 0);
    assert_int_equal(job_processes(cookie), 0);
}

// --- retry, delete, prune

static void a_retry_is_a_new_attempt_and_the_first_stays_readable(void **state)
{
    (void)state;
    char id[JOB_ID_SIZE];
    job_run("echo $SOMA_ATTEMPT", id);
    Pb__RetryJobRequest request = PB__RETRY_JOB_REQUEST__INIT;
    request.job_id = id;
    job_wait_final(id);
    char *first = job_output(id, 1, STDOUT, 0);
    job_ask("RetryJob", &request.base, &pb__retry_job_response__descriptor);
    assert_int_equal(job_wait_final(id)->status->attempt, 2);
    char *second = job_output(id, 0, STDOUT, 0), *again = job_output(id, 1, STDOUT, 0);
    assert_string_not_equal(second, first);
    assert_string_equal(again, first);
    free(first);
    free(second);
    free(again);
}

static void an_unfinished_job_is_neither_retried_nor_deleted(void **state)
{
    (void)state;
    char id[JOB_ID_SIZE];
    Pb__JobSpec *spec = job_script("exit 0");
    spec->not_before_unix_ms = FAR_AHEAD_MS;
    job_submit(spec, id);
    Pb__RetryJobRequest retry = PB__RETRY_JOB_REQUEST__INIT;
    retry.job_id = id;
    assert_string_equal(job_refused(NULL, "RetryJob", &retry.base), "JOB_NOT_FINAL");
    Pb__DeleteJobRequest removal = PB__DELETE_JOB_REQUEST__INIT;
    removal.job_id = id;
    assert_string_equal(job_refused(NULL, "DeleteJob", &removal.base), "JOB_NOT_FINAL");
    Pb__ReportProgressRequest report = PB__REPORT_PROGRESS_REQUEST__INIT;
    report.job_id = id;
    assert_string_equal(job_refused(NULL, "ReportProgress", &report.base), "JOB_NOT_RUNNING");
}

static const Pb__WatchJobsResponse *watch(int64_t since, uint32_t wait_ms)
{
    Pb__WatchJobsRequest request = PB__WATCH_JOBS_REQUEST__INIT;
    request.since_revision = since;
    request.wait_ms = wait_ms;
    request.page_size = 1000;
    return job_ask("WatchJobs", &request.base, &pb__watch_jobs_response__descriptor);
}

static int64_t newest_revision(void)
{
    int64_t revision = 0, next = 0;
    do {
        revision = next;
        next = watch(revision, 0)->revision;
    } while (next != revision);
    return revision;
}

static void a_removed_job_is_gone_with_its_files_and_watchers_are_told(void **state)
{
    (void)state;
    static const uint8_t request_id[16] = "delete it only1";
    char id[JOB_ID_SIZE];
    job_run("head -c 5000 /dev/zero", id);
    job_wait_final(id);
    int64_t revision = newest_revision();
    Pb__DeleteJobRequest request = PB__DELETE_JOB_REQUEST__INIT;
    request.job_id = id;
    const Pb__DeleteJobResponse *response =
        job_ask_as(request_id, "DeleteJob", &request.base, &pb__delete_job_response__descriptor);
    assert_true(response->freed_bytes >= 5000);
    // Twice delivered: the first answer again, not JOB_NOT_FOUND.
    response =
        job_ask_as(request_id, "DeleteJob", &request.base, &pb__delete_job_response__descriptor);
    assert_true(response->freed_bytes >= 5000);
    assert_string_equal(job_refused(NULL, "DeleteJob", &request.base), "JOB_NOT_FOUND");
    const Pb__WatchJobsResponse *changes = watch(revision, 0);
    assert_int_equal(changes->n_removed_ids, 1);
    assert_string_equal(changes->removed_ids[0], id);
    char path[160];
    snprintf(path, sizeof path, "%s/data/jobs/%s", somad.directory, id);
    struct mono_time deadline = clock_deadline_after(KIT_PATIENCE_MS);
    while (access(path, F_OK) == 0)
        assert_true(clock_left_ms(deadline) > 0);
}

static Pb__Label team = PB__LABEL__INIT;

static void submit_labelled(const char *script, const char *value)
{
    static Pb__Label *labels[] = {&team};
    char id[JOB_ID_SIZE];
    team.key = "team";
    team.value = value;
    Pb__JobSpec *spec = job_script(script);
    spec->labels = labels;
    spec->n_labels = 1;
    job_submit(spec, id);
    job_wait_final(id);
}

static void prune_removes_what_matches_and_says_what_is_left(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++)
        submit_labelled("exit 0", "prune");
    Pb__PruneJobsRequest request = PB__PRUNE_JOBS_REQUEST__INIT;
    Pb__JobFilter filter = PB__JOB_FILTER__INIT;
    Pb__Label *labels[] = {&team};
    filter.labels = labels;
    filter.n_labels = 1;
    request.filter = &filter;
    request.max_jobs = 2;
    request.dry_run = true;
    const Pb__PruneJobsResponse *response =
        job_ask("PruneJobs", &request.base, &pb__prune_jobs_response__descriptor);
    assert_int_equal(response->removed_count, 2);
    assert_true(response->more);
    request.dry_run = false;
    response = job_ask("PruneJobs", &request.base, &pb__prune_jobs_response__descriptor);
    assert_int_equal(response->removed_count, 2);
    response = job_ask("PruneJobs", &request.base, &pb__prune_jobs_response__descriptor);
    assert_int_equal(response->removed_count, 1);
    assert_false(response->more);
}

// --- lists, watches, progress

static void lists_filter_and_go_page_by_page_newest_first(void **state)
{
    (void)state;
    for (int i = 0; i < 5; i++)
        submit_labelled(i % 2 ? "exit 1" : "exit 0", "list");
    Pb__ListJobsRequest request = PB__LIST_JOBS_REQUEST__INIT;
    Pb__JobFilter filter = PB__JOB_FILTER__INIT;
    Pb__Label *labels[] = {&team};
    Pb__JobState states[] = {PB__JOB_STATE__JOB_STATE_SUCCEEDED};
    filter.labels = labels;
    filter.n_labels = 1;
    filter.states = states;
    filter.n_states = 1;
    request.filter = &filter;
    request.page_size = 2;
    char cursor[64] = "", last[JOB_ID_SIZE] = "zzzzzzzzzzzzzzzzzzzz";
    size_t count = 0;
    do {
        request.cursor = cursor;
        const Pb__ListJobsResponse *response =
            job_ask("ListJobs", &request.base, &pb__list_jobs_response__descriptor);
        for (size_t i = 0; i < response->n_jobs; i++) {
            assert_true(strcmp(response->jobs[i]->id, last) < 0);
            memcpy(last, response->jobs[i]->id, sizeof last);
            assert_string_equal(response->jobs[i]->spec->labels[0]->value, "list");
        }
        count += response->n_jobs;
        snprintf(cursor, sizeof cursor, "%s", response->next_cursor);
    } while (cursor[0]);
    assert_int_equal(count, 3);
    request.cursor = "x7";
    assert_string_equal(job_refused(NULL, "ListJobs", &request.base), "CURSOR_INVALID");
}

static void progress_is_what_the_program_says_and_wakes_who_waits(void **state)
{
    (void)state;
    char id[JOB_ID_SIZE];
    job_run("echo '40 epoch 4/10' > \"$SOMA_PROGRESS\"; echo said; sleep 1000", id);
    job_wait_output(id, "said");
    struct mono_time deadline = clock_deadline_after(KIT_PATIENCE_MS);
    Pb__WaitJobRequest wait = PB__WAIT_JOB_REQUEST__INIT;
    wait.job_id = id;
    wait.wait_ms = 1000;
    const Pb__JobStatus *status = job_get(id)->status;
    while (!status->progress) {
        assert_true(clock_left_ms(deadline) > 0);
        wait.after_revision = status->revision;
        const Pb__WaitJobResponse *response =
            job_ask("WaitJob", &wait.base, &pb__wait_job_response__descriptor);
        status = response->job->status;
    }
    assert_true(status->progress->percent == 40);
    assert_string_equal(status->progress->message, "epoch 4/10");
    assert_true(status->runner_pid > 0);
    Pb__ReportProgressRequest report = PB__REPORT_PROGRESS_REQUEST__INIT;
    report.job_id = id;
    report.percent = 41;
    const Pb__ReportProgressResponse *response =
        job_ask("ReportProgress", &report.base, &pb__report_progress_response__descriptor);
    assert_false(response->cancel_requested);
    assert_true(job_get(id)->status->progress->percent == 41);
    job_cancel(id, "", true);
    job_wait_final(id);
}

static void a_watcher_hears_of_a_new_job(void **state)
{
    (void)state;
    int64_t revision = newest_revision();
    assert_int_equal(watch(revision, 0)->n_jobs, 0);
    char id[JOB_ID_SIZE];
    job_run("exit 0", id);
    job_wait_final(id);
    const Pb__WatchJobsResponse *changes = watch(revision, 1000);
    assert_int_equal(changes->n_jobs, 1);
    assert_string_equal(changes->jobs[0]->id, id);
    assert_true(changes->revision > revision);
}

static void an_unknown_job_is_not_found_everywhere(void **state)
{
    (void)state;
    Pb__GetJobRequest get = PB__GET_JOB_REQUEST__INIT;
    get.job_id = "00000000000000000000";
    static const char *const methods[] = {"GetJob", "WaitJob", "CancelJob", "RetryJob",
                                          "DeleteJob"};
    // job_id is field 1 of all of them.
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++)
        assert_string_equal(job_refused(NULL, methods[i], &get.base), "JOB_NOT_FOUND");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_program_gets_what_was_asked_for_and_its_words_are_kept),
        cmocka_unit_test(each_end_has_its_state_and_reason),
        cmocka_unit_test(the_wall_time_limit_ends_a_job_and_keeps_its_output),
        cmocka_unit_test(output_past_the_cap_is_counted_not_kept),
        cmocka_unit_test(output_is_followed_while_it_is_written_and_ends_with_the_job),
        cmocka_unit_test(an_offset_past_the_end_is_refused),
        cmocka_unit_test(a_request_id_submits_once),
        cmocka_unit_test(a_queued_job_is_cancelled_at_once),
        cmocka_unit_test(cancel_kills_the_grandchildren_that_ignore_it_too),
        cmocka_unit_test(a_retry_is_a_new_attempt_and_the_first_stays_readable),
        cmocka_unit_test(an_unfinished_job_is_neither_retried_nor_deleted),
        cmocka_unit_test(a_removed_job_is_gone_with_its_files_and_watchers_are_told),
        cmocka_unit_test(prune_removes_what_matches_and_says_what_is_left),
        cmocka_unit_test(lists_filter_and_go_page_by_page_newest_first),
        cmocka_unit_test(progress_is_what_the_program_says_and_wakes_who_waits),
        cmocka_unit_test(a_watcher_hears_of_a_new_job),
        cmocka_unit_test(an_unknown_job_is_not_found_everywhere),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
