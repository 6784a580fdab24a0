#include "rpc/call.h"

#include <nettle/sha2.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/text.h"
#include "measures/measures.h"
#include "rpc/call_private.h"
#include "rpc/counters.h"
#include "rpc/refusals.h"
#include "wire/decode.h"
#include "wire/frame.h"
#include "wire/limits.h"

enum {
    ARENA_KEPT_BYTES = 16384,
    CLIENT_SHOWN = 64
};

static atomic_llong slow_us = INT64_MAX;

void rpc_call_set_slow(int64_t ms)
{
    atomic_store(&slow_us, ms > 0 ? ms * 1000 : INT64_MAX);
}

struct mono_time rpc_call_deadline_after(const struct rpc_call *call, int64_t timeout_ms)
{
    return (struct mono_time){call->begun_us / 1000 + timeout_ms};
}

void rpc_call_begin(struct rpc_call *call, const uint8_t *frame, size_t length, uint32_t peer)
{
    rpc_call_end(call);
    call->arena.budget = wire_decode_budget(length);
    call->frame = frame;
    call->frame_length = length;
    call->message = NULL;
    call->message_length = 0;
    call->number = 0;
    call->was_parked = false;
    call->begun_us = clock_mono_us();
    call->has_request_id = false;
    call->deadline = rpc_call_deadline_after(call, LIMIT_DEFAULT_TIMEOUT_MS);
    call->deadline_is_ours = true;
    call->caller = (struct rpc_caller){0};
    call->is_counted = false;
    call->refusal.code = SOMA_OK;
    call->peer = peer;
    call->slot = NULL;
}

void rpc_call_end(struct rpc_call *call)
{
    arena_reset(&call->arena, ARENA_KEPT_BYTES);
    call->method = call->client = "";
}

struct arena *rpc_call_arena(struct rpc_call *call)
{
    return &call->arena;
}

const char *rpc_call_method(const struct rpc_call *call)
{
    return call->method;
}

const struct rpc_caller *rpc_call_job(const struct rpc_call *call)
{
    return call->caller.job_id[0] ? &call->caller : NULL;
}

uint32_t rpc_call_withheld(const struct rpc_call *call)
{
    return call->caller.withheld;
}

const char *rpc_call_space(const struct rpc_call *call)
{
    return call->caller.space;
}

bool rpc_call_is_owner(const struct rpc_call *call)
{
    return !call->must_be_admitted;
}

bool rpc_call_is_admitted(const struct rpc_call *call, struct soma_error *err)
{
    struct rpc_caller again = {0};
    return !call->must_be_admitted ||
           call->gate->admit(call->gate->user, call->method, call->token, &again, err) == SOMA_OK;
}

struct mono_time rpc_call_deadline(const struct rpc_call *call)
{
    return call->deadline;
}

void rpc_call_extend(struct rpc_call *call, struct mono_time deadline)
{
    if (call->deadline_is_ours && deadline.ms > call->deadline.ms)
        call->deadline = deadline;
}

const uint8_t *rpc_call_request_id(const struct rpc_call *call)
{
    return call->has_request_id ? call->request_id : NULL;
}

void rpc_call_request_key(const struct rpc_call *call, uint8_t ret_key[REQUEST_ID_BYTES])
{
    enum {
        TIME_BYTES = 6
    };
    memcpy(ret_key, call->request_id, REQUEST_ID_BYTES);
    if (!call->caller.space[0])
        return;
    struct sha256_ctx hash;
    sha256_init(&hash);
    sha256_update(&hash, sizeof call->caller.space, (const uint8_t *)call->caller.space);
    sha256_update(&hash, REQUEST_ID_BYTES, call->request_id);
    sha256_digest(&hash, REQUEST_ID_BYTES - TIME_BYTES, ret_key + TIME_BYTES);
}

void rpc_call_fingerprint(const struct rpc_call *call, uint8_t ret_fingerprint[FINGERPRINT_BYTES])
{
    struct sha256_ctx hash;
    sha256_init(&hash);
    sha256_update(&hash, strlen(call->method) + 1, (const uint8_t *)call->method);
    if (call->caller.space[0])
        sha256_update(&hash, sizeof call->caller.space, (const uint8_t *)call->caller.space);
    sha256_update(&hash, call->message_length, call->message);
    sha256_digest(&hash, FINGERPRINT_BYTES, ret_fingerprint);
}

bool rpc_call_is_expired(const struct rpc_call *call)
{
    return clock_left_ms(call->deadline) == 0;
}

void rpc_call_note_parked(struct rpc_call *call)
{
    call->was_parked = true;
}

uint32_t rpc_call_peer(const struct rpc_call *call)
{
    return call->peer;
}

void **rpc_call_slot(struct rpc_call *call)
{
    return &call->slot;
}

static void log_slow(const struct rpc_call *call, enum soma_code code, int64_t us)
{
    char request[2 * REQUEST_ID_BYTES + 1] = "-", client[CLIENT_SHOWN + 1];
    if (call->has_request_id)
        text_from_bytes(request, call->request_id, REQUEST_ID_BYTES);
    // The client's own words must not look like another field.
    snprintf(client, sizeof client, "%s", call->client[0] ? call->client : "-");
    text_make_word(client);
    measure_add(MEASURE_RPC_SLOW, 0, 1);
    log_warning("CALL-SLOW", "method=%s ms=%lld code=%s request=%s job=%s client=%s bytes=%zu",
                call->number ? call->method : "-", (long long)(us / 1000), code_name(code), request,
                call->caller.job_id[0] ? call->caller.job_id : "-", client, call->frame_length);
}

// The reply is made; after it is sent the call is no more.
static void measure(const struct rpc_call *call, enum soma_code code)
{
    int64_t us = call->was_parked ? -1 : clock_mono_us() - call->begun_us;
    measure_call(call->number, (unsigned)code, us);
    if (us > atomic_load_explicit(&slow_us, memory_order_relaxed))
        log_slow(call, code, us);
}

static void init_header(Pb__ResponseHeader *header, struct rpc_call *call)
{
    pb__response_header__init(header);
    if (call->has_request_id)
        header->request_id = (ProtobufCBinaryData){REQUEST_ID_BYTES, call->request_id};
}

static enum soma_code check_frame(size_t length, struct soma_error *err)
{
    if (length <= (size_t)LIMIT_FRAME_BYTES)
        return SOMA_OK;
    return error_set(
        err, REASON_MESSAGE_TOO_LARGE, NULL,
        "the reply would be %zu bytes, at most %lld fit into a frame: ask for less at once", length,
        (long long)LIMIT_FRAME_BYTES);
}

enum soma_code rpc_call_check_reply(struct rpc_call *call, const ProtobufCMessage *message,
                                    struct soma_error *err)
{
    Pb__ResponseHeader header;
    init_header(&header, call);
    return check_frame(frame_length(&header.base, message), err);
}

// True where the reply fits into a frame; otherwise the call is failed.
static bool fits(struct rpc_call *call, size_t length)
{
    struct soma_error err = {0};
    if (check_frame(length, &err) == SOMA_OK)
        return true;
    rpc_call_fail(call, &err);
    return false;
}

void rpc_call_reply(struct rpc_call *call, const ProtobufCMessage *message)
{
    Pb__ResponseHeader header;
    init_header(&header, call);
    size_t length = frame_length(&header.base, message);
    if (!fits(call, length))
        return;
    uint8_t *frame = transport_reply(call, length);
    if (!frame) {
        transport_abandon(call);
        return;
    }
    frame_write(frame, &header.base, message);
    measure(call, SOMA_OK);
    transport_send(call);
}

void rpc_call_reply_packed(struct rpc_call *call, const void *message, size_t length)
{
    Pb__ResponseHeader header;
    init_header(&header, call);
    size_t total = frame_length_packed(&header.base, length);
    if (!fits(call, total))
        return;
    uint8_t *frame = transport_reply(call, total);
    if (!frame) {
        transport_abandon(call);
        return;
    }
    frame_write_packed(frame, &header.base, message, length);
    measure(call, SOMA_OK);
    transport_send(call);
}

void rpc_call_fail(struct rpc_call *call, const struct soma_error *err)
{
    Pb__ResponseHeader header;
    refusals_note(call, err);
    init_header(&header, call);
    header.code = (Pb__Code)err->code;
    header.reason = err->reason;
    header.message = err->text;
    header.field = err->field;
    header.retry_after_ms = err->retry_after_ms;
    counter_add(COUNTER_RPC_ERRORS, 1);
    uint8_t *frame = transport_reply(call, frame_length(&header.base, NULL));
    if (!frame) {
        transport_abandon(call);
        return;
    }
    frame_write(frame, &header.base, NULL);
    measure(call, err->code);
    transport_send(call);
}
