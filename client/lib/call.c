#include "lib/call.h"

#include <stdlib.h>
#include <string.h>

#include "base/id.h"
#include "lib/attempt.h"
#include "lib/packing.h"
#include "lib/result.h"
#include "lib/timer.h"
#include "wire/limits.h"

enum {
    RETRY_FIRST_MS = 20,
    RETRY_MAX_MS = 2000
};

// --- lanes, queue, heap: with the lock held

static void queue_add(struct lane *lane, struct soma_call *call)
{
    call->next_waiting = NULL;
    if (lane->last)
        lane->last->next_waiting = call;
    else
        lane->first = call;
    lane->last = call;
}

static void queue_remove(struct lane *lane, struct soma_call *call)
{
    struct soma_call *before = NULL;
    for (struct soma_call *at = lane->first; at && at != call; at = at->next_waiting)
        before = at;
    if (before)
        before->next_waiting = call->next_waiting;
    else
        lane->first = call->next_waiting;
    if (lane->last == call)
        lane->last = before;
}

// The first that waits, if there is a place for it, now flying; NULL otherwise.
static struct soma_call *next_to_fly(struct soma_client *client, struct lane *lane)
{
    struct soma_call *call = lane->first;
    if (!call || lane->in_flight >= lane->limit)
        return NULL;
    queue_remove(lane, call);
    timer_remove(client, call);
    call->state = CALL_FLYING;
    lane->in_flight++;
    return call;
}

static int lane_of(const struct piece *piece)
{
    int connection = piece->bulk ? CONNECTION_BULK : CONNECTION_SMALL;
    return piece->asked.wait_ms ? connection + LANE_POLLS : connection;
}

// Gives the call's place to whoever waits first: that one, or NULL.
static struct soma_call *leave_lane(struct soma_call *call)
{
    struct soma_client *client = call->client;
    pthread_mutex_lock(&client->lock);
    struct lane *lane = &client->lanes[call->lane];
    struct exchange *exchange = call->exchange;
    struct connection *connection = client->connections[call->lane % CONNECTION_COUNT];
    call->exchange = NULL;
    call->state = CALL_NEW;
    lane->in_flight--;
    struct soma_call *next = next_to_fly(client, lane);
    pthread_mutex_unlock(&client->lock);
    if (exchange)
        connection_give(connection, exchange);
    return next;
}

static void wait_for_timer(struct soma_call *call, enum call_state state, struct mono_time due)
{
    struct soma_client *client = call->client;
    pthread_mutex_lock(&client->lock);
    call->state = state;
    timer_add(client, call, atomic_load(&call->given_up) ? (struct mono_time){0} : due);
    pthread_mutex_unlock(&client->lock);
}

// Ends with its error, on the timer thread; the call may be another thread's at once.
static void settle(struct soma_call *call)
{
    wait_for_timer(call, CALL_SETTLED, (struct mono_time){0});
}

// One that cannot fly gives its place on at once. A loop, for all that wait may be such: when the
// client closes, and at a deadline that they share.
static void fly(struct soma_call *call)
{
    while (call && !attempt_launch(call)) {
        struct soma_call *next = leave_lane(call);
        settle(call);
        call = next;
    }
}

void call_submit(struct soma_call *call)
{
    struct soma_client *client = call->client;
    pthread_mutex_lock(&client->lock);
    call->lane = lane_of(call->piece);
    struct lane *lane = &client->lanes[call->lane];
    bool flies = !lane->first && lane->in_flight < lane->limit;
    if (flies) {
        lane->in_flight++;
        call->state = CALL_FLYING;
    } else {
        call->state = CALL_QUEUED;
        queue_add(lane, call);
        timer_add(client, call,
                  atomic_load(&call->given_up) ? (struct mono_time){0} : call->terms.deadline);
    }
    pthread_mutex_unlock(&client->lock);
    if (flies)
        fly(call);
}

void call_leave_lane(struct soma_call *call)
{
    fly(leave_lane(call));
}

void call_pause(struct soma_call *call)
{
    wait_for_timer(call, CALL_PAUSED, call->pause_until);
}

void call_due(struct soma_call *call)
{
    struct soma_client *client = call->client;
    enum call_state state = call->state;
    if (state == CALL_QUEUED)
        queue_remove(&client->lanes[call->lane], call);
    call->state = CALL_NEW;
    pthread_mutex_unlock(&client->lock);
    if (state == CALL_PAUSED && !atomic_load(&call->given_up)) {
        call_submit(call);
    } else {
        if (state != CALL_SETTLED)
            attempt_give_up(call);
        call_end(call);
    }
    pthread_mutex_lock(&client->lock);
}

// --- the end

static void unlink_call(struct soma_call *call)
{
    struct soma_client *client = call->client;
    pthread_mutex_lock(&client->lock);
    call->state = CALL_ENDING;
    if (call->previous)
        call->previous->next = call->next;
    else
        client->calls = call->next;
    if (call->next)
        call->next->previous = call->previous;
    pthread_mutex_unlock(&client->lock);
}

static void call_free(struct soma_call *call)
{
    while (call->piece) {
        struct piece *piece = call->piece;
        call->piece = piece->next;
        free(piece);
    }
    soma_free(call->result);
    free(call);
}

// The result as far as there is one; otherwise it is given back.
static void build_result(struct soma_call *call)
{
    bool wanted =
        call->replies && (call->error.code == SOMA_OK || (call->method->flags & METHOD_PARTIAL));
    if (wanted) {
        struct soma_error err = {0};
        struct reading reading = {
            .arena = result_arena(call->result), .replies = call->replies, .err = &err};
        call->method->read(&reading, call->result);
        wanted = reading.code == SOMA_OK;
        if (!wanted && call->error.code == SOMA_OK)
            call->error = err;
    }
    if (!wanted) {
        soma_free(call->result);
        call->result = NULL;
    }
}

void call_end(struct soma_call *call)
{
    struct soma_client *client = call->client;
    unlink_call(call);
    build_result(call);
    void *result = call->result;
    call->result = NULL;
    call->deliver(call->done, call->user, result, call->error.code ? &call->error : NULL);
    call_free(call);
    pthread_mutex_lock(&client->lock);
    if (--client->call_count == 0)
        pthread_cond_broadcast(&client->ended);
    pthread_mutex_unlock(&client->lock);
}

// --- giving up

static void give_up(struct soma_call *call)
{
    atomic_store(&call->given_up, true);
    if (call->state == CALL_FLYING && call->exchange) {
        exchange_cancel(call->exchange);
    } else if (call->state == CALL_QUEUED || call->state == CALL_PAUSED) {
        timer_remove(call->client, call);
        timer_add(call->client, call, (struct mono_time){0});
    }
}

void calls_give_up(struct soma_client *client)
{
    for (struct soma_call *call = client->calls; call; call = call->next)
        give_up(call);
}

void soma_call_cancel(struct soma_call *call)
{
    if (!call)
        return;
    struct soma_client *client = call->client;
    pthread_mutex_lock(&client->lock);
    if (call->state != CALL_ENDING)
        give_up(call);
    pthread_mutex_unlock(&client->lock);
}

// --- the start

static int64_t timeout_of(const struct soma_client *client, const struct soma_call_options *options,
                          bool *ret_none)
{
    if (options && options->timeout_ms != 0) {
        *ret_none = false;
        return options->timeout_ms;
    }
    *ret_none = client->timeout_ms < 0;
    return client->timeout_ms;
}

enum soma_code call_terms_init(struct call_terms *ret_terms, const struct soma_client *client,
                               const struct soma_call_options *options,
                               const struct mono_time *deadline, uint32_t lengthen_ms, bool mutates,
                               struct soma_error *err)
{
    bool none;
    int64_t timeout_ms = timeout_of(client, options, &none);
    struct call_terms terms = {.retry_first_ms = RETRY_FIRST_MS, .retry_max_ms = RETRY_MAX_MS};
    if (deadline)
        terms.deadline = *deadline;
    else if (none)
        terms.deadline = MONO_NEVER;
    else if (timeout_ms < 0)
        return error_set(err, REASON_DEADLINE_PAST, NULL, "the deadline is already past");
    else
        terms.deadline = clock_deadline_after(
            timeout_ms > INT64_MAX - lengthen_ms ? INT64_MAX : timeout_ms + lengthen_ms);
    if (options) {
        terms.max_attempts = options->max_attempts;
        if (options->retry_first_ms)
            terms.retry_first_ms = options->retry_first_ms;
        if (options->retry_max_ms)
            terms.retry_max_ms = options->retry_max_ms;
    }
    if (options && options->request_id)
        memcpy(terms.request_id, options->request_id, sizeof terms.request_id);
    else if (mutates)
        request_id_make(terms.request_id);
    *ret_terms = terms;
    return SOMA_OK;
}

static enum soma_code check_order(const struct call_order *order, struct soma_error *err)
{
    if (!order->client)
        return error_set(err, REASON_FIELD_REQUIRED, "client", "it is NULL");
    if (!order->done && !order->deliver)
        return error_set(err, REASON_FIELD_REQUIRED, "done", "it is NULL");
    return SOMA_OK;
}

// The caller's structs as this library knows them; the request lives in the result's arena.
static enum soma_code take_structs(struct call_order *order, struct arena *kept,
                                   struct soma_call_options *room, struct soma_error *err)
{
    void *request = arena_alloc(kept, order->method->request_size);
    if (!request)
        return error_set_no_memory(err);
    const void *options = NULL;
    enum soma_code code = struct_take(order->request, order->method->request_size, NULL, request,
                                      &order->request, err);
    if (code == SOMA_OK && order->options)
        code = struct_take(order->options, sizeof *order->options, "options", room, &options, err);
    order->options = options;
    return code;
}

// One piece where the request stays, all of them where it does not.
static enum soma_code pack_call(struct soma_call *call, const struct call_order *order,
                                struct soma_error *err)
{
    struct arena *kept = result_arena(call->result);
    struct piece **end = &call->piece;
    size_t first = 0;
    for (;;) {
        enum soma_code code =
            piece_pack(call->method, order->request, first, kept, &call->memo, end, err);
        if (code != SOMA_OK)
            return code;
        struct piece *piece = *end;
        if (order->waits && piece->more) {
            call->request = order->request;
            return SOMA_OK;
        }
        if (!piece->more)
            return SOMA_OK;
        first += piece->asked.item_count;
        end = &piece->next;
    }
}

// What is not yet known to be right: the call is the caller's, whatever the code.
static enum soma_code fill_call(struct soma_call *call, const struct call_order *given,
                                struct soma_error *err)
{
    struct call_order known = *given;
    const struct call_order *order = &known;
    struct soma_call_options room;
    call->client = order->client;
    call->method = order->method;
    call->deliver = order->deliver ? order->deliver : order->method->deliver;
    call->done = order->done;
    call->user = order->user;
    call->patience = clock_deadline_after(order->client->connect_timeout_ms);
    call->result = result_new(order->method->result_size);
    if (!call->result)
        return error_set_no_memory(err);
    enum soma_code code = take_structs(&known, result_arena(call->result), &room, err);
    if (code == SOMA_OK)
        code = pack_call(call, order, err);
    if (code != SOMA_OK)
        return code;
    uint32_t wait_ms = call->piece ? call->piece->asked.wait_ms : 0;
    return call_terms_init(&call->terms, order->client, order->options, order->deadline, wait_ms,
                           call->method->flags & METHOD_MUTATES, err);
}

// Among the client's calls, unless that is closing.
static enum soma_code link_call(struct soma_call *call, struct soma_error *err)
{
    struct soma_client *client = call->client;
    enum soma_code code = SOMA_OK;
    pthread_mutex_lock(&client->lock);
    if (client->closing)
        code = error_set(err, REASON_CALL_CANCELLED, NULL, "the client is being closed");
    else if (!timer_reserve(client))
        code = error_set_no_memory(err);
    if (code == SOMA_OK) {
        call->next = client->calls;
        if (call->next)
            call->next->previous = call;
        client->calls = call;
        client->call_count++;
    }
    pthread_mutex_unlock(&client->lock);
    return code;
}

enum soma_code call_start(const struct call_order *order, struct soma_call **ret_call,
                          struct soma_error *err)
{
    enum soma_code code = check_order(order, err);
    if (code != SOMA_OK)
        return code;
    struct soma_call *call = calloc(1, sizeof *call);
    if (!call)
        return error_set_no_memory(err);
    code = fill_call(call, order, err);
    if (code == SOMA_OK)
        code = link_call(call, err);
    if (code != SOMA_OK) {
        call_free(call);
        return code;
    }
    // Before the call can end: from then on the pointer is dead.
    if (ret_call)
        *ret_call = call;
    call_submit(call);
    return SOMA_OK;
}
