// What a running attempt proves with who it is: "job.ID.ATTEMPT.MAC" with the HMAC-SHA256 (RFC
// 2104) of what stands before it, in hex. Nothing is kept for a token but the server's key; it is
// good as long as the engine follows that attempt, which whoever checks one asks besides.
#ifndef JOBS_TOKEN_H
#define JOBS_TOKEN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/id.h"

enum {
    TOKEN_KEY_BYTES = 32,
    TOKEN_SIZE = 128
};

struct token_key {
    uint8_t bytes[TOKEN_KEY_BYTES];
};

// Reads the key from the file "token.key" (mode 0600) of the data directory, or makes one: a token
// outlives the server that gave it.
enum soma_code token_key_open(const char *data_directory, struct token_key *ret_key,
                              struct soma_error *err);

void token_make(const struct token_key *key, const char *id, uint32_t attempt,
                char ret_token[TOKEN_SIZE]);

// Whether the token was made with this key, compared in constant time; then for whom.
bool token_check(const struct token_key *key, const char *token, char ret_id[ID_SIZE],
                 uint32_t *ret_attempt);

#endif
