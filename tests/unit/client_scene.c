#include "client_scene.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <soma/v1/server.pb-c.h>

static void script(void *user, const struct fake_request *request, struct fake_answer *answer)
{
    struct scene *scene = user;
    size_t at = request->number < SEEN_MAX ? request->number : SEEN_MAX - 1;
    scene->id_lengths[at] = request->request_id_length;
    scene->timeouts[at] = request->timeout_ms;
    if (request->request_id_length == SOMA_REQUEST_ID_BYTES)
        memcpy(scene->ids[at], request->request_id, SOMA_REQUEST_ID_BYTES);
    answer->action = scene->actions[at];
    answer->code = scene->codes[at];
    answer->reason = scene->reason;
    answer->field = scene->codes[at] ? "job_id" : "";
    answer->retry_after_ms = scene->retry_after_ms;
    answer->raw = scene->raw;
    answer->raw_length = scene->raw_length;
    if (strstr(request->method, "/Ping")) {
        Pb__PingRequest *ping = fake_unpack(request, answer, &pb__ping_request__descriptor);
        Pb__PingResponse *pong = fake_message(answer, &pb__ping_response__descriptor);
        pong->payload = ping->payload;
        answer->message = &pong->base;
    }
}

int client_scene_open(void **state)
{
    struct scene *scene = calloc(1, sizeof *scene);
    assert_non_null(scene);
    scene->server = fake_server_open(script, scene);
    struct soma_client_options options = SOMA_CLIENT_OPTIONS_INIT;
    options.server = fake_server_url(scene->server);
    options.max_in_flight = 1;
    options.connect_timeout_ms = -1;
    assert_int_equal(soma_client_open(&options, &scene->client, NULL), SOMA_OK);
    *state = scene;
    return 0;
}

int client_scene_close(void **state)
{
    struct scene *scene = *state;
    soma_client_close(scene->client);
    fake_server_close(scene->server);
    free(scene);
    return 0;
}

enum soma_code scene_ping(struct scene *scene, const struct soma_call_options *options,
                          struct soma_error *err)
{
    struct soma_ping_request request = SOMA_PING_REQUEST_INIT;
    struct soma_ping *result;
    request.payload = "hello";
    request.payload_length = 5;
    enum soma_code code = soma_server_ping(scene->client, &request, options, &result, err);
    if (code == SOMA_OK) {
        assert_int_equal(result->payload_length, 5);
        assert_memory_equal(result->payload, "hello", 5);
    } else {
        assert_null(result);
    }
    soma_free(result);
    return code;
}
