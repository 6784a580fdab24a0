// ServerService: CreateToken, ListTokens and RevokeToken.
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "services/mutation.h"
#include "services/server_service_private.h"
#include "services/validate.h"
#include "store/tokens.h"

enum {
    SECRET_BYTES_MIN = 32,
    SECRET_BYTES_MAX = 128
};

static const int64_t LIFE_MS_MAX = INT64_C(315360000000);

static const struct {
    Pb__Scope number;
    enum scope scope;
} scopes[] = {
    {PB__SCOPE__SCOPE_READ, SCOPE_READ},
    {PB__SCOPE__SCOPE_SUBMIT, SCOPE_SUBMIT},
    {PB__SCOPE__SCOPE_WRITE_VECTORS, SCOPE_WRITE_VECTORS},
    {PB__SCOPE__SCOPE_ADMIN, SCOPE_ADMIN},
};

enum {
    SCOPE_COUNT = sizeof scopes / sizeof scopes[0]
};

static bool put_token(struct arena *arena, const struct access_token *token, Pb__Token *message)
{
    pb__token__init(message);
    message->name = arena_printf(arena, "%s", token->name);
    message->scopes = arena_calloc(arena, SCOPE_COUNT, sizeof *message->scopes);
    if (!message->name || !message->scopes)
        return false;
    for (size_t i = 0; i < SCOPE_COUNT; i++) {
        if (token->scopes & (uint32_t)scopes[i].scope)
            message->scopes[message->n_scopes++] = scopes[i].number;
    }
    message->namespace_ = namespace_word(token->space);
    message->created_unix_ms = token->created.ms;
    message->expires_unix_ms = token->expires.ms;
    message->last_used_unix_ms = token->last_used.ms;
    return true;
}

// --- CreateToken

static enum soma_code name_from(const char *name, struct soma_error *err)
{
    enum soma_code code = check_given(name, "name", err);
    return code == SOMA_OK ? check_word(name, TOKEN_NAME_BYTES, "A-Za-z0-9._-", "name", err) : code;
}

static enum soma_code secret_from(const char *secret, struct soma_error *err)
{
    enum soma_code code = check_given(secret, "secret", err);
    if (code == SOMA_OK)
        code = check_word(secret, SECRET_BYTES_MAX, "A-Za-z0-9_-", "secret", err);
    if (code == SOMA_OK && strlen(secret) < SECRET_BYTES_MIN)
        code = error_set(err, REASON_FIELD_INVALID, "secret",
                         "a secret has at least %d characters, this one %zu", SECRET_BYTES_MIN,
                         strlen(secret));
    return code;
}

static enum soma_code scopes_from(const Pb__CreateTokenRequest *request, uint32_t *ret_scopes,
                                  struct soma_error *err)
{
    *ret_scopes = 0;
    for (size_t i = 0; i < request->n_scopes; i++) {
        uint32_t bit = 0;
        for (size_t j = 0; j < SCOPE_COUNT; j++) {
            if (scopes[j].number == request->scopes[i])
                bit = (uint32_t)scopes[j].scope;
        }
        if (bit == 0)
            return error_set(err, REASON_FIELD_REQUIRED, "scopes", "scopes[%zu] is no scope", i);
        if (*ret_scopes & bit)
            return error_set(err, REASON_DUPLICATE_KEY, "scopes", "scopes[%zu] stands twice", i);
        *ret_scopes |= bit;
    }
    return *ret_scopes
               ? SOMA_OK
               : error_set(err, REASON_FIELD_REQUIRED, "scopes", "at least one is required");
}

static enum soma_code token_from(const Pb__CreateTokenRequest *request, const char *space,
                                 struct access_token *ret_token, struct soma_error *err)
{
    struct access_token token = {.created = clock_wall_now()};
    enum soma_code code = name_from(request->name, err);
    if (code == SOMA_OK)
        code = secret_from(request->secret, err);
    if (code == SOMA_OK)
        code = scopes_from(request, &token.scopes, err);
    if (code == SOMA_OK)
        code = check_range(request->expires_after_ms, 0, LIFE_MS_MAX, "expires_after_ms", err);
    if (code != SOMA_OK)
        return code;
    snprintf(token.name, sizeof token.name, "%s", request->name);
    snprintf(token.space, sizeof token.space, "%s", space);
    token_hash(request->secret, token.hash);
    if (request->expires_after_ms > 0)
        token.expires.ms = token.created.ms + request->expires_after_ms;
    *ret_token = token;
    return SOMA_OK;
}

static enum soma_code apply_create(struct mutation *mutation, struct store_txn *txn,
                                   const ProtobufCMessage **ret_reply, struct soma_error *err)
{
    const struct access_token *token = mutation->value;
    struct arena *arena = rpc_call_arena(mutation->call);
    Pb__CreateTokenResponse *response = arena_alloc(arena, sizeof *response);
    Pb__Token *message = arena_alloc(arena, sizeof *message);
    if (!response || !message || !put_token(arena, token, message))
        return error_set_no_memory(err);
    pb__create_token_response__init(response);
    response->token = message;
    *ret_reply = &response->base;
    return token_store_insert(txn, token, err);
}

static void create_committed(struct mutation *mutation)
{
    const struct server_service *service = mutation->service;
    const struct access_token *token = mutation->value;
    tokens_put(service->facts->tokens, token);
    log_info("TOKEN-CREATED", "%s of namespace %s", token->name, namespace_word(token->space));
}

SERVER_HANDLER(create_token, CreateToken)
{
    (void)closure;
    struct server_service *service = (struct server_service *)base;
    struct access_token *token = arena_calloc(rpc_call_arena(call), 1, sizeof *token);
    struct soma_error err = {0};
    if (!token)
        server_no_memory(call);
    else if (token_from(request, rpc_call_space(call), token, &err) != SOMA_OK)
        rpc_call_fail(call, &err);
    else
        mutation_submit(service->facts->writer, call, apply_create, create_committed, service,
                        token);
}

// --- ListTokens

SERVER_HANDLER(list_tokens, ListTokens)
{
    (void)request;
    const struct server_service *service = (const struct server_service *)base;
    struct arena *arena = rpc_call_arena(call);
    struct access_token *list = arena_alloc(arena, LIMIT_TOKENS * sizeof *list);
    Pb__ListTokensResponse response = PB__LIST_TOKENS_RESPONSE__INIT;
    const char *space = rpc_call_is_owner(call) ? NULL : rpc_call_space(call);
    size_t count = list ? tokens_list(service->facts->tokens, space, list) : 0;
    response.tokens = server_new_messages(arena, count, sizeof(Pb__Token));
    for (; list && response.tokens && response.n_tokens < count; response.n_tokens++) {
        if (!put_token(arena, &list[response.n_tokens], response.tokens[response.n_tokens]))
            break;
    }
    if (list && response.tokens && response.n_tokens == count)
        closure(&response, call);
    else
        server_no_memory(call);
}

// --- RevokeToken

static enum soma_code apply_revoke(struct mutation *mutation, struct store_txn *txn,
                                   const ProtobufCMessage **ret_reply, struct soma_error *err)
{
    Pb__RevokeTokenResponse *response =
        arena_alloc(rpc_call_arena(mutation->call), sizeof *response);
    if (!response)
        return error_set_no_memory(err);
    pb__revoke_token_response__init(response);
    response->name = mutation->value;
    *ret_reply = &response->base;
    return token_store_remove(txn, rpc_call_space(mutation->call), mutation->value, err);
}

static void revoke_committed(struct mutation *mutation)
{
    const struct server_service *service = mutation->service;
    const char *space = rpc_call_space(mutation->call), *name = mutation->value;
    tokens_remove(service->facts->tokens, space, name);
    log_info("TOKEN-REVOKED", "%s of namespace %s", name, namespace_word(space));
}

SERVER_HANDLER(revoke_token, RevokeToken)
{
    (void)closure;
    struct server_service *service = (struct server_service *)base;
    struct soma_error err = {0};
    if (name_from(request->name, &err) != SOMA_OK)
        rpc_call_fail(call, &err);
    else
        mutation_submit(service->facts->writer, call, apply_revoke, revoke_committed, service,
                        (void *)(uintptr_t)request->name);
}
