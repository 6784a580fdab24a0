// The tokens that callers of asking listeners hold: who made them may call what.
//
// All of them are in memory, so that asking costs no I/O; the store keeps what outlives the server.
// A token's secret is known to its holder alone: what is kept is its SHA-256, which needs no salt,
// as a secret is 32 random bytes or more, and each is compared in constant time. Thread-safe.
#ifndef ACCESS_TOKENS_H
#define ACCESS_TOKENS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/namespaces.h"
#include "wire/limits.h"

enum {
    TOKEN_NAME_BYTES = 63,
    TOKEN_HASH_BYTES = 32
};

// Bits. What a method needs is one of them; SCOPE_ADMIN holds all.
enum scope {
    SCOPE_READ = 1,          // whatever changes nothing
    SCOPE_SUBMIT = 2,        // jobs: submit, feed, cancel, retry, remove
    SCOPE_WRITE_VECTORS = 4, // collections and records
    SCOPE_ADMIN = 8,         // queues, pruning, tokens
    SCOPE_ALL = 15
};

struct access_token {
    char name[TOKEN_NAME_BYTES + 1]; // no other of its namespace has it
    uint8_t hash[TOKEN_HASH_BYTES];
    uint32_t scopes;            // bits of enum scope
    char space[NAMESPACE_SIZE]; // where its holder works
    struct wall_time created;
    struct wall_time expires;   // 0: never
    struct wall_time last_used; // 0: not yet; to the minute
};

struct tokens;

// list is copied.
enum soma_code tokens_new(const struct access_token *list, size_t count, struct tokens **ret_tokens,
                          struct soma_error *err);
void tokens_free(struct tokens *tokens);

// What is kept of a secret.
void token_hash(const char *secret, uint8_t ret_hash[TOKEN_HASH_BYTES]);

// Adds or replaces the one of that namespace and name; after its commit.
void tokens_put(struct tokens *tokens, const struct access_token *token);
// Harmless where there is none.
void tokens_remove(struct tokens *tokens, const char *space, const char *name);

// TOKEN_INVALID where no token has this secret, TOKEN_EXPIRED; ret_token is the one that has.
// ret_is_news says that its last_used is another one than before.
enum soma_code tokens_find(struct tokens *tokens, const char *secret,
                           struct access_token *ret_token, bool *ret_is_news,
                           struct soma_error *err);

// Copies those of a namespace (NULL: all of them), by namespace and name, to ret_list, which has
// room for LIMIT_TOKENS; how many there are.
size_t tokens_list(struct tokens *tokens, const char *space, struct access_token *ret_list);

#endif
