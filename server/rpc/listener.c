#include "rpc/listener.h"

#include <nng/nng.h>
#include <nng/protocol/reqrep0/rep.h>
#include <nng/supplemental/tls/tls.h>
#include <nng/transport/ipc/ipc.h>
#include <nng/transport/ws/websocket.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "rpc/call_private.h"
#include "rpc/connections.h"
#include "rpc/counters.h"
#include "rpc/endpoint.h"
#include "wire/frame.h"
#include "wire/limits.h"

enum {
    ARMED_FIRST = 64, // contexts receiving at the start, and when all is quiet
    ARMED_LOW = 16,   // below it more are armed
    SEND_MS = 10000,  // a reply that its peer does not read is dropped after this
    CONTEXTS_MAX = LIMIT_PARKED_REQUESTS + LIMIT_WAITING_REQUESTS,
    RECEIVE_BYTES_MAX = LIMIT_FRAME_BYTES + FRAME_ENVELOPE_BYTES
};

// Its call is first, so that a call leads back to its context.
struct context {
    struct rpc_call call;
    struct listener *listener;
    nng_ctx context;
    nng_aio *aio;
    nng_msg *request; // owned while the call is in hand
    nng_msg *reply;   // owned between transport_reply and transport_send
    enum {
        RECEIVING,
        IN_HAND,
        SENDING
    } state;
    struct context *next_idle;
};

struct listener {
    struct dispatcher *dispatcher; // borrowed
    bool asks_who;
    nng_socket socket;
    struct endpoint endpoints[LISTENER_URLS_MAX];
    nng_listener listeners[LISTENER_URLS_MAX];
    size_t endpoint_count;
    struct nng_tls_config *tls; // of TLS addresses; NULL where there is none
    atomic_int armed;           // contexts that receive
    atomic_int in_hand;         // calls from their frame to the end of their reply
    atomic_bool closing;
    struct connections connections;
    pthread_mutex_t mutex;
    struct context **contexts; // all of them, owned; guarded by mutex, as all below
    size_t context_count;
    struct context *idle; // opened, not armed
};

static enum soma_code nng_error(struct soma_error *err, int result, const char *what)
{
    return error_set(err, result == NNG_ENOMEM ? REASON_OUT_OF_MEMORY : REASON_IO_ERROR, NULL,
                     "%s: %s", what, nng_strerror(result));
}

const char *listener_library(void)
{
    static char text[32];
    snprintf(text, sizeof text, "nng %s", nng_version());
    return text;
}

// --- contexts

static void arm(struct context *context)
{
    context->state = RECEIVING;
    atomic_fetch_add(&context->listener->armed, 1);
    nng_aio_set_timeout(context->aio, NNG_DURATION_INFINITE);
    nng_ctx_recv(context->context, context->aio);
}

static void step(void *argument);

static struct context *open_context(struct listener *listener)
{
    struct context *context = calloc(1, sizeof *context);
    if (!context)
        return NULL;
    context->listener = listener;
    context->call.must_be_admitted = listener->asks_who;
    arena_init(&context->call.arena, 0);
    if (nng_ctx_open(&context->context, listener->socket) != 0) {
        free(context);
        return NULL;
    }
    if (nng_aio_alloc(&context->aio, step, context) != 0) {
        nng_ctx_close(context->context);
        free(context);
        return NULL;
    }
    listener->contexts[listener->context_count++] = context;
    counter_add(COUNTER_CONTEXTS, 1);
    return context;
}

// An idle context, or a new one; NULL at the cap.
static struct context *spare_context(struct listener *listener)
{
    pthread_mutex_lock(&listener->mutex);
    struct context *context = listener->idle;
    if (context)
        listener->idle = context->next_idle;
    else if (listener->context_count < CONTEXTS_MAX && !atomic_load(&listener->closing))
        context = open_context(listener);
    pthread_mutex_unlock(&listener->mutex);
    return context;
}

static void rest(struct context *context)
{
    struct listener *listener = context->listener;
    arena_fini(&context->call.arena);
    pthread_mutex_lock(&listener->mutex);
    context->next_idle = listener->idle;
    listener->idle = context;
    pthread_mutex_unlock(&listener->mutex);
}

static void receive_again(struct context *context)
{
    struct listener *listener = context->listener;
    if (atomic_load(&listener->closing) || atomic_load(&listener->armed) >= ARMED_FIRST)
        rest(context);
    else
        arm(context);
}

static void end_call(struct context *context)
{
    const struct rpc_call *call = &context->call;
    if (call->is_counted)
        load_leave(dispatcher_load(context->listener->dispatcher), call->peer, call->frame_length);
    nng_msg_free(context->request);
    context->request = NULL;
    atomic_fetch_sub(&context->listener->in_hand, 1);
    counter_add(COUNTER_CALLS, -1);
}

static void received(struct context *context)
{
    struct listener *listener = context->listener;
    int armed = atomic_fetch_sub(&listener->armed, 1) - 1;
    int result = nng_aio_result(context->aio);
    if (result != 0) {
        if (result == NNG_ECLOSED || result == NNG_ECANCELED)
            rest(context);
        else
            receive_again(context);
        return;
    }
    struct context *more = armed < ARMED_LOW ? spare_context(listener) : NULL;
    if (more)
        arm(more);
    context->state = IN_HAND;
    context->request = nng_aio_get_msg(context->aio);
    nng_aio_set_msg(context->aio, NULL);
    atomic_fetch_add(&listener->in_hand, 1);
    counter_add(COUNTER_CALLS, 1);
    uint32_t peer = (uint32_t)nng_pipe_id(nng_msg_get_pipe(context->request));
    struct rpc_call *call = &context->call;
    size_t length = nng_msg_len(context->request);
    rpc_call_begin(call, nng_msg_body(context->request), length, peer);
    call->is_counted =
        load_enter(dispatcher_load(listener->dispatcher), peer, length, &call->refusal) == SOMA_OK;
    dispatch(listener->dispatcher, &context->call);
}

static void sent(struct context *context)
{
    if (nng_aio_result(context->aio) != 0) {
        nng_msg_free(nng_aio_get_msg(context->aio));
        nng_aio_set_msg(context->aio, NULL);
    }
    end_call(context);
    receive_again(context);
}

static void step(void *argument)
{
    struct context *context = argument;
    if (context->state == RECEIVING)
        received(context);
    else
        sent(context);
}

// --- what calls ask for

uint8_t *transport_reply(struct rpc_call *call, size_t length)
{
    struct context *context = (struct context *)call;
    if (nng_msg_alloc(&context->reply, length) != 0)
        return NULL;
    return nng_msg_body(context->reply);
}

void transport_send(struct rpc_call *call)
{
    struct context *context = (struct context *)call;
    rpc_call_end(call); // now, for the peer may take its time to read
    context->state = SENDING;
    nng_aio_set_msg(context->aio, context->reply);
    nng_aio_set_timeout(context->aio, SEND_MS);
    context->reply = NULL;
    nng_ctx_send(context->context, context->aio);
}

void transport_abandon(struct rpc_call *call)
{
    struct context *context = (struct context *)call;
    log_error("RPC-NO-MEMORY", "a reply to %s could not be made", rpc_call_method(call));
    rpc_call_end(call);
    end_call(context);
    receive_again(context);
}

// --- opening and closing

static int set_options(struct listener *listener)
{
    int result = nng_socket_set_size(listener->socket, NNG_OPT_RECVMAXSZ, RECEIVE_BYTES_MAX);
    return result ? result : connections_watch(&listener->connections, listener->socket.id);
}

// Puts the port that the system chose in the place of a 0.
static void learn_port(struct endpoint *endpoint, nng_listener listener)
{
    char *colon = strrchr(endpoint->url, ':');
    int port;
    if (!colon || colon[1] != '0' || (colon[2] && colon[2] != '/') ||
        nng_listener_get_int(listener, NNG_OPT_TCP_BOUND_PORT, &port) != 0)
        return;
    char rest_of_url[ENDPOINT_URL_SIZE];
    snprintf(rest_of_url, sizeof rest_of_url, "%s", colon + 2);
    snprintf(colon, sizeof endpoint->url - (size_t)(colon - endpoint->url), ":%d%s", port,
             rest_of_url);
}

static enum soma_code set_certificates(struct listener *listener, size_t i, struct soma_error *err)
{
    int result = nng_listener_set_ptr(listener->listeners[i], NNG_OPT_TLS_CONFIG, listener->tls);
    return result ? nng_error(err, result, listener->endpoints[i].url) : SOMA_OK;
}

enum soma_code listener_reload(struct listener *listener, const struct tls_files *files,
                               struct soma_error *err)
{
    struct nng_tls_config *fresh, *old = listener->tls;
    if (!old)
        return SOMA_OK;
    enum soma_code code = tls_server_new(files, &fresh, err);
    if (code != SOMA_OK)
        return code;
    listener->tls = fresh;
    for (size_t i = 0; i < listener->endpoint_count && code == SOMA_OK; i++) {
        if (listener->endpoints[i].is_tls)
            code = set_certificates(listener, i, err);
    }
    tls_free(old);
    return code;
}

static enum soma_code listen_on(struct listener *listener, const char *url,
                                const struct listener_options *options, struct soma_error *err)
{
    struct endpoint *endpoint = &listener->endpoints[listener->endpoint_count];
    nng_listener *at = &listener->listeners[listener->endpoint_count];
    enum soma_code code =
        endpoint_open(url, options->is_locked_already, options->leaves_host, endpoint, err);
    if (code != SOMA_OK)
        return code;
    listener->endpoint_count++;
    if (endpoint->is_tls && !listener->tls)
        code = tls_server_new(options->tls, &listener->tls, err);
    if (code != SOMA_OK)
        return code;
    int result = nng_listener_create(at, listener->socket, endpoint->url);
    if (result == 0 && endpoint->is_ipc)
        result = nng_listener_set_int(*at, NNG_OPT_IPC_PERMISSIONS, (int)options->ipc_mode);
    // Finds out about peers that vanished without a word. WebSocket's listeners know no such
    // option.
    if (result == 0 && endpoint->is_network && !endpoint->is_ws)
        result = nng_listener_set_bool(*at, NNG_OPT_TCP_KEEPALIVE, true);
    if (result == 0 && endpoint->is_ws)
        result = nng_listener_set_size(*at, NNG_OPT_WS_RECVMAXFRAME, RECEIVE_BYTES_MAX);
    if (result == 0 && endpoint->is_tls)
        code = set_certificates(listener, listener->endpoint_count - 1, err);
    if (code != SOMA_OK)
        return code;
    if (result == 0)
        result = nng_listener_start(*at, 0);
    if (result != 0)
        return nng_error(err, result, url);
    learn_port(endpoint, *at);
    return SOMA_OK;
}

static enum soma_code arm_first(struct listener *listener, struct soma_error *err)
{
    listener->contexts = calloc(CONTEXTS_MAX, sizeof(struct context *));
    if (!listener->contexts)
        return error_set_no_memory(err);
    for (int i = 0; i < ARMED_FIRST; i++) {
        struct context *context = spare_context(listener);
        if (!context)
            return error_set_no_memory(err);
        arm(context);
    }
    return SOMA_OK;
}

enum soma_code listener_open(const struct listener_options *options, struct dispatcher *dispatcher,
                             struct parking *parking, struct listener **ret_listener,
                             struct soma_error *err)
{
    if (options->url_count == 0 || options->url_count > LISTENER_URLS_MAX)
        return error_set(err, REASON_CONFIG_INVALID, "listen", "between 1 and %d addresses",
                         LISTENER_URLS_MAX);
    struct listener *listener = calloc(1, sizeof *listener);
    if (!listener)
        return error_set_no_memory(err);
    listener->dispatcher = dispatcher;
    listener->connections.dispatcher = dispatcher;
    listener->connections.parking = parking;
    listener->asks_who = options->asks_who;
    int result = nng_rep0_open(&listener->socket);
    if (result != 0) {
        free(listener);
        return nng_error(err, result, "cannot open a socket");
    }
    pthread_mutex_init(&listener->mutex, NULL);
    result = set_options(listener);
    enum soma_code code = result ? nng_error(err, result, "cannot set the socket's options")
                                 : arm_first(listener, err);
    for (size_t i = 0; code == SOMA_OK && i < options->url_count; i++)
        code = listen_on(listener, options->urls[i], options, err);
    if (code != SOMA_OK) {
        listener_close(listener, 0);
        return code;
    }
    *ret_listener = listener;
    return SOMA_OK;
}

const char *listener_url(const struct listener *listener, size_t i)
{
    return i < listener->endpoint_count ? listener->endpoints[i].url : NULL;
}

static void wait_for_calls(struct listener *listener, int64_t wait_ms)
{
    struct mono_time deadline = clock_deadline_after(wait_ms);
    while (atomic_load(&listener->in_hand) > 0 && clock_left_ms(deadline) > 0)
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
}

// nng's order: no new work, every aio stopped, every context closed, then the socket.
void listener_close(struct listener *listener, int64_t wait_ms)
{
    if (!listener)
        return;
    wait_for_calls(listener, wait_ms);
    pthread_mutex_lock(&listener->mutex);
    atomic_store(&listener->closing, true);
    size_t count = listener->context_count;
    pthread_mutex_unlock(&listener->mutex);
    for (size_t i = 0; i < listener->endpoint_count; i++)
        nng_listener_close(listener->listeners[i]);
    for (size_t i = 0; i < count; i++)
        nng_aio_stop(listener->contexts[i]->aio);
    for (size_t i = 0; i < count; i++)
        nng_ctx_close(listener->contexts[i]->context);
    nng_close(listener->socket);
    for (size_t i = 0; i < count; i++) {
        struct context *context = listener->contexts[i];
        nng_msg_free(context->request);
        nng_msg_free(context->reply);
        nng_aio_free(context->aio);
        arena_fini(&context->call.arena);
        free(context);
    }
    for (size_t i = 0; i < listener->endpoint_count; i++)
        endpoint_close(&listener->endpoints[i]);
    tls_free(listener->tls);
    pthread_mutex_destroy(&listener->mutex);
    free(listener->contexts);
    free(listener);
}
