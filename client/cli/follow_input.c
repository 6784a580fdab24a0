#include "cli/follow_input.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/error.h"
#include "cli/terminal.h"

enum {
    PIECE_BYTES = 65536,
    POLL_MS = 5 * 1000,
};

bool follow_input_begin(struct follow_input *input)
{
    input->piece = malloc(PIECE_BYTES);
    return input->piece != NULL;
}

static void stop(struct follow_input *input)
{
    free(input->piece);
    input->piece = NULL;
    input->length = 0;
}

void follow_input_fini(struct follow_input *input)
{
    follow_call_fini(&input->call);
    stop(input);
}

bool follow_input_wants(const struct follow_input *input)
{
    return input->piece && !input->has_ended && input->length == 0 && !input->call.in_flight;
}

void follow_input_read(struct follow_input *input)
{
    ssize_t got = read(STDIN_FILENO, input->piece, PIECE_BYTES);
    if (got < 0 && (errno == EINTR || errno == EAGAIN))
        return;
    // What cannot be read any more has ended.
    input->has_ended = got <= 0;
    input->length = got > 0 ? (size_t)got : 0;
}

bool follow_input_send(struct follow_input *input, struct soma_client *client, const char *job_id,
                       struct soma_error *ret_err)
{
    bool has_something = input->piece && (input->length > 0 || input->has_ended);
    if (!has_something || input->call.in_flight || input->call.due_ms > now_ms())
        return true;
    struct soma_job_input_request request = SOMA_JOB_INPUT_REQUEST_INIT;
    request.job_id = job_id;
    request.attempt = input->attempt;
    request.offset = input->offset;
    request.data = input->piece;
    request.length = input->length;
    request.end = input->has_ended;
    request.wait_ms = POLL_MS;
    return follow_call_input(&input->call, client, &request, ret_err);
}

static void take(struct follow_input *input, const struct soma_job_input *answer)
{
    int64_t taken = answer->size_bytes - input->offset;
    bool is_all = answer->attempt > 0 && taken >= (int64_t)input->length;
    input->attempt = answer->attempt;
    if (answer->closed || (is_all && input->has_ended)) {
        stop(input);
    } else if (is_all) {
        input->offset += (int64_t)input->length;
        input->length = 0;
    } else if (taken > 0) {
        input->offset += taken;
        input->length -= (size_t)taken;
        memmove(input->piece, input->piece + taken, input->length);
    }
}

bool follow_input_take(struct follow_input *input, struct soma_error *ret_err)
{
    void *result;
    if (!follow_call_take(&input->call, &result, ret_err))
        return true;
    if (result) {
        input->call.failures = 0;
        input->call.due_ms = 0;
        take(input, result);
        soma_free(result);
        return true;
    }
    // The job has ended, or another attempt has begun: what is left is nobody's.
    if (!error_is_passing(ret_err)) {
        stop(input);
        return true;
    }
    follow_call_back_off(&input->call, now_ms());
    return false;
}
