#include "fake_server.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>
#include <nng/nng.h>
#include <nng/protocol/reqrep0/rep.h>
#include <soma/v1/rpc.pb-c.h>

#include "wire/frame.h"

enum {
    AWAIT_S = 10,
    ARENA_BYTES = 64 << 20
};

struct fake_server {
    fake_script *script;
    void *user;
    char directory[64];
    char url[128];
    nng_socket socket;
    pthread_t thread;
    bool runs;
    pthread_mutex_t lock; // guards count
    pthread_cond_t counted;
    size_t count;
};

void *fake_unpack(const struct fake_request *request, struct fake_answer *answer,
                  const ProtobufCMessageDescriptor *type)
{
    return protobuf_c_message_unpack(type, &answer->arena->protobuf, request->length,
                                     request->message);
}

void *fake_message(struct fake_answer *answer, const ProtobufCMessageDescriptor *type)
{
    ProtobufCMessage *message = arena_calloc(answer->arena, 1, type->sizeof_message);
    if (message)
        protobuf_c_message_init(type, message);
    return message;
}

static nng_msg *reply_of(const struct fake_answer *answer)
{
    nng_msg *message;
    if (answer->action == FAKE_RAW) {
        if (nng_msg_alloc(&message, answer->raw_length) != 0)
            abort();
        memcpy(nng_msg_body(message), answer->raw, answer->raw_length);
        return message;
    }
    Pb__ResponseHeader header = PB__RESPONSE_HEADER__INIT;
    header.code = (Pb__Code)answer->code;
    header.reason = answer->reason ? answer->reason : "";
    header.field = answer->field ? answer->field : "";
    header.message = answer->code ? "as the test says" : "";
    header.retry_after_ms = answer->retry_after_ms;
    if (nng_msg_alloc(&message, frame_length(&header.base, answer->message)) != 0)
        abort();
    frame_write(nng_msg_body(message), &header.base, answer->message);
    return message;
}

static size_t next_number(struct fake_server *server)
{
    pthread_mutex_lock(&server->lock);
    size_t number = server->count++;
    pthread_cond_broadcast(&server->counted);
    pthread_mutex_unlock(&server->lock);
    return number;
}

static void answer(struct fake_server *server, nng_msg *message, struct arena *arena)
{
    struct frame_parts parts;
    if (frame_split(nng_msg_body(message), nng_msg_len(message), &parts, NULL) != SOMA_OK)
        abort();
    Pb__RequestHeader *header =
        pb__request_header__unpack(&arena->protobuf, parts.header_length, parts.header);
    if (!header)
        abort();
    struct fake_request request = {
        .number = server->count,
        .method = header->method,
        .timeout_ms = header->timeout_ms,
        .token = header->token,
        .request_id = header->request_id.data,
        .request_id_length = header->request_id.len,
        .message = parts.message,
        .length = parts.message_length,
    };
    struct fake_answer reply = {.arena = arena};
    server->script(server->user, &request, &reply);
    // Counted when the script has seen it, so that a test which awaits it sees what it noted.
    next_number(server);
    if (reply.action == FAKE_DROP)
        nng_pipe_close(nng_msg_get_pipe(message));
    if (reply.action == FAKE_REPLY || reply.action == FAKE_RAW) {
        nng_msg *sent = reply_of(&reply);
        if (nng_sendmsg(server->socket, sent, 0) != 0)
            nng_msg_free(sent);
    }
}

static void *serve(void *arg)
{
    struct fake_server *server = arg;
    struct arena arena;
    nng_msg *message;
    arena_init(&arena, ARENA_BYTES);
    while (nng_recvmsg(server->socket, &message, 0) == 0) {
        answer(server, message, &arena);
        nng_msg_free(message);
        arena_reset(&arena, 0);
    }
    arena_fini(&arena);
    return NULL;
}

void fake_server_start(struct fake_server *server)
{
    assert_int_equal(nng_rep0_open(&server->socket), 0);
    assert_int_equal(nng_socket_set_size(server->socket, NNG_OPT_RECVMAXSZ, 16 << 20), 0);
    assert_int_equal(nng_listen(server->socket, server->url, NULL, 0), 0);
    assert_int_equal(pthread_create(&server->thread, NULL, serve, server), 0);
    server->runs = true;
}

void fake_server_stop(struct fake_server *server)
{
    if (!server->runs)
        return;
    nng_close(server->socket);
    pthread_join(server->thread, NULL);
    server->runs = false;
}

struct fake_server *fake_server_open(fake_script *script, void *user)
{
    struct fake_server *server = calloc(1, sizeof *server);
    assert_non_null(server);
    server->script = script;
    server->user = user;
    pthread_mutex_init(&server->lock, NULL);
    pthread_cond_init(&server->counted, NULL);
    snprintf(server->directory, sizeof server->directory, "/tmp/soma-fake-XXXXXX");
    assert_non_null(mkdtemp(server->directory));
    snprintf(server->url, sizeof server->url, "ipc://%s/sock", server->directory);
    fake_server_start(server);
    return server;
}

void fake_server_close(struct fake_server *server)
{
    fake_server_stop(server);
    unlink(server->url + strlen("ipc://"));
    rmdir(server->directory);
    pthread_cond_destroy(&server->counted);
    pthread_mutex_destroy(&server->lock);
    free(server);
}

const char *fake_server_url(const struct fake_server *server)
{
    return server->url;
}

size_t fake_server_count(struct fake_server *server)
{
    pthread_mutex_lock(&server->lock);
    size_t count = server->count;
    pthread_mutex_unlock(&server->lock);
    return count;
}

void fake_server_await(struct fake_server *server, size_t count)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += AWAIT_S;
    int rv = 0;
    pthread_mutex_lock(&server->lock);
    while (server->count < count && rv == 0)
        rv = pthread_cond_timedwait(&server->counted, &server->lock, &until);
    pthread_mutex_unlock(&server->lock);
    assert_int_equal(rv, 0);
}
