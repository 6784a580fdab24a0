#include "rpc/dispatch.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "measures/measures.h"
#include "rpc/call_private.h"
#include "rpc/counters.h"
#include "wire/decode.h"
#include "wire/frame.h"
#include "wire/limits.h"

enum {
    // Of the method table; a power of two, several times the number of methods.
    SLOT_COUNT = 256,
    TOKEN_BYTES_MAX = 512,
    CLIENT_BYTES_MAX = 64,
    TRACE_ID_BYTES = 16,
    // What a handler may take beside the request: domain values, and a reply that fills a frame.
    HANDLER_BYTES = 4 * LIMIT_FRAME_BYTES
};

_Static_assert((int)SLOT_COUNT / 2 < (int)MEASURE_METHODS, "every method can be measured");

struct method {
    char path[LIMIT_METHOD_BYTES + 1]; // "" where the place is free
    ProtobufCService *service;
    unsigned index;
    unsigned number; // counted from 1, as metrics have it
};

struct dispatcher {
    struct rpc_gate gate;
    struct load *load;         // owned
    struct visitors *visitors; // owned
    atomic_bool stopping;
    atomic_int inside; // threads in dispatch()
    size_t method_count;
    struct method methods[SLOT_COUNT]; // open addressing by the path's hash
};

// FNV-1a.
static uint32_t hash_of(const char *text)
{
    uint32_t hash = 2166136261u;
    for (; *text; text++)
        hash = (hash ^ (unsigned char)*text) * 16777619u;
    return hash;
}

// The method's place, or the free one where it would be.
static struct method *place_of(struct dispatcher *dispatcher, const char *path)
{
    uint32_t at = hash_of(path);
    for (;; at++) {
        struct method *method = &dispatcher->methods[at % SLOT_COUNT];
        if (!method->path[0] || strcmp(method->path, path) == 0)
            return method;
    }
}

static bool add_service(struct dispatcher *dispatcher, ProtobufCService *service)
{
    const ProtobufCServiceDescriptor *descriptor = service->descriptor;
    for (unsigned i = 0; i < descriptor->n_methods; i++) {
        char path[LIMIT_METHOD_BYTES + 1];
        int length =
            snprintf(path, sizeof path, "%s/%s", descriptor->name, descriptor->methods[i].name);
        if (length >= (int)sizeof path || ++dispatcher->method_count > SLOT_COUNT / 2)
            return false;
        struct method *method = place_of(dispatcher, path);
        memcpy(method->path, path, sizeof path);
        method->service = service;
        method->index = i;
        method->number = (unsigned)dispatcher->method_count;
    }
    return true;
}

enum soma_code dispatcher_new(ProtobufCService *const *services, size_t count,
                              const struct dispatcher_options *options,
                              struct dispatcher **ret_dispatcher, struct soma_error *err)
{
    struct dispatcher *dispatcher = calloc(1, sizeof *dispatcher);
    if (!dispatcher)
        return error_set_no_memory(err);
    dispatcher->gate = options->gate;
    dispatcher->load = load_new();
    dispatcher->visitors = visitors_new(options->max_connections, options->max_peer_connections);
    if (!dispatcher->load || !dispatcher->visitors) {
        dispatcher_free(dispatcher);
        return error_set_no_memory(err);
    }
    for (size_t i = 0; i < count; i++) {
        if (!add_service(dispatcher, services[i])) {
            dispatcher_free(dispatcher);
            return error_set(err, REASON_INTERNAL, NULL, "service %s does not fit",
                             services[i]->descriptor->name);
        }
    }
    *ret_dispatcher = dispatcher;
    return SOMA_OK;
}

void dispatcher_free(struct dispatcher *dispatcher)
{
    if (!dispatcher)
        return;
    load_free(dispatcher->load);
    visitors_free(dispatcher->visitors);
    free(dispatcher);
}

struct load *dispatcher_load(struct dispatcher *dispatcher)
{
    return dispatcher->load;
}

const char *dispatcher_method(const struct dispatcher *dispatcher, unsigned number)
{
    for (size_t i = 0; i < SLOT_COUNT; i++) {
        if (dispatcher->methods[i].path[0] && dispatcher->methods[i].number == number)
            return dispatcher->methods[i].path;
    }
    return NULL;
}

struct visitors *dispatcher_visitors(struct dispatcher *dispatcher)
{
    return dispatcher->visitors;
}

void dispatcher_stop(struct dispatcher *dispatcher)
{
    atomic_store(&dispatcher->stopping, true);
    while (atomic_load(&dispatcher->inside) > 0)
        nanosleep(&(struct timespec){.tv_nsec = 100000}, NULL);
}

static enum soma_code take_timeout(struct rpc_call *call, int32_t timeout_ms,
                                   struct soma_error *err)
{
    if (timeout_ms < 0)
        return error_set(err, REASON_DEADLINE_PAST, "timeout_ms",
                         "the deadline was past %lld ms before the request",
                         -(long long)timeout_ms);
    if (timeout_ms > LIMIT_TIMEOUT_MS)
        return error_set(err, REASON_FIELD_OUT_OF_RANGE, "timeout_ms",
                         "timeout_ms is %d, at most %lld", timeout_ms, (long long)LIMIT_TIMEOUT_MS);
    if (timeout_ms > 0) {
        call->deadline = rpc_call_deadline_after(call, timeout_ms);
        call->deadline_is_ours = false;
    }
    return SOMA_OK;
}

static enum soma_code take_request_id(struct rpc_call *call, const ProtobufCBinaryData *id,
                                      struct soma_error *err)
{
    if (id->len == 0)
        return SOMA_OK;
    if (id->len != REQUEST_ID_BYTES)
        return error_set(err, REASON_FIELD_INVALID, "request_id",
                         "a request id has %d bytes, this one %zu", REQUEST_ID_BYTES, id->len);
    memcpy(call->request_id, id->data, REQUEST_ID_BYTES);
    call->has_request_id = true;
    return SOMA_OK;
}

static enum soma_code check_header_sizes(const Pb__RequestHeader *header, struct soma_error *err)
{
    const struct {
        const char *field;
        size_t length, most;
    } rows[] = {{"token", strlen(header->token), TOKEN_BYTES_MAX},
                {"client", strlen(header->client), CLIENT_BYTES_MAX},
                {"trace_id", header->trace_id.len, TRACE_ID_BYTES}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (rows[i].length > rows[i].most)
            return error_set(err, REASON_FIELD_TOO_LONG, rows[i].field,
                             "%s has %zu bytes, at most %zu", rows[i].field, rows[i].length,
                             rows[i].most);
    }
    if (header->trace_id.len != 0 && header->trace_id.len != TRACE_ID_BYTES)
        return error_set(err, REASON_FIELD_INVALID, "trace_id", "a trace id has %d bytes",
                         TRACE_ID_BYTES);
    return SOMA_OK;
}

static enum soma_code admit(const struct rpc_gate *gate, struct rpc_call *call, const char *token,
                            struct soma_error *err)
{
    if (!call->must_be_admitted)
        return SOMA_OK;
    call->gate = gate;
    call->token = token;
    return gate->admit(gate->user, call->method, token, &call->caller, err);
}

// A token works in its own namespace, which may be named; the owner in any.
static enum soma_code enter_namespace(struct rpc_call *call, const char *word,
                                      struct soma_error *err)
{
    char space[NAMESPACE_SIZE];
    if (!word[0])
        return SOMA_OK;
    enum soma_code code = namespace_from(word, space, err);
    if (code != SOMA_OK)
        return code;
    if (call->must_be_admitted && strcmp(space, call->caller.space) != 0)
        return error_set(err, REASON_NAMESPACE_NOT_ALLOWED, "namespace",
                         "the token is of namespace '%s' and opens nothing in '%s'",
                         namespace_word(call->caller.space), word);
    memcpy(call->caller.space, space, sizeof space);
    return SOMA_OK;
}

static enum soma_code read_header(const struct rpc_gate *gate, struct rpc_call *call,
                                  struct soma_error *err)
{
    struct frame_parts parts;
    enum soma_code code = frame_split(call->frame, call->frame_length, &parts, err);
    if (code != SOMA_OK)
        return code;
    call->message = parts.message;
    call->message_length = parts.message_length;
    const Pb__RequestHeader *header = (const Pb__RequestHeader *)wire_decode(
        &pb__request_header__descriptor, parts.header, parts.header_length, &call->arena, err);
    if (!header && strcmp(err->reason, "OUT_OF_MEMORY") == 0)
        return err->code;
    if (!header)
        return error_set(err, REASON_HEADER_MALFORMED, NULL, "the header is no RequestHeader");
    code = take_request_id(call, &header->request_id, err);
    if (code != SOMA_OK)
        return code;
    call->method = header->method;
    if (strlen(call->method) > LIMIT_METHOD_BYTES)
        return error_set(err, REASON_FIELD_TOO_LONG, "method", "a method path has at most %d bytes",
                         LIMIT_METHOD_BYTES);
    call->client = header->client;
    code = check_header_sizes(header, err);
    if (code == SOMA_OK)
        code = admit(gate, call, header->token, err);
    if (code == SOMA_OK)
        code = enter_namespace(call, header->namespace_, err);
    return code == SOMA_OK ? take_timeout(call, header->timeout_ms, err) : code;
}

static void reply_closure(const ProtobufCMessage *message, void *call)
{
    rpc_call_reply(call, message);
}

static void begin(struct dispatcher *dispatcher, struct rpc_call *call)
{
    struct soma_error err = {0};
    counter_add(COUNTER_RPC_REQUESTS, 1);
    if (read_header(&dispatcher->gate, call, &err) != SOMA_OK) {
        rpc_call_fail(call, &err);
        return;
    }
    if (call->refusal.code != SOMA_OK) {
        rpc_call_fail(call, &call->refusal);
        return;
    }
    if (atomic_load(&dispatcher->stopping)) {
        error_set(&err, REASON_SERVER_STOPPING, NULL, "the server is shutting down");
        rpc_call_fail(call, &err);
        return;
    }
    struct method *method = place_of(dispatcher, call->method);
    if (!method->path[0]) {
        error_set(&err, REASON_METHOD_UNKNOWN, "method", "there is no method '%.*s'",
                  LIMIT_METHOD_BYTES, call->method);
        rpc_call_fail(call, &err);
        return;
    }
    call->number = method->number;
    const ProtobufCServiceDescriptor *service = method->service->descriptor;
    const ProtobufCMessage *request =
        wire_decode(service->methods[method->index].input, call->message, call->message_length,
                    &call->arena, &err);
    if (!request) {
        rpc_call_fail(call, &err);
        return;
    }
    call->arena.budget += HANDLER_BYTES;
    method->service->invoke(method->service, method->index, request, reply_closure, call);
}

void dispatch(struct dispatcher *dispatcher, struct rpc_call *call)
{
    atomic_fetch_add(&dispatcher->inside, 1);
    begin(dispatcher, call);
    atomic_fetch_sub(&dispatcher->inside, 1);
}
