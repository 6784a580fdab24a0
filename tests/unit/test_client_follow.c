// soma_job_follow against a job that only exists in the script: output without gaps, over lost
// connections, restarts and attempts.
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <soma/soma.h>
#include <soma/v1/jobs.pb-c.h>

#include "fake_server.h"

enum {
    OUTPUT_BYTES = 5000,
    PIECE_BYTES = 100
};

// A job that writes OUTPUT_BYTES, a piece for each read, and is final when all was read.
struct scene {
    struct fake_server *server;
    struct soma_client *client;
    char output[OUTPUT_BYTES];
    size_t written[3]; // what can be read of each attempt
    uint32_t attempt;  // that runs
    uint32_t last_attempt;
    uint32_t undone;    // its first read is refused, for the server took it back; 0: none
    bool begins_undone; // the first read tells of an attempt 1 that is taken back then
    bool begins_ended;  // the first read finds a job that was cancelled before it ran
    size_t drop_every;  // every so many requests the connection ends; 0: never
    int64_t revision;
    // What the follower was handed.
    char got[3 * OUTPUT_BYTES];
    size_t got_length;
    bool has_gap;
    int64_t expected;
    int changes;
    size_t stop_after; // bytes; 0: never
};

static bool is_over(const struct scene *scene)
{
    return scene->attempt == scene->last_attempt &&
           scene->written[scene->attempt - 1] == OUTPUT_BYTES;
}

static void answer_wait(struct scene *scene, struct fake_answer *answer)
{
    Pb__WaitJobResponse *reply = fake_message(answer, &pb__wait_job_response__descriptor);
    Pb__Job *job = fake_message(answer, &pb__job__descriptor);
    job->status = fake_message(answer, &pb__job_status__descriptor);
    job->id = "j";
    job->status->state =
        is_over(scene) ? PB__JOB_STATE__JOB_STATE_SUCCEEDED : PB__JOB_STATE__JOB_STATE_RUNNING;
    job->status->attempt = scene->attempt;
    job->status->revision = ++scene->revision;
    reply->job = job;
    answer->message = &reply->base;
}

static void answer_read(struct scene *scene, const struct fake_request *request,
                        struct fake_answer *answer)
{
    Pb__ReadJobOutputRequest *sent =
        fake_unpack(request, answer, &pb__read_job_output_request__descriptor);
    Pb__ReadJobOutputResponse *reply =
        fake_message(answer, &pb__read_job_output_response__descriptor);
    uint32_t attempt = sent->attempt ? sent->attempt : scene->attempt;
    size_t *written = &scene->written[attempt - 1];
    size_t offset = (size_t)sent->positions[0]->offset;
    Pb__OutputChunk *chunk = fake_message(answer, &pb__output_chunk__descriptor);
    if (*written < OUTPUT_BYTES)
        *written += PIECE_BYTES;
    chunk->stream = sent->positions[0]->stream;
    chunk->offset = (int64_t)offset;
    chunk->data.data = (uint8_t *)scene->output + offset;
    chunk->data.len = *written - offset;
    chunk->end = *written == OUTPUT_BYTES;
    reply->attempt = attempt;
    reply->n_chunks = 1;
    reply->chunks = arena_calloc(answer->arena, 1, sizeof(void *));
    reply->chunks[0] = chunk;
    answer->message = &reply->base;
}

// An answer without output.
static void answer_empty(uint32_t attempt, bool end, struct fake_answer *answer)
{
    Pb__ReadJobOutputResponse *reply =
        fake_message(answer, &pb__read_job_output_response__descriptor);
    Pb__OutputChunk *chunk = fake_message(answer, &pb__output_chunk__descriptor);
    chunk->stream = PB__OUTPUT_STREAM__OUTPUT_STREAM_STDOUT;
    chunk->end = end;
    reply->attempt = attempt;
    reply->n_chunks = 1;
    reply->chunks = arena_calloc(answer->arena, 1, sizeof(void *));
    reply->chunks[0] = chunk;
    answer->message = &reply->base;
}

// Whether the read was answered as the scene's beginning or a lost supervisor wants it, once.
static bool answer_otherwise(struct scene *scene, const struct fake_request *request,
                             struct fake_answer *answer)
{
    const Pb__ReadJobOutputRequest *sent =
        fake_unpack(request, answer, &pb__read_job_output_request__descriptor);
    if (scene->begins_ended) {
        scene->begins_ended = false;
        answer_empty(0, true, answer);
    } else if (scene->begins_undone) {
        scene->begins_undone = false;
        scene->undone = 1;
        answer_empty(1, false, answer);
    } else if (scene->undone && sent->attempt == scene->undone) {
        scene->undone = 0;
        answer->code = SOMA_NOT_FOUND;
        answer->reason = "ATTEMPT_NOT_FOUND";
    } else {
        return false;
    }
    return true;
}

static void script(void *user, const struct fake_request *request, struct fake_answer *answer)
{
    struct scene *scene = user;
    if (scene->drop_every && request->number % scene->drop_every == scene->drop_every - 1) {
        answer->action = FAKE_DROP;
        return;
    }
    // The first attempt was lost when all of it was written; the last one begins at once.
    if (scene->written[0] == OUTPUT_BYTES)
        scene->attempt = scene->last_attempt;
    if (strstr(request->method, "/WaitJob"))
        answer_wait(scene, answer);
    else if (!answer_otherwise(scene, request, answer))
        answer_read(scene, request, answer);
}

static bool on_output(void *user, enum soma_stream stream, int64_t offset, const void *data,
                      size_t length)
{
    struct scene *scene = user;
    if (offset == 0)
        scene->expected = 0;
    scene->has_gap = scene->has_gap || offset != scene->expected || stream != SOMA_STDOUT ||
                     scene->got_length + length > sizeof scene->got;
    if (scene->has_gap)
        return false;
    memcpy(scene->got + scene->got_length, data, length);
    scene->got_length += length;
    scene->expected += (int64_t)length;
    return !scene->stop_after || scene->got_length < scene->stop_after;
}

static bool on_change(void *user, const struct soma_job *job)
{
    struct scene *scene = user;
    scene->changes++;
    return job->revision > 0;
}

static int open_scene(void **state)
{
    struct scene *scene = calloc(1, sizeof *scene);
    assert_non_null(scene);
    for (size_t i = 0; i < OUTPUT_BYTES; i++)
        scene->output[i] = (char)(i * 7 % 251);
    scene->attempt = scene->last_attempt = 1;
    scene->server = fake_server_open(script, scene);
    struct soma_client_options options = SOMA_CLIENT_OPTIONS_INIT;
    options.server = fake_server_url(scene->server);
    options.connect_timeout_ms = -1;
    assert_int_equal(soma_client_open(&options, &scene->client, NULL), SOMA_OK);
    *state = scene;
    return 0;
}

static int close_scene(void **state)
{
    struct scene *scene = *state;
    soma_client_close(scene->client);
    fake_server_close(scene->server);
    free(scene);
    return 0;
}

static enum soma_code follow(struct scene *scene, struct soma_error *err)
{
    struct soma_job_follow_request request = SOMA_JOB_FOLLOW_REQUEST_INIT;
    struct soma_job *job;
    request.job_id = "j";
    request.stderr_offset = -1;
    request.user = scene;
    request.on_output = on_output;
    request.on_change = on_change;
    enum soma_code code = soma_job_follow(scene->client, &request, NULL, &job, err);
    if (code == SOMA_OK)
        assert_int_equal(job->state, SOMA_JOB_SUCCEEDED);
    else
        assert_null(job);
    soma_free(job);
    assert_false(scene->has_gap);
    return code;
}

static void all_output_is_handed_over_before_the_end(void **state)
{
    struct scene *scene = *state;
    assert_int_equal(follow(scene, NULL), SOMA_OK);
    assert_int_equal(scene->got_length, OUTPUT_BYTES);
    assert_memory_equal(scene->got, scene->output, OUTPUT_BYTES);
    assert_true(scene->changes > 0);
}

static void lost_connections_leave_no_gap(void **state)
{
    struct scene *scene = *state;
    scene->drop_every = 5;
    assert_int_equal(follow(scene, NULL), SOMA_OK);
    assert_int_equal(scene->got_length, OUTPUT_BYTES);
    assert_memory_equal(scene->got, scene->output, OUTPUT_BYTES);
}

static void a_second_attempt_is_followed_from_its_beginning(void **state)
{
    struct scene *scene = *state;
    scene->last_attempt = 2;
    assert_int_equal(follow(scene, NULL), SOMA_OK);
    assert_int_equal(scene->got_length, 2 * OUTPUT_BYTES);
    assert_memory_equal(scene->got + OUTPUT_BYTES, scene->output, OUTPUT_BYTES);
}

static void an_attempt_between_two_looks_is_followed_too(void **state)
{
    struct scene *scene = *state;
    scene->last_attempt = 3;
    assert_int_equal(follow(scene, NULL), SOMA_OK);
    assert_int_equal(scene->got_length, 3 * OUTPUT_BYTES);
}

static void an_attempt_that_the_server_takes_back_never_was(void **state)
{
    struct scene *scene = *state;
    scene->begins_undone = true;
    assert_int_equal(follow(scene, NULL), SOMA_OK);
    assert_int_equal(scene->got_length, OUTPUT_BYTES);
    assert_memory_equal(scene->got, scene->output, OUTPUT_BYTES);
}

static void what_was_handed_over_before_such_an_attempt_is_not_handed_over_again(void **state)
{
    struct scene *scene = *state;
    scene->last_attempt = scene->undone = 2;
    assert_int_equal(follow(scene, NULL), SOMA_OK);
    assert_int_equal(scene->undone, 0);
    assert_int_equal(scene->got_length, 2 * OUTPUT_BYTES);
}

static void a_job_that_is_queued_again_before_its_first_attempt_is_followed(void **state)
{
    struct scene *scene = *state;
    scene->begins_ended = true;
    assert_int_equal(follow(scene, NULL), SOMA_OK);
    assert_int_equal(scene->got_length, OUTPUT_BYTES);
}

static void a_callback_that_says_no_ends_the_follow(void **state)
{
    struct scene *scene = *state;
    struct soma_error err;
    scene->stop_after = 3 * PIECE_BYTES;
    assert_int_equal(follow(scene, &err), SOMA_CANCELLED);
    assert_string_equal(err.reason, "CALL_CANCELLED");
    assert_true(scene->got_length < OUTPUT_BYTES);
}

static void *restart_server(void *arg)
{
    struct scene *scene = arg;
    for (size_t i = 1; i <= 5; i++) {
        fake_server_await(scene->server, 5 * i);
        fake_server_stop(scene->server);
        fake_server_start(scene->server);
    }
    return NULL;
}

static void restarts_of_the_server_leave_no_gap(void **state)
{
    struct scene *scene = *state;
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, restart_server, scene), 0);
    assert_int_equal(follow(scene, NULL), SOMA_OK);
    pthread_join(thread, NULL);
    assert_int_equal(scene->got_length, OUTPUT_BYTES);
    assert_memory_equal(scene->got, scene->output, OUTPUT_BYTES);
}

static void an_exit_status_says_how_a_job_ended(void **state)
{
    static const struct {
        struct soma_job job;
        int status;
    } cases[] = {
        {{.state = SOMA_JOB_RUNNING}, -1},
        {{.state = SOMA_JOB_SUCCEEDED}, 0},
        {{.state = SOMA_JOB_FAILED, .reason = SOMA_JOB_REASON_EXITED, .exit_code = 3}, 3},
        {{.state = SOMA_JOB_FAILED, .reason = SOMA_JOB_REASON_SIGNALED, .signal_number = 9}, 137},
        {{.state = SOMA_JOB_FAILED, .reason = SOMA_JOB_REASON_START_FAILED, .exit_code = 127}, 127},
        {{.state = SOMA_JOB_CANCELLED}, 143},
        {{.state = SOMA_JOB_TIMED_OUT}, 124},
        {{.state = SOMA_JOB_LOST}, 125},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_int_equal(soma_job_exit_status(&cases[i].job), cases[i].status);
    for (int i = SOMA_JOB_QUEUED; i <= SOMA_JOB_LOST; i++) {
        enum soma_job_state found;
        const char *name = soma_job_state_name((enum soma_job_state)i);
        assert_true(soma_job_state_from_name(name, &found));
        assert_int_equal(found, i);
    }
    assert_string_equal(soma_job_state_name((enum soma_job_state)99), "unknown");
}

#define SCENE(name) cmocka_unit_test_setup_teardown(name, open_scene, close_scene)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE(all_output_is_handed_over_before_the_end),
        SCENE(lost_connections_leave_no_gap),
        SCENE(a_second_attempt_is_followed_from_its_beginning),
        SCENE(an_attempt_between_two_looks_is_followed_too),
        SCENE(an_attempt_that_the_server_takes_back_never_was),
        SCENE(what_was_handed_over_before_such_an_attempt_is_not_handed_over_again),
        SCENE(a_job_that_is_queued_again_before_its_first_attempt_is_followed),
        SCENE(a_callback_that_says_no_ends_the_follow),
        SCENE(restarts_of_the_server_leave_no_gap),
        cmocka_unit_test(an_exit_status_says_how_a_job_ended),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
