#include "lib/attempt.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <soma/v1/rpc.pb-c.h>

#include "base/id.h"
#include "lib/response.h"
#include "wire/frame.h"
#include "wire/limits.h"

enum {
    // A request that waits for a connection is made anew this often, so that what it says of the
    // time left stays true.
    SEND_MS = 1000,
    // Beyond the server's own deadline, where the caller gave none.
    OVERDUE_MS = 5000
};

enum verdict {
    VERDICT_END,
    VERDICT_SUBMIT, // at once: the next piece, or this one that was not sent
    VERDICT_PAUSE,
};

// The id of piece n: the call's own for the first, derived from it for the others, always the same.
static void request_id_of(const struct soma_call *call, uint8_t ret_id[SOMA_REQUEST_ID_BYTES])
{
    uint64_t halves[2];
    memcpy(halves, call->terms.request_id, sizeof halves);
    if (call->piece_number > 0) {
        // SplitMix64's finaliser (Steele, Lea, Flood 2014): neighbouring numbers differ everywhere.
        uint64_t mixed = call->piece_number * UINT64_C(0x9e3779b97f4a7c15);
        mixed = (mixed ^ (mixed >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
        mixed = (mixed ^ (mixed >> 27)) * UINT64_C(0x94d049bb133111eb);
        mixed ^= mixed >> 31;
        halves[0] ^= mixed;
        halves[1] ^= mixed * UINT64_C(0x9e3779b97f4a7c15);
    }
    memcpy(ret_id, halves, sizeof halves);
}

// --- what went wrong

static void set_cancelled(struct soma_call *call)
{
    error_set(&call->error, REASON_CALL_CANCELLED, NULL, "the call was given up");
}

static void set_overdue(struct soma_call *call)
{
    error_set(&call->error, REASON_DEADLINE_EXCEEDED, NULL, "no answer from %.200s in time",
              call->client->server);
}

static void set_unreachable(struct soma_call *call)
{
    const char *server = call->client->server, *ipc = "ipc://";
    bool is_hidden = strncmp(server, ipc, strlen(ipc)) == 0 &&
                     access(server + strlen(ipc), R_OK | W_OK) && errno == EACCES;
    const char *why = is_hidden ? ": this user may not open it"
                      : tls_is_address(server)
                          ? ", or one side does not trust the other's certificate"
                          : "";
    error_set(&call->error, REASON_SERVER_UNREACHABLE, NULL, "no connection to %.200s%s", server,
              why);
}

static void set_lost(struct soma_call *call)
{
    call->outcome_unknown = true;
    error_set(&call->error, REASON_CONNECTION_LOST, NULL,
              "the connection to %.200s ended before the reply", call->client->server);
}

// That nothing was changed is not to be said where an earlier attempt may have changed something.
static enum verdict end(struct soma_call *call)
{
    if (call->outcome_unknown && (call->method->flags & METHOD_MUTATES) &&
        (call->error.code == SOMA_UNAVAILABLE || call->error.code == SOMA_RESOURCE_EXHAUSTED ||
         strcmp(call->error.reason, "DEADLINE_PAST") == 0))
        set_lost(call);
    return VERDICT_END;
}

void attempt_give_up(struct soma_call *call)
{
    if (atomic_load(&call->given_up))
        set_cancelled(call);
    else if (call->error.code == SOMA_OK)
        set_overdue(call);
    else
        end(call);
}

// --- out

static struct mono_time reply_time(const struct soma_call *call, int64_t *ret_timeout_ms)
{
    int64_t own_ms = LIMIT_DEFAULT_TIMEOUT_MS + (int64_t)call->piece->asked.wait_ms;
    int64_t left = clock_left_ms(call->terms.deadline);
    if (call->terms.deadline.ms == INT64_MAX) {
        *ret_timeout_ms = own_ms;
        return clock_deadline_after(own_ms + OVERDUE_MS);
    }
    *ret_timeout_ms = left < LIMIT_TIMEOUT_MS ? left : LIMIT_TIMEOUT_MS;
    return call->terms.deadline;
}

static bool fill(struct soma_call *call, struct exchange *exchange, int64_t timeout_ms)
{
    uint8_t id[SOMA_REQUEST_ID_BYTES];
    const struct soma_client *client = call->client;
    Pb__RequestHeader header = PB__REQUEST_HEADER__INIT;
    header.method = call->method->path;
    header.timeout_ms = (int32_t)timeout_ms;
    header.token = client->token;
    header.namespace_ = client->space;
    header.client = client->program;
    if (call->method->flags & METHOD_MUTATES) {
        request_id_of(call, id);
        header.request_id = (ProtobufCBinaryData){sizeof id, id};
    }
    size_t length = frame_length_packed(&header.base, call->piece->length);
    uint8_t *frame = exchange_fill(exchange, length);
    if (!frame)
        return false;
    frame_write_packed(frame, &header.base, call->piece->bytes, call->piece->length);
    return true;
}

// Whether the server was ever there, on any of the client's connections.
static bool was_reached(struct soma_client *client)
{
    bool reached = false;
    pthread_mutex_lock(&client->lock);
    for (int i = 0; i < CONNECTION_COUNT; i++)
        reached = reached || (client->connections[i] && connection_was_up(client->connections[i]));
    pthread_mutex_unlock(&client->lock);
    return reached;
}

// No longer than until the caller's patience with a server that was never there, or its deadline.
static int32_t send_time(const struct soma_call *call, const struct connection *connection,
                         int64_t timeout_ms)
{
    int64_t ms = timeout_ms < SEND_MS ? timeout_ms : SEND_MS;
    int64_t patience = clock_left_ms(call->patience);
    if (patience < ms && !connection_was_up(connection) && !was_reached(call->client))
        ms = patience;
    return (int32_t)(ms > 0 ? ms : 1);
}

// Makes the exchange one that soma_call_cancel can reach.
static void publish_exchange(struct soma_call *call, struct exchange *exchange)
{
    pthread_mutex_lock(&call->client->lock);
    call->exchange = exchange;
    pthread_mutex_unlock(&call->client->lock);
}

bool attempt_launch(struct soma_call *call)
{
    struct connection *connection;
    int64_t timeout_ms;
    struct mono_time reply_by = reply_time(call, &timeout_ms);
    if (timeout_ms <= 0 || atomic_load(&call->given_up)) {
        attempt_give_up(call);
        return false;
    }
    if (client_connection(call->client, call->lane % CONNECTION_COUNT, &connection, &call->error) !=
        SOMA_OK)
        return false;
    struct exchange *exchange = connection_take(connection);
    if (!exchange) {
        error_set_no_memory(&call->error);
        return false;
    }
    publish_exchange(call, exchange);
    if (!fill(call, exchange, timeout_ms)) {
        error_set_no_memory(&call->error);
        return false;
    }
    // A call that was given up before its exchange could be reached.
    if (atomic_load(&call->given_up))
        exchange_cancel(exchange);
    if (exchange_start(exchange, call, send_time(call, connection, timeout_ms), reply_by))
        return true;
    set_cancelled(call);
    return false;
}

// --- back

static bool is_worth_a_retry(const struct soma_error *error)
{
    return error->code == SOMA_UNAVAILABLE ||
           (error->code == SOMA_RESOURCE_EXHAUSTED && error->retry_after_ms > 0) ||
           strcmp(error->reason, reason_table[REASON_CONNECTION_LOST].name) == 0;
}

// Doubled with each attempt, then shortened at random by up to half; what the server asks for is a
// lower bound.
static int64_t pause_ms(const struct soma_call *call)
{
    const struct call_terms *terms = &call->terms;
    uint32_t doublings = call->attempt_count - 1;
    uint64_t ms = doublings < 32 ? (uint64_t)terms->retry_first_ms << doublings : UINT64_MAX;
    if (ms > terms->retry_max_ms)
        ms = terms->retry_max_ms;
    uint32_t chance;
    random_bytes(&chance, sizeof chance);
    ms -= ms * chance / UINT32_MAX / 2;
    return (int64_t)(ms > call->error.retry_after_ms ? ms : call->error.retry_after_ms);
}

static enum verdict after_failure(struct soma_call *call)
{
    if (!is_worth_a_retry(&call->error))
        return end(call);
    if (call->terms.max_attempts && call->attempt_count >= call->terms.max_attempts)
        return end(call);
    int64_t ms = pause_ms(call);
    if (ms >= clock_left_ms(call->terms.deadline))
        return end(call);
    call->pause_until = clock_deadline_after(ms);
    return VERDICT_PAUSE;
}

// Nothing was sent; it waits on as long as there is patience.
static enum verdict after_unsent(struct soma_call *call)
{
    struct connection *connection = call->client->connections[call->lane % CONNECTION_COUNT];
    bool over = clock_left_ms(call->terms.deadline) == 0;
    if (over && connection_is_up(connection))
        set_overdue(call);
    else if (over || (clock_left_ms(call->patience) == 0 && !was_reached(call->client)))
        set_unreachable(call);
    else
        return VERDICT_SUBMIT;
    return end(call);
}

// The next piece, if there is one.
static enum verdict next_piece(struct soma_call *call)
{
    struct piece *done = call->piece;
    if (!done->next && done->more && call->request) {
        enum soma_code code =
            piece_pack(call->method, call->request, done->first + done->asked.item_count,
                       response_arena(call), &call->memo, &done->next, &call->error);
        if (code != SOMA_OK)
            return VERDICT_END;
    }
    if (!done->next)
        return VERDICT_END;
    call->piece = done->next;
    free(done);
    call->piece_number++;
    call->attempt_count = 0;
    call->outcome_unknown = false;
    return VERDICT_SUBMIT;
}

static enum verdict after_reply(struct soma_call *call, const uint8_t *reply, size_t length)
{
    enum soma_code code = response_take(call, reply, length);
    if (code == SOMA_OK)
        return next_piece(call);
    piece_shift_field(&call->error, call->piece->first);
    return after_failure(call);
}

static enum verdict judge(struct soma_call *call, enum exchange_end how, const uint8_t *reply,
                          size_t length)
{
    if (how != EXCHANGE_UNSENT && how != EXCHANGE_NO_MEMORY)
        call->attempt_count++;
    switch (how) {
    case EXCHANGE_REPLIED:
        return after_reply(call, reply, length);
    case EXCHANGE_UNSENT:
        return after_unsent(call);
    case EXCHANGE_LOST:
        set_lost(call);
        return after_failure(call);
    case EXCHANGE_TIMED_OUT:
        if (clock_left_ms(call->terms.deadline) == 0) {
            set_overdue(call);
            return VERDICT_END;
        }
        set_lost(call);
        return after_failure(call);
    case EXCHANGE_CANCELLED:
        set_cancelled(call);
        return VERDICT_END;
    case EXCHANGE_NO_MEMORY:
        error_set_no_memory(&call->error);
        return VERDICT_END;
    }
    return VERDICT_END;
}

void attempt_done(void *user, enum exchange_end how, const uint8_t *reply, size_t length)
{
    struct soma_call *call = user;
    enum verdict verdict = judge(call, how, reply, length);
    call_leave_lane(call);
    switch (verdict) {
    case VERDICT_END:
        call_end(call);
        return;
    case VERDICT_SUBMIT:
        call_submit(call);
        return;
    case VERDICT_PAUSE:
        call_pause(call);
        return;
    }
}
