// libsoma's core: attempts, retries, deadlines, arguments; a server that misbehaves.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <soma/soma.h>
#include <soma/v1/jobs.pb-c.h>
#include <soma/v1/server.pb-c.h>

#include "client_scene.h"
#include "lib/method.h"

enum {
    RESTARTS = 25
};

// A change whose reply is empty, so it works without a job.
static enum soma_code delete_job(struct scene *scene, const struct soma_call_options *options,
                                 struct soma_error *err)
{
    struct soma_job_request request = SOMA_JOB_REQUEST_INIT;
    request.job_id = "j";
    return soma_job_delete(scene->client, &request, options, NULL, err);
}

static void a_ping_comes_back(void **state)
{
    struct scene *scene = *state;
    assert_int_equal(scene_ping(scene, NULL, NULL), SOMA_OK);
    // Reads carry no request id, but the time that is left.
    assert_int_equal(scene->id_lengths[0], 0);
    assert_in_range(scene->timeouts[0], 1, 30000);
}

static void a_lost_reply_is_asked_for_again_with_the_same_request_id(void **state)
{
    struct scene *scene = *state;
    scene->actions[0] = FAKE_DROP;
    scene->actions[1] = FAKE_DROP;
    assert_int_equal(delete_job(scene, NULL, NULL), SOMA_OK);
    assert_int_equal(fake_server_count(scene->server), 3);
    assert_int_equal(scene->id_lengths[0], SOMA_REQUEST_ID_BYTES);
    assert_memory_equal(scene->ids[0], scene->ids[1], SOMA_REQUEST_ID_BYTES);
    assert_memory_equal(scene->ids[0], scene->ids[2], SOMA_REQUEST_ID_BYTES);
    assert_int_equal(delete_job(scene, NULL, NULL), SOMA_OK);
    assert_memory_not_equal(scene->ids[0], scene->ids[3], SOMA_REQUEST_ID_BYTES);
}

static void the_callers_request_id_is_sent(void **state)
{
    struct scene *scene = *state;
    static const uint8_t id[SOMA_REQUEST_ID_BYTES] = "0123456789abcde";
    struct soma_call_options options = SOMA_CALL_OPTIONS_INIT;
    options.request_id = id;
    assert_int_equal(delete_job(scene, &options, NULL), SOMA_OK);
    assert_memory_equal(scene->ids[0], id, sizeof id);
}

static void a_lost_reply_is_told_where_no_retry_is_wanted(void **state)
{
    struct scene *scene = *state;
    struct soma_call_options options = SOMA_CALL_OPTIONS_INIT;
    struct soma_error err;
    options.max_attempts = 1;
    scene->actions[0] = FAKE_DROP;
    assert_int_equal(delete_job(scene, &options, &err), SOMA_UNKNOWN);
    assert_string_equal(err.reason, "CONNECTION_LOST");
    assert_int_equal(fake_server_count(scene->server), 1);
}

static void what_changed_nothing_is_tried_again(void **state)
{
    struct scene *scene = *state;
    scene->codes[0] = SOMA_UNAVAILABLE;
    scene->codes[1] = SOMA_RESOURCE_EXHAUSTED;
    scene->retry_after_ms = 1;
    assert_int_equal(scene_ping(scene, NULL, NULL), SOMA_OK);
    assert_int_equal(fake_server_count(scene->server), 3);
}

static void a_refusal_is_not_tried_again(void **state)
{
    struct scene *scene = *state;
    struct soma_error err;
    scene->codes[0] = SOMA_NOT_FOUND;
    scene->reason = "JOB_NOT_FOUND";
    assert_int_equal(delete_job(scene, NULL, &err), SOMA_NOT_FOUND);
    assert_string_equal(err.reason, "JOB_NOT_FOUND");
    assert_string_equal(err.field, "job_id");
    assert_int_equal(fake_server_count(scene->server), 1);
}

static void a_reply_that_cannot_be_read_is_an_error(void **state)
{
    static const struct {
        const char *bytes;
        size_t length;
        const char *reason;
    } cases[] = {
        {"", 0, "REPLY_INVALID"},
        {"\1", 1, "REPLY_INVALID"},
        {"\1\377\377\377\377", 5, "REPLY_INVALID"},
        {"\7\0\0\0\0", 5, "FRAME_VERSION"},
        {"\1\3\0\0\0\377\377\377", 8, "REPLY_INVALID"},
        // A good header with a message that is torn.
        {"\1\0\0\0\0\12\177", 7, "REPLY_INVALID"},
        // A code without a name.
        {"\1\2\0\0\0\10\143", 7, "REPLY_INVALID"},
    };
    struct scene *scene = *state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct soma_error err;
        size_t number = fake_server_count(scene->server);
        scene->raw = cases[i].bytes;
        scene->raw_length = cases[i].length;
        scene->actions[number] = FAKE_RAW;
        assert_int_not_equal(scene_ping(scene, NULL, &err), SOMA_OK);
        assert_string_equal(err.reason, cases[i].reason);
        assert_int_equal(fake_server_count(scene->server), number + 1);
    }
    assert_int_equal(scene_ping(scene, NULL, NULL), SOMA_OK);
}

static void a_reply_without_its_job_is_an_error(void **state)
{
    struct scene *scene = *state;
    struct soma_job_request request = SOMA_JOB_REQUEST_INIT;
    struct soma_job *job;
    struct soma_error err;
    request.job_id = "j";
    assert_int_equal(soma_job_get(scene->client, &request, NULL, &job, &err), SOMA_INTERNAL);
    assert_string_equal(err.reason, "REPLY_INVALID");
    assert_null(job);
}

static void a_call_without_a_reply_ends_at_its_deadline(void **state)
{
    struct scene *scene = *state;
    struct soma_call_options options = SOMA_CALL_OPTIONS_INIT;
    struct soma_error err;
    options.timeout_ms = 50;
    scene->actions[0] = FAKE_HOLD;
    assert_int_equal(scene_ping(scene, &options, &err), SOMA_DEADLINE_EXCEEDED);
    assert_string_equal(err.reason, "DEADLINE_EXCEEDED");
    assert_int_equal(scene_ping(scene, NULL, NULL), SOMA_OK);
}

static void a_deadline_that_is_past_sends_nothing(void **state)
{
    struct scene *scene = *state;
    struct soma_call_options options = SOMA_CALL_OPTIONS_INIT;
    struct soma_error err;
    options.timeout_ms = -1;
    assert_int_equal(scene_ping(scene, &options, &err), SOMA_DEADLINE_EXCEEDED);
    assert_string_equal(err.reason, "DEADLINE_PAST");
    assert_int_equal(fake_server_count(scene->server), 0);
}

static void a_server_that_was_never_there_is_given_up(void **state)
{
    (void)state;
    struct soma_client_options options = SOMA_CLIENT_OPTIONS_INIT;
    struct scene scene = {0};
    struct soma_error err;
    options.server = "ipc:///nowhere/soma.sock";
    options.connect_timeout_ms = 20;
    assert_int_equal(soma_client_open(&options, &scene.client, NULL), SOMA_OK);
    assert_int_equal(scene_ping(&scene, NULL, &err), SOMA_UNAVAILABLE);
    assert_string_equal(err.reason, "SERVER_UNREACHABLE");
    assert_non_null(strstr(err.text, "ipc:///nowhere/soma.sock"));
    soma_client_close(scene.client);
}

static void an_address_that_is_none_is_refused(void **state)
{
    (void)state;
    struct soma_client_options options = SOMA_CLIENT_OPTIONS_INIT;
    struct soma_client *client;
    struct soma_error err;
    options.server = "somewhere";
    assert_int_equal(soma_client_open(&options, &client, &err), SOMA_INVALID_ARGUMENT);
    assert_string_equal(err.field, "server");
    assert_null(client);
}

// Its reply was lost, then nobody was there: that nothing was changed would be a lie.
static void an_unknown_outcome_is_not_called_unreachable(void **state)
{
    struct scene *scene = *state;
    struct soma_call_options options = SOMA_CALL_OPTIONS_INIT;
    struct soma_error err;
    options.timeout_ms = 300;
    assert_int_equal(scene_ping(scene, NULL, NULL), SOMA_OK);
    scene->actions[1] = FAKE_DROP;
    scene->codes[2] = scene->codes[3] = scene->codes[4] = SOMA_UNAVAILABLE;
    options.max_attempts = 3;
    assert_int_equal(delete_job(scene, &options, &err), SOMA_UNKNOWN);
    assert_string_equal(err.reason, "CONNECTION_LOST");
}

static void a_client_outlives_its_servers(void **state)
{
    struct scene *scene = *state;
    for (int i = 0; i < RESTARTS; i++) {
        assert_int_equal(scene_ping(scene, NULL, NULL), SOMA_OK);
        fake_server_stop(scene->server);
        fake_server_start(scene->server);
    }
    assert_int_equal(scene_ping(scene, NULL, NULL), SOMA_OK);
}

// --- arguments

static void a_struct_that_was_not_initialised_is_refused(void **state)
{
    struct scene *scene = *state;
    struct soma_job_request request = {0};
    struct soma_error err;
    request.job_id = "j";
    assert_int_equal(soma_job_delete(scene->client, &request, NULL, NULL, &err),
                     SOMA_INVALID_ARGUMENT);
    assert_string_equal(err.reason, "FIELD_REQUIRED");
    assert_string_equal(err.field, "struct_size");
    assert_int_equal(soma_job_delete(scene->client, NULL, NULL, NULL, &err), SOMA_INVALID_ARGUMENT);
    request.struct_size = sizeof request;
    request.job_id = NULL;
    assert_int_equal(soma_job_delete(scene->client, &request, NULL, NULL, &err),
                     SOMA_INVALID_ARGUMENT);
    assert_string_equal(err.field, "job_id");
}

static void a_newer_struct_is_taken_where_it_says_nothing_new(void **state)
{
    struct scene *scene = *state;
    struct {
        struct soma_job_request known;
        char newer[8];
    } request = {.known = SOMA_JOB_REQUEST_INIT};
    struct soma_error err;
    request.known.struct_size = sizeof request;
    request.known.job_id = "j";
    assert_int_equal(soma_job_delete(scene->client, &request.known, NULL, NULL, NULL), SOMA_OK);
    request.newer[7] = 1;
    assert_int_equal(soma_job_delete(scene->client, &request.known, NULL, NULL, &err),
                     SOMA_INVALID_ARGUMENT);
    assert_string_equal(err.reason, "FIELD_INVALID");
}

static void an_older_struct_is_taken_with_its_newer_fields_at_their_defaults(void **state)
{
    struct scene *scene = *state;
    struct soma_job_report_request request = SOMA_JOB_REPORT_REQUEST_INIT;
    request.struct_size = offsetof(struct soma_job_report_request, message);
    request.job_id = "j";
    request.message = (const char *)1; // what lies behind an older program's struct
    struct soma_call_options options = SOMA_CALL_OPTIONS_INIT;
    options.struct_size = offsetof(struct soma_call_options, request_id);
    options.request_id = (const uint8_t *)1;
    assert_int_equal(soma_job_report(scene->client, &request, &options, NULL, NULL), SOMA_OK);
}

static void what_no_frame_holds_is_not_sent(void **state)
{
    struct scene *scene = *state;
    struct soma_job_spec spec = SOMA_JOB_SPEC_INIT;
    struct soma_error err;
    spec.language = "python";
    spec.source_length = 9 << 20;
    spec.source = calloc(1, spec.source_length);
    assert_int_equal(soma_job_submit(scene->client, &spec, NULL, NULL, &err),
                     SOMA_RESOURCE_EXHAUSTED);
    assert_string_equal(err.reason, "MESSAGE_TOO_LARGE");
    assert_int_equal(fake_server_count(scene->server), 0);
    free((void *)(uintptr_t)spec.source);
}

static bool has_row(const char *path, const ProtobufCMethodDescriptor *method)
{
    for (int i = 0; i < METHOD_COUNT; i++) {
        if (strcmp(method_table[i].path, path) == 0)
            return method_table[i].request_type == method->input &&
                   method_table[i].reply_type == method->output;
    }
    return false;
}

static void every_method_of_the_protocol_has_its_row(void **state)
{
    extern const ProtobufCServiceDescriptor pb__vector_service__descriptor;
    (void)state;
    const ProtobufCServiceDescriptor *services[] = {&pb__server_service__descriptor,
                                                    &pb__job_service__descriptor,
                                                    &pb__vector_service__descriptor};
    size_t count = 0;
    for (int i = 0; i < 3; i++) {
        for (unsigned j = 0; j < services[i]->n_methods; j++) {
            char path[128];
            snprintf(path, sizeof path, "%s/%s", services[i]->name, services[i]->methods[j].name);
            assert_true(has_row(path, &services[i]->methods[j]));
            count++;
        }
    }
    assert_int_equal(count, METHOD_COUNT);
}

#define SCENE(name) cmocka_unit_test_setup_teardown(name, client_scene_open, client_scene_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE(a_ping_comes_back),
        SCENE(a_lost_reply_is_asked_for_again_with_the_same_request_id),
        SCENE(the_callers_request_id_is_sent),
        SCENE(a_lost_reply_is_told_where_no_retry_is_wanted),
        SCENE(what_changed_nothing_is_tried_again),
        SCENE(a_refusal_is_not_tried_again),
        SCENE(a_reply_that_cannot_be_read_is_an_error),
        SCENE(a_reply_without_its_job_is_an_error),
        SCENE(a_call_without_a_reply_ends_at_its_deadline),
        SCENE(a_deadline_that_is_past_sends_nothing),
        cmocka_unit_test(a_server_that_was_never_there_is_given_up),
        cmocka_unit_test(an_address_that_is_none_is_refused),
        SCENE(an_unknown_outcome_is_not_called_unreachable),
        SCENE(a_client_outlives_its_servers),
        SCENE(a_struct_that_was_not_initialised_is_refused),
        SCENE(a_newer_struct_is_taken_where_it_says_nothing_new),
        SCENE(an_older_struct_is_taken_with_its_newer_fields_at_their_defaults),
        SCENE(what_no_frame_holds_is_not_sent),
        cmocka_unit_test(every_method_of_the_protocol_has_its_row),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
