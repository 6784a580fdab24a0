#include "lib/response.h"

#include <stdio.h>
#include <string.h>

#include <soma/v1/rpc.pb-c.h>

#include "lib/result.h"
#include "wire/decode.h"
#include "wire/frame.h"

struct arena *response_arena(struct soma_call *call)
{
    return result_arena(call->result);
}

// What cannot be read is neither the caller's mistake nor harmless, whatever the decoder calls it.
// Only another version of the frame is what it is.
static enum soma_code unreadable(struct soma_call *call, const struct soma_error *why)
{
    if (why->code == SOMA_UNIMPLEMENTED) {
        call->error = *why;
        return why->code;
    }
    return error_set(&call->error, REASON_REPLY_INVALID, NULL,
                     "the reply cannot be read: %.120s%s%.120s", why->text,
                     why->field[0] ? " at " : "", why->field);
}

static void copy_text(char *ret_text, size_t size, const char *text)
{
    snprintf(ret_text, size, "%s", text);
}

static enum soma_code take_error(struct soma_call *call, const Pb__ResponseHeader *header)
{
    struct soma_error *error = &call->error;
    error->code = code_from_number((int)header->code);
    error->retry_after_ms = header->retry_after_ms;
    copy_text(error->reason, sizeof error->reason, header->reason);
    copy_text(error->field, sizeof error->field, header->field);
    copy_text(error->text, sizeof error->text, header->message);
    return error->code;
}

static enum soma_code add_reply(struct soma_call *call, const ProtobufCMessage *message)
{
    struct reply *reply = arena_calloc(response_arena(call), 1, sizeof *reply);
    if (!reply)
        return error_set_no_memory(&call->error);
    reply->message = message;
    reply->first = call->piece->first;
    reply->asked = call->piece->asked;
    if (call->last_reply)
        call->last_reply->next = reply;
    else
        call->replies = reply;
    call->last_reply = reply;
    call->error.code = SOMA_OK;
    return SOMA_OK;
}

// What the reply left undone goes in front of the pieces that follow.
static enum soma_code resume(struct soma_call *call, const ProtobufCMessage *message)
{
    struct piece *rest = NULL;
    if (!call->method->resume)
        return SOMA_OK;
    enum soma_code code =
        call->method->resume(call->method, call->piece, message, &rest, &call->error);
    if (code == SOMA_OK && rest) {
        call->last_reply->asked.item_count -= rest->asked.item_count;
        rest->next = call->piece->next;
        rest->more = call->piece->more;
        call->piece->next = rest;
    }
    return code;
}

static enum soma_code decode(struct soma_call *call, const uint8_t *frame, size_t length)
{
    struct soma_error why = {0};
    struct frame_parts parts;
    struct arena *arena = response_arena(call);
    if (frame_split(frame, length, &parts, &why) != SOMA_OK)
        return unreadable(call, &why);
    const Pb__ResponseHeader *header = (const Pb__ResponseHeader *)(void *)wire_decode(
        &pb__response_header__descriptor, parts.header, parts.header_length, arena, &why);
    if (!header)
        return unreadable(call, &why);
    if (header->code != PB__CODE__CODE_OK)
        return take_error(call, header);
    const ProtobufCMessage *message =
        wire_decode(call->method->reply_type, parts.message, parts.message_length, arena, &why);
    if (!message)
        return unreadable(call, &why);
    // Results are a fixed multiple of what was decoded within the budget.
    arena->budget = SIZE_MAX;
    enum soma_code code = add_reply(call, message);
    return code == SOMA_OK ? resume(call, message) : code;
}

enum soma_code response_take(struct soma_call *call, const uint8_t *frame, size_t length)
{
    struct arena *arena = response_arena(call);
    arena->budget = arena->held + wire_decode_budget(length);
    arena->budget_hit = false;
    enum soma_code code = decode(call, frame, length);
    arena->budget = SIZE_MAX;
    return code;
}
