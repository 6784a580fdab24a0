// This program's standard input on its way to the job that is followed.
#ifndef CLI_FOLLOW_INPUT_H
#define CLI_FOLLOW_INPUT_H

#include "cli/follow_call.h"

struct follow_input {
    struct follow_call call;
    // NULL: none is sent, or all was.
    char *piece;
    size_t length;
    // Of the piece's first byte in the whole input.
    int64_t offset;
    // Nothing comes behind the piece.
    bool has_ended;
    // The one that is fed; 0: none runs yet.
    uint32_t attempt;
};

// The call's mailbox is set. False: out of memory.
bool follow_input_begin(struct follow_input *input);
void follow_input_fini(struct follow_input *input);

// Whether more is to be read from standard input, which then is done once it is ready.
bool follow_input_wants(const struct follow_input *input);
void follow_input_read(struct follow_input *input);

// Sends what waits, if it is time. False: *ret_err.
bool follow_input_send(struct follow_input *input, struct soma_client *client, const char *job_id,
                       struct soma_error *ret_err);

// Takes the answer, if there is one. False: the call failed, and may be tried again.
bool follow_input_take(struct follow_input *input, struct soma_error *ret_err);

#endif
