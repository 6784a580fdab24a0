#include "lib/connection.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include <nng/nng.h>
#include <nng/protocol/reqrep0/req.h>
#include <nng/supplemental/tls/tls.h>

#include "wire/frame.h"
#include "wire/limits.h"

enum {
    RECONNECT_FIRST_MS = 10,
    RECONNECT_MAX_MS = 500,
    RECEIVE_BYTES_MAX = LIMIT_FRAME_BYTES + FRAME_ENVELOPE_BYTES
};

struct exchange {
    struct connection *connection;
    struct exchange *next_idle; // connection's lock
    struct exchange *next_all;  // connection's lock
    nng_ctx ctx;
    nng_aio *aio;
    // Guards what follows, and every operation on aio. Recursive, as a send may complete within
    // nng_ctx_send.
    pthread_mutex_t lock;
    nng_msg *request; // filled, not yet handed to nng; owned
    bool sending;
    bool cancelled;
    struct mono_time reply_by;
    void *user;
};

struct connection {
    exchange_done *done;
    nng_socket socket;
    nng_dialer dialer;
    atomic_int pipe_count;
    atomic_bool was_up;
    pthread_mutex_t lock;
    struct exchange *idle; // owned by all
    struct exchange *all;  // owned
};

static void count_pipe(nng_pipe pipe, nng_pipe_ev event, void *arg)
{
    struct connection *connection = arg;
    (void)pipe;
    if (event == NNG_PIPE_EV_ADD_POST) {
        atomic_fetch_add(&connection->pipe_count, 1);
        atomic_store(&connection->was_up, true);
    } else {
        atomic_fetch_sub(&connection->pipe_count, 1);
    }
}

static int configure(struct connection *connection, const char *url, struct nng_tls_config *tls)
{
    nng_socket socket = connection->socket;
    int rv = nng_socket_set_ms(socket, NNG_OPT_REQ_RESENDTIME, NNG_DURATION_INFINITE);
    if (rv == 0)
        rv = nng_socket_set_size(socket, NNG_OPT_RECVMAXSZ, RECEIVE_BYTES_MAX);
    if (rv == 0)
        rv = nng_socket_set_ms(socket, NNG_OPT_RECONNMINT, RECONNECT_FIRST_MS);
    if (rv == 0)
        rv = nng_socket_set_ms(socket, NNG_OPT_RECONNMAXT, RECONNECT_MAX_MS);
    if (rv == 0)
        rv = nng_pipe_notify(socket, NNG_PIPE_EV_ADD_POST, count_pipe, connection);
    if (rv == 0)
        rv = nng_pipe_notify(socket, NNG_PIPE_EV_REM_POST, count_pipe, connection);
    if (rv == 0)
        rv = nng_dialer_create(&connection->dialer, socket, url);
    if (rv == 0 && strncmp(url, "ws", 2) == 0)
        rv = nng_dialer_set_size(connection->dialer, NNG_OPT_WS_RECVMAXFRAME, RECEIVE_BYTES_MAX);
    if (rv == 0 && tls)
        rv = nng_dialer_set_ptr(connection->dialer, NNG_OPT_TLS_CONFIG, tls);
    if (rv == 0)
        rv = nng_dialer_start(connection->dialer, NNG_FLAG_NONBLOCK);
    return rv;
}

static enum soma_code refuse(struct soma_error *err, const char *url, int rv)
{
    if (rv == NNG_ENOMEM)
        return error_set_no_memory(err);
    return error_set(
        err, REASON_FIELD_INVALID, "server",
        "\"%.120s\" is no address (ipc:///PATH, tcp://HOST:PORT, tls+tcp://HOST:PORT, …): %s", url,
        nng_strerror(rv));
}

static enum soma_code open_with(const char *url, struct nng_tls_config *tls, exchange_done *done,
                                struct connection **ret, struct soma_error *err)
{
    struct connection *connection = calloc(1, sizeof *connection);
    if (!connection)
        return error_set_no_memory(err);
    connection->done = done;
    int rv = nng_req0_open(&connection->socket);
    if (rv != 0) {
        free(connection);
        return error_set(err, REASON_IO_ERROR, NULL, "no socket: %s", nng_strerror(rv));
    }
    pthread_mutex_init(&connection->lock, NULL);
    rv = configure(connection, url, tls);
    if (rv != 0) {
        connection_close(connection);
        return refuse(err, url, rv);
    }
    *ret = connection;
    return SOMA_OK;
}

enum soma_code connection_open(const char *url, const struct tls_files *files, exchange_done *done,
                               struct connection **ret, struct soma_error *err)
{
    struct nng_tls_config *tls = NULL;
    enum soma_code code = SOMA_OK;
    if (tls_is_address(url) && !tls_is_built())
        return error_set(err, REASON_FIELD_INVALID, "server",
                         "\"%.200s\": this libsoma is built without TLS", url);
    if (tls_is_address(url))
        code = tls_client_new(files, url, &tls, err);
    if (code == SOMA_OK)
        code = open_with(url, tls, done, ret, err);
    tls_free(tls);
    return code;
}

// The order matters: contexts that end below a socket which is closing can hang some versions of
// nng.
void connection_close(struct connection *connection)
{
    if (!connection)
        return;
    for (struct exchange *exchange = connection->all; exchange; exchange = exchange->next_all)
        nng_aio_stop(exchange->aio);
    for (struct exchange *exchange = connection->all; exchange; exchange = exchange->next_all)
        nng_ctx_close(exchange->ctx);
    nng_dialer_close(connection->dialer);
    nng_close(connection->socket);
    while (connection->all) {
        struct exchange *exchange = connection->all;
        connection->all = exchange->next_all;
        nng_aio_free(exchange->aio);
        nng_msg_free(exchange->request);
        pthread_mutex_destroy(&exchange->lock);
        free(exchange);
    }
    pthread_mutex_destroy(&connection->lock);
    free(connection);
}

bool connection_is_up(const struct connection *connection)
{
    return atomic_load(&connection->pipe_count) > 0;
}

bool connection_was_up(const struct connection *connection)
{
    return atomic_load(&connection->was_up);
}

static enum exchange_end end_of_send(int rv)
{
    if (rv == 0 || rv == NNG_ECANCELED)
        return EXCHANGE_CANCELLED;
    return rv == NNG_ENOMEM ? EXCHANGE_NO_MEMORY : EXCHANGE_UNSENT;
}

static enum exchange_end end_of_reply(int rv)
{
    switch (rv) {
    case 0:
        return EXCHANGE_REPLIED;
    case NNG_ETIMEDOUT:
        return EXCHANGE_TIMED_OUT;
    case NNG_ECANCELED:
        return EXCHANGE_CANCELLED;
    default:
        return EXCHANGE_LOST;
    }
}

// nng counts in int32_t milliseconds.
static nng_duration duration_until(struct mono_time time)
{
    int64_t left = clock_left_ms(time);
    return left < LIMIT_TIMEOUT_MS ? (nng_duration)left : (nng_duration)LIMIT_TIMEOUT_MS;
}

// Sent: the reply is asked for only now, as some versions of nng do not bear a receive that is
// cancelled while its send is pending.
static bool receive_now(struct exchange *exchange, int rv)
{
    bool received = false;
    pthread_mutex_lock(&exchange->lock);
    if (exchange->sending && rv == 0 && !exchange->cancelled) {
        exchange->sending = false;
        nng_aio_set_timeout(exchange->aio, duration_until(exchange->reply_by));
        nng_ctx_recv(exchange->ctx, exchange->aio);
        received = true;
    }
    pthread_mutex_unlock(&exchange->lock);
    return received;
}

static void on_event(void *arg)
{
    struct exchange *exchange = arg;
    int rv = nng_aio_result(exchange->aio);
    if (receive_now(exchange, rv))
        return;
    // From here on the exchange is idle: nothing starts or ends it but done. A message that was
    // sent is nng's.
    bool sent = exchange->sending && rv == 0;
    bool without_message = sent || (!exchange->sending && rv != 0);
    nng_msg *message = without_message ? NULL : nng_aio_get_msg(exchange->aio);
    nng_aio_set_msg(exchange->aio, NULL);
    enum exchange_end end = exchange->sending ? end_of_send(rv) : end_of_reply(rv);
    if (end == EXCHANGE_REPLIED)
        exchange->connection->done(exchange->user, end, nng_msg_body(message),
                                   nng_msg_len(message));
    else
        exchange->connection->done(exchange->user, end, NULL, 0);
    nng_msg_free(message);
}

static void init_recursive(pthread_mutex_t *mutex)
{
    pthread_mutexattr_t attributes;
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_RECURSIVE);
    pthread_mutex_init(mutex, &attributes);
    pthread_mutexattr_destroy(&attributes);
}

static struct exchange *exchange_new(struct connection *connection)
{
    struct exchange *exchange = calloc(1, sizeof *exchange);
    if (!exchange)
        return NULL;
    exchange->connection = connection;
    if (nng_aio_alloc(&exchange->aio, on_event, exchange) != 0) {
        free(exchange);
        return NULL;
    }
    if (nng_ctx_open(&exchange->ctx, connection->socket) != 0) {
        nng_aio_free(exchange->aio);
        free(exchange);
        return NULL;
    }
    init_recursive(&exchange->lock);
    return exchange;
}

struct exchange *connection_take(struct connection *connection)
{
    pthread_mutex_lock(&connection->lock);
    struct exchange *exchange = connection->idle;
    if (exchange) {
        connection->idle = exchange->next_idle;
        pthread_mutex_unlock(&connection->lock);
        return exchange;
    }
    exchange = exchange_new(connection);
    if (exchange) {
        exchange->next_all = connection->all;
        connection->all = exchange;
    }
    pthread_mutex_unlock(&connection->lock);
    return exchange;
}

void connection_give(struct connection *connection, struct exchange *exchange)
{
    if (!exchange)
        return;
    nng_msg_free(exchange->request);
    exchange->request = NULL;
    exchange->cancelled = false;
    pthread_mutex_lock(&connection->lock);
    exchange->next_idle = connection->idle;
    connection->idle = exchange;
    pthread_mutex_unlock(&connection->lock);
}

uint8_t *exchange_fill(struct exchange *exchange, size_t length)
{
    if (nng_msg_alloc(&exchange->request, length) != 0) {
        exchange->request = NULL;
        return NULL;
    }
    return nng_msg_body(exchange->request);
}

bool exchange_start(struct exchange *exchange, void *user, int32_t send_ms,
                    struct mono_time reply_by)
{
    pthread_mutex_lock(&exchange->lock);
    bool started = !exchange->cancelled;
    if (started) {
        exchange->user = user;
        exchange->reply_by = reply_by;
        exchange->sending = true;
        nng_aio_set_timeout(exchange->aio, send_ms);
        nng_aio_set_msg(exchange->aio, exchange->request);
        exchange->request = NULL;
        nng_ctx_send(exchange->ctx, exchange->aio);
    }
    pthread_mutex_unlock(&exchange->lock);
    return started;
}

void exchange_cancel(struct exchange *exchange)
{
    pthread_mutex_lock(&exchange->lock);
    exchange->cancelled = true;
    nng_aio_abort(exchange->aio, NNG_ECANCELED);
    pthread_mutex_unlock(&exchange->lock);
}
