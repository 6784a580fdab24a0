// Queues, times, dependencies, retries and dedupe keys on the real server, which is killed in
// between.
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "job_kit.h"

#define STATE(name)  PB__JOB_STATE__JOB_STATE_##name
#define REASON(name) PB__JOB_REASON__JOB_REASON_##name
#define WAIT(name)   PB__JOB_WAIT__JOB_WAIT_##name

static int start(void **state)
{
    (void)state;
    setenv("SOMA_MAX_RUNNING", "8", 1);
    job_kit_start();
    return 0;
}

static int stop(void **state)
{
    (void)state;
    job_kit_stop();
    return 0;
}

static void kill_and_restart(void)
{
    job_kit_kill_server();
    job_kit_restart_server();
}

// --- calls

static const Pb__SubmitJobResponse *submit(const Pb__JobSpec *spec)
{
    Pb__SubmitJobRequest request = PB__SUBMIT_JOB_REQUEST__INIT;
    request.spec = (Pb__JobSpec *)(uintptr_t)spec;
    return job_ask("SubmitJob", &request.base, &pb__submit_job_response__descriptor);
}

static void submit_after(const char *const *after, size_t count, Pb__DependencyPolicy policy,
                         char ret_id[JOB_ID_SIZE])
{
    Pb__JobSpec *spec = job_script("true");
    spec->after = (const char **)(uintptr_t)after;
    spec->n_after = count;
    spec->after_policy = policy;
    job_submit(spec, ret_id);
}

static void path_of(const char *name, char ret_path[160])
{
    snprintf(ret_path, 160, "%s/" JOB_KIT_SHARED "/%s", somad.directory, name);
}

static void make_file(const char *name)
{
    char path[160];
    path_of(name, path);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fclose(file);
}

// A script that goes on when the file is there.
static const char *until_file(const char *name)
{
    static char script[300];
    char path[160];
    path_of(name, path);
    snprintf(script, sizeof script, "until [ -e %s ]; do sleep 0.02; done", path);
    return script;
}

// --- queues

static void a_paused_queue_stays_paused_and_what_runs_in_it_goes_on(void **state)
{
    (void)state;
    char runs[JOB_ID_SIZE], waits[JOB_ID_SIZE], other[JOB_ID_SIZE];
    job_submit_to("night", until_file("go-paused"), runs);
    job_wait_state(runs, STATE(RUNNING));
    queue_pause("night", true);
    job_submit_to("night", "true", waits);
    kill_and_restart();
    job_submit_to("day", "true", other);
    job_wait_final(other);
    assert_int_equal(job_get(waits)->status->state, STATE(QUEUED));
    assert_int_equal(job_get(waits)->status->wait, WAIT(QUEUE_PAUSED));
    make_file("go-paused");
    assert_int_equal(job_wait_final(runs)->status->state, STATE(SUCCEEDED));
    assert_int_equal(queue_get("night")->queued_jobs, 1);
    assert_int_equal(job_get(waits)->status->state, STATE(QUEUED));
    queue_pause("night", false);
    assert_int_equal(job_wait_final(waits)->status->state, STATE(SUCCEEDED));
}

// A job that had not begun when the server was killed is claimed once more: the queue has a place
// for a moment.
static void wait_for_limit(const char *id)
{
    struct mono_time deadline = clock_deadline_after(KIT_PATIENCE_MS);
    for (;;) {
        const Pb__JobStatus *status = job_get(id)->status;
        assert_int_equal(status->state, STATE(QUEUED));
        if (status->wait == WAIT(QUEUE_LIMIT))
            return;
        assert_true(clock_left_ms(deadline) > 0);
    }
}

static void a_queue_runs_as_many_jobs_as_its_limit_lets_it(void **state)
{
    (void)state;
    enum {
        JOBS = 6,
        LIMIT = 2
    };
    char ids[JOBS][JOB_ID_SIZE], names[JOBS][32];
    Pb__UpdateQueueRequest limit = PB__UPDATE_QUEUE_REQUEST__INIT;
    limit.max_running_presence_case = PB__UPDATE_QUEUE_REQUEST__MAX_RUNNING_PRESENCE_MAX_RUNNING;
    limit.max_running = LIMIT;
    queue_update(&limit, "narrow");
    for (int i = 0; i < JOBS; i++) {
        snprintf(names[i], sizeof names[i], "go-narrow-%d", i);
        job_submit_to("narrow", until_file(names[i]), ids[i]);
    }
    for (int i = 0; i < JOBS; i++) {
        for (int early = i; early < i + LIMIT && early < JOBS; early++)
            job_wait_state(ids[early], STATE(RUNNING));
        if (i == 2)
            kill_and_restart();
        // All before it have ended: it and the next one run, no other.
        for (int later = i + LIMIT; later < JOBS; later++) {
            wait_for_limit(ids[later]);
        }
        assert_true(queue_get("narrow")->running_jobs <= LIMIT);
        make_file(names[i]);
        job_wait_final(ids[i]);
    }
}

static void a_queue_that_nobody_uses_is_not_found(void **state)
{
    (void)state;
    Pb__GetQueueRequest get = PB__GET_QUEUE_REQUEST__INIT;
    get.queue = "unheard-of";
    assert_string_equal(job_refused(NULL, "GetQueue", &get.base), "QUEUE_NOT_FOUND");
    get.queue = "";
    assert_string_equal(job_refused(NULL, "GetQueue", &get.base), "FIELD_REQUIRED");
    Pb__UpdateQueueRequest set = PB__UPDATE_QUEUE_REQUEST__INIT;
    set.queue = "a queue";
    assert_string_equal(job_refused(NULL, "UpdateQueue", &set.base), "FIELD_INVALID");
    set.queue = "q";
    set.keep_jobs_presence_case = PB__UPDATE_QUEUE_REQUEST__KEEP_JOBS_PRESENCE_KEEP_JOBS;
    set.keep_jobs = -1;
    assert_string_equal(job_refused(NULL, "UpdateQueue", &set.base), "FIELD_OUT_OF_RANGE");
    Pb__ListQueuesRequest list = PB__LIST_QUEUES_REQUEST__INIT;
    list.cursor = "j7";
    assert_string_equal(job_refused(NULL, "ListQueues", &list.base), "CURSOR_INVALID");
}

// --- times

static void a_delayed_job_starts_after_its_delay_though_the_server_was_killed(void **state)
{
    (void)state;
    char id[JOB_ID_SIZE];
    Pb__JobSpec *spec = job_script("true");
    spec->delay_ms = 4000;
    job_submit(spec, id);
    const Pb__Job *job = job_get(id);
    int64_t due_ms = job->spec->not_before_unix_ms;
    assert_int_equal(due_ms, job->status->next_attempt_unix_ms);
    assert_true(due_ms >= job->status->created_unix_ms + 3000);
    assert_int_equal(job->status->wait, WAIT(TIME));
    kill_and_restart();
    assert_true(job_wait_final(id)->status->started_unix_ms >= due_ms);
}

static void a_job_that_was_not_started_in_time_expires_though_the_server_was_killed(void **state)
{
    (void)state;
    char id[JOB_ID_SIZE];
    queue_pause("held", true);
    Pb__JobSpec *spec = job_script("true");
    spec->queue = "held";
    spec->start_within_ms = 1000;
    job_submit(spec, id);
    kill_and_restart();
    const Pb__JobStatus *status = job_wait_final(id)->status;
    assert_int_equal(status->state, STATE(TIMED_OUT));
    assert_int_equal(status->reason, REASON(EXPIRED));
    assert_int_equal(status->attempt, 0);
    assert_int_equal(status->started_unix_ms, 0);
    assert_true(status->finished_unix_ms >= job_get(id)->spec->start_deadline_unix_ms);
}

// --- attempts

static void a_failed_job_is_tried_again_and_every_attempt_is_told(void **state)
{
    (void)state;
    char id[JOB_ID_SIZE];
    Pb__RetryPolicy retry = PB__RETRY_POLICY__INIT;
    retry.max_attempts = 3;
    retry.backoff_ms = 2500;
    retry.backoff_factor = 1;
    Pb__JobSpec *spec = job_script("[ $SOMA_ATTEMPT = 3 ] || exit $((40 + SOMA_ATTEMPT))");
    spec->retry = &retry;
    job_submit(spec, id);
    struct mono_time deadline = clock_deadline_after(KIT_PATIENCE_MS);
    while (job_get(id)->status->wait != WAIT(BACKOFF))
        assert_true(clock_left_ms(deadline) > 0);
    assert_true(job_get(id)->status->next_attempt_unix_ms > 0);
    kill_and_restart();
    assert_int_equal(job_wait_final(id)->status->state, STATE(SUCCEEDED));
    const Pb__JobStatus *status = job_get(id)->status;
    assert_int_equal(status->n_attempts, 3);
    for (uint32_t i = 0; i < 3; i++) {
        const Pb__JobAttempt *attempt = status->attempts[i];
        assert_int_equal(attempt->attempt, i + 1);
        assert_int_equal(attempt->reason, REASON(EXITED));
        assert_int_equal(attempt->exit_code, i < 2 ? 41 + (int)i : 0);
        assert_true(attempt->finished_unix_ms >= attempt->started_unix_ms);
        if (i > 0)
            assert_true(attempt->started_unix_ms >=
                        status->attempts[i - 1]->finished_unix_ms + 2500 * 3 / 4);
    }
}

// --- other jobs

static void a_waiter_goes_on_when_its_job_ended_while_no_server_was_there(void **state)
{
    (void)state;
    char good[JOB_ID_SIZE], bad[JOB_ID_SIZE], waiter[JOB_ID_SIZE], victim[JOB_ID_SIZE];
    char script[400];
    job_run(until_file("go-after"), good);
    snprintf(script, sizeof script, "%s; exit 3", until_file("go-after"));
    job_run(script, bad);
    const char *after_good[] = {good}, *after_both[] = {good, bad};
    submit_after(after_good, 1, 0, waiter);
    submit_after(after_both, 2, PB__DEPENDENCY_POLICY__DEPENDENCY_POLICY_FAIL, victim);
    job_wait_state(good, STATE(RUNNING));
    job_wait_state(bad, STATE(RUNNING));
    const Pb__JobStatus *status = job_get(victim)->status;
    assert_int_equal(status->wait, WAIT(AFTER));
    assert_int_equal(status->n_waiting_for, 2);
    assert_string_equal(status->waiting_for[0], good);
    job_kit_kill_server();
    make_file("go-after");
    job_kit_restart_server();
    assert_int_equal(job_wait_final(waiter)->status->state, STATE(SUCCEEDED));
    status = job_wait_final(victim)->status;
    assert_int_equal(status->state, STATE(FAILED));
    assert_int_equal(status->reason, REASON(DEPENDENCY));
    assert_non_null(strstr(status->message, bad));
}

static void a_cancel_of_a_queued_job_reaches_its_waiters_though_no_place_is_free(void **state)
{
    (void)state;
    char busy[8][JOB_ID_SIZE], first[JOB_ID_SIZE], waiter[JOB_ID_SIZE];
    for (int i = 0; i < 8; i++)
        job_run("sleep 1000", busy[i]);
    for (int i = 0; i < 8; i++)
        job_wait_state(busy[i], STATE(RUNNING));
    job_run("true", first);
    const char *after[] = {first};
    submit_after(after, 1, 0, waiter);
    job_cancel(first, "", false);
    assert_int_equal(job_wait_final(waiter)->status->reason, REASON(DEPENDENCY));
    for (int i = 0; i < 8; i++)
        job_cancel(busy[i], "", true);
    for (int i = 0; i < 8; i++)
        job_wait_final(busy[i]);
}

static void a_job_that_was_removed_cannot_be_waited_for(void **state)
{
    (void)state;
    char id[JOB_ID_SIZE];
    job_run("true", id);
    job_wait_final(id);
    Pb__DeleteJobRequest removal = PB__DELETE_JOB_REQUEST__INIT;
    removal.job_id = id;
    job_ask("DeleteJob", &removal.base, &pb__delete_job_response__descriptor);
    const char *after[] = {id};
    Pb__SubmitJobRequest request = PB__SUBMIT_JOB_REQUEST__INIT;
    request.spec = job_script("true");
    request.spec->after = after;
    request.spec->n_after = 1;
    assert_string_equal(job_refused(NULL, "SubmitJob", &request.base), "JOB_NOT_FOUND");
}

// --- the same job twice

enum {
    SUBMITTERS = 16
};

struct submitter {
    pthread_t thread;
    struct peer peer;
    const uint8_t *bytes;
    size_t length;
    struct answer answer;
    bool has_answer;
};

static void *submit_one(void *user)
{
    struct submitter *submitter = user;
    submitter->has_answer = peer_call(&submitter->peer, "soma.v1.JobService/SubmitJob", 20000,
                                      submitter->bytes, submitter->length, &submitter->answer);
    return NULL;
}

static void many_submits_at_once_under_one_key_make_one_job(void **state)
{
    (void)state;
    static struct submitter submitters[SUBMITTERS];
    Pb__SubmitJobRequest request = PB__SUBMIT_JOB_REQUEST__INIT;
    request.spec = job_script(until_file("go-dedupe"));
    request.spec->dedupe_key = "at once";
    size_t length = protobuf_c_message_get_packed_size(&request.base);
    uint8_t *bytes = malloc(length);
    assert_non_null(bytes);
    protobuf_c_message_pack(&request.base, bytes);
    for (int i = 0; i < SUBMITTERS; i++) {
        submitters[i].bytes = bytes;
        submitters[i].length = length;
        peer_open(&submitters[i].peer, somad.ipc);
    }
    for (int i = 0; i < SUBMITTERS; i++)
        assert_int_equal(pthread_create(&submitters[i].thread, NULL, submit_one, &submitters[i]),
                         0);
    char id[JOB_ID_SIZE] = "";
    int made = 0;
    for (int i = 0; i < SUBMITTERS; i++) {
        struct submitter *submitter = &submitters[i];
        pthread_join(submitter->thread, NULL);
        assert_true(submitter->has_answer);
        assert_int_equal(submitter->answer.header->code, PB__CODE__CODE_OK);
        Pb__SubmitJobResponse *response = pb__submit_job_response__unpack(
            NULL, submitter->answer.message_length, submitter->answer.message);
        assert_non_null(response);
        assert_false(response->differs);
        made += !response->existing;
        if (!id[0])
            memcpy(id, response->job->id, JOB_ID_SIZE);
        assert_string_equal(response->job->id, id);
        pb__submit_job_response__free_unpacked(response, NULL);
        answer_free(&submitter->answer);
        peer_close(&submitter->peer);
    }
    assert_int_equal(made, 1);
    free(bytes);
    kill_and_restart();
    Pb__JobSpec *other = job_script("something else");
    other->dedupe_key = "at once";
    const Pb__SubmitJobResponse *again = submit(other);
    assert_true(again->existing && again->differs);
    assert_string_equal(again->job->id, id);
    make_file("go-dedupe");
    job_wait_final(id);
    again = submit(other);
    assert_false(again->existing);
    assert_string_not_equal(again->job->id, id);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_paused_queue_stays_paused_and_what_runs_in_it_goes_on),
        cmocka_unit_test(a_queue_runs_as_many_jobs_as_its_limit_lets_it),
        cmocka_unit_test(a_queue_that_nobody_uses_is_not_found),
        cmocka_unit_test(a_delayed_job_starts_after_its_delay_though_the_server_was_killed),
        cmocka_unit_test(a_job_that_was_not_started_in_time_expires_though_the_server_was_killed),
        cmocka_unit_test(a_failed_job_is_tried_again_and_every_attempt_is_told),
        cmocka_unit_test(a_waiter_goes_on_when_its_job_ended_while_no_server_was_there),
        cmocka_unit_test(a_cancel_of_a_queued_job_reaches_its_waiters_though_no_place_is_free),
        cmocka_unit_test(a_job_that_was_removed_cannot_be_waited_for),
        cmocka_unit_test(many_submits_at_once_under_one_key_make_one_job),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
