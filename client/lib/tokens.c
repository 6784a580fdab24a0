// ServerService: tokens, requests and results.
#include <soma/v1/server.pb-c.h>
#include <string.h>

#include "base/id.h"
#include "base/text.h"
#include "lib/packing.h"
#include "lib/reading.h"

enum {
    SECRET_RANDOM_BYTES = 32
};

static const char secret_start[] = "soma_";

_Static_assert(sizeof secret_start + 2 * SECRET_RANDOM_BYTES <= SOMA_SECRET_SIZE, "a secret");

void soma_secret_make(char ret_secret[SOMA_SECRET_SIZE])
{
    uint8_t bytes[SECRET_RANDOM_BYTES];
    random_bytes(bytes, sizeof bytes);
    memcpy(ret_secret, secret_start, sizeof secret_start);
    text_from_bytes(ret_secret + strlen(secret_start), bytes, sizeof bytes);
}

void token_create_pack(const struct soma_token_create_request *request, struct packing *packing)
{
    Pb__CreateTokenRequest *message = packing->message;
    message->name = pack_text(packing, "name", request->name);
    message->secret = pack_text(packing, "secret", request->secret);
    if (pack_has(packing, "scopes", request->scopes, request->scope_count))
        message->scopes = pack_array(packing, request->scope_count, sizeof *message->scopes);
    message->n_scopes = message->scopes ? request->scope_count : 0;
    for (size_t i = 0; i < message->n_scopes; i++)
        message->scopes[i] = (Pb__Scope)request->scopes[i];
    message->expires_after_ms = request->expires_after_ms;
}

void token_list_pack(const struct soma_empty_request *request, struct packing *packing)
{
    (void)request;
    (void)packing;
}

void token_revoke_pack(const struct soma_token_request *request, struct packing *packing)
{
    Pb__RevokeTokenRequest *message = packing->message;
    message->name = pack_text(packing, "name", request->name);
}

// --- results

static void read_token(struct reading *reading, const Pb__Token *message, struct soma_token *token)
{
    if (!message) {
        read_invalid(reading, "lacks the token");
        return;
    }
    enum soma_scope *scopes = read_array(reading, message->n_scopes, sizeof *scopes);
    for (size_t i = 0; scopes && i < message->n_scopes; i++)
        scopes[i] = (enum soma_scope)message->scopes[i];
    *token = (struct soma_token){
        .name = message->name,
        .scopes = scopes,
        .scope_count = message->n_scopes,
        .created_ms = message->created_unix_ms,
        .expires_ms = message->expires_unix_ms,
        .last_used_ms = message->last_used_unix_ms,
        .namespace_name = message->namespace_,
    };
}

void token_create_read(struct reading *reading, struct soma_token *result)
{
    const Pb__CreateTokenResponse *message = reading->replies->message;
    read_token(reading, message->token, result);
}

void token_list_read(struct reading *reading, struct soma_token_list *result)
{
    const Pb__ListTokensResponse *message = reading->replies->message;
    struct soma_token *tokens = read_array(reading, message->n_tokens, sizeof *tokens);
    for (size_t i = 0; tokens && i < message->n_tokens; i++)
        read_token(reading, message->tokens[i], &tokens[i]);
    result->tokens = tokens;
    result->token_count = message->n_tokens;
}

void token_revoke_read(struct reading *reading, struct soma_token *result)
{
    const Pb__RevokeTokenResponse *message = reading->replies->message;
    result->name = message->name;
}
