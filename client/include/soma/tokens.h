// Tokens: by which listeners that ask (TCP, WebSocket) know a caller. Include <soma/soma.h>.
#ifndef SOMA_TOKENS_H
#define SOMA_TOKENS_H

#include <soma/server.h>

#ifdef __cplusplus
extern "C" {
#endif

// What the holder may call. Numbers are those of the protocol.
enum soma_scope {
    // Whatever changes nothing.
    SOMA_SCOPE_READ = 1,
    // Jobs: submit, feed, cancel, retry, remove.
    SOMA_SCOPE_SUBMIT = 2,
    // Collections and records: make, change, remove.
    SOMA_SCOPE_WRITE_VECTORS = 3,
    // Everything, queues, pruning and tokens included.
    SOMA_SCOPE_ADMIN = 4,
};

// "read", "submit", "write-vectors", "admin"; "unknown" for another number.
SOMA_API const char *soma_scope_name(enum soma_scope scope);

// The server keeps no secret, only a hash of it.
struct soma_token {
    const char *name;
    const enum soma_scope *scopes;
    size_t scope_count;
    int64_t created_ms;
    // 0: never.
    int64_t expires_ms;
    // To the minute. 0: not yet.
    int64_t last_used_ms;
    // Where its holder works: that of the client which made it.
    const char *namespace_name;
};

enum {
    SOMA_SECRET_SIZE = 72
};

// A new secret, "soma_" and 32 random bytes in hexadecimal digits.
SOMA_API void soma_secret_make(char ret_secret[SOMA_SECRET_SIZE]);

struct soma_token_create_request {
    size_t struct_size;
    // 1 to 63 characters of [A-Za-z0-9._-].
    const char *name;
    // What the holder sets as soma_client_options.token: 32 to 128 characters of [A-Za-z0-9_-],
    // from soma_secret_make.
    const char *secret;
    // At least one.
    const enum soma_scope *scopes;
    size_t scope_count;
    // 0: it never expires. At most 10 years.
    int64_t expires_after_ms;
};
#define SOMA_TOKEN_CREATE_REQUEST_INIT SOMA_INIT(struct soma_token_create_request)
SOMA_METHOD(token_create, soma_token_create_request, soma_token);

struct soma_token_list {
    const struct soma_token *tokens; // by namespace and name
    size_t token_count;
};
SOMA_METHOD(token_list, soma_empty_request, soma_token_list);

struct soma_token_request {
    size_t struct_size;
    const char *name;
};
#define SOMA_TOKEN_REQUEST_INIT SOMA_INIT(struct soma_token_request)

// One of the client's namespace: from now on its calls are refused. The result has its name alone.
// SOMA_NOT_FOUND.
SOMA_METHOD(token_revoke, soma_token_request, soma_token);

#ifdef __cplusplus
}
#endif

#endif
