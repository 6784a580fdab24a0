#include "rpc/refusals.h"

#include <pthread.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "rpc/call_private.h"
#include "wire/limits.h"

enum {
    SECOND_MS = 1000
};

static struct {
    pthread_mutex_t lock; // guards the others
    struct mono_time begun;
    int lines; // since then
    int64_t left_out;
} refusals = {.lock = PTHREAD_MUTEX_INITIALIZER};

// Whether another line fits into the second; those that did not fit into the one before.
static bool take_line(int64_t *ret_left_out)
{
    struct mono_time now = clock_mono_now();
    pthread_mutex_lock(&refusals.lock);
    if (now.ms - refusals.begun.ms >= SECOND_MS) {
        *ret_left_out = refusals.left_out;
        refusals.begun = now;
        refusals.lines = 0;
        refusals.left_out = 0;
    }
    bool fits = refusals.lines < REFUSAL_LINES_MAX;
    refusals.lines += fits;
    refusals.left_out += !fits;
    pthread_mutex_unlock(&refusals.lock);
    return fits;
}

static void tell(int64_t left_out)
{
    if (left_out > 0)
        log_warning("CALL-REFUSED", "%lld more have no line, as there were over %d in a second",
                    (long long)left_out, REFUSAL_LINES_MAX);
}

void refusals_note(const struct rpc_call *call, const struct soma_error *err)
{
    char method[LIMIT_METHOD_BYTES + 1], peer[PEER_TEXT_SIZE];
    int64_t left_out = 0;
    if (err->code != SOMA_PERMISSION_DENIED && err->code != SOMA_UNAUTHENTICATED)
        return;
    bool has_line = take_line(&left_out);
    tell(left_out);
    if (!has_line)
        return;
    // Nobody has looked yet whether there is such a method.
    snprintf(method, sizeof method, "%s", call->method);
    text_make_word(method);
    transport_peer(call, peer);
    log_info("CALL-REFUSED", "%s from %s: %s", method, peer, err->text);
}

void refusals_tell(void)
{
    pthread_mutex_lock(&refusals.lock);
    int64_t left_out = refusals.left_out;
    refusals.left_out = 0;
    pthread_mutex_unlock(&refusals.lock);
    tell(left_out);
}
