#include "access/tokens.h"

#include <nettle/memops.h>
#include <nettle/sha2.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum {
    USED_STEP_MS = 60000
};

struct tokens {
    pthread_mutex_t lock;
    size_t count;
    struct access_token list[LIMIT_TOKENS]; // by namespace and name
};

enum soma_code tokens_new(const struct access_token *list, size_t count, struct tokens **ret_tokens,
                          struct soma_error *err)
{
    struct tokens *tokens = calloc(1, sizeof *tokens);
    if (!tokens)
        return error_set_no_memory(err);
    pthread_mutex_init(&tokens->lock, NULL);
    for (size_t i = 0; i < count; i++)
        tokens_put(tokens, &list[i]);
    *ret_tokens = tokens;
    return SOMA_OK;
}

void tokens_free(struct tokens *tokens)
{
    if (!tokens)
        return;
    pthread_mutex_destroy(&tokens->lock);
    free(tokens);
}

void token_hash(const char *secret, uint8_t ret_hash[TOKEN_HASH_BYTES])
{
    struct sha256_ctx context;
    sha256_init(&context);
    sha256_update(&context, strlen(secret), (const uint8_t *)secret);
    sha256_digest(&context, TOKEN_HASH_BYTES, ret_hash);
}

static int compare(const struct access_token *token, const char *space, const char *name)
{
    int spaces = strcmp(token->space, space);
    return spaces ? spaces : strcmp(token->name, name);
}

// The place of the first one that does not come before this one.
static size_t place_of(const struct tokens *tokens, const char *space, const char *name)
{
    size_t at = 0;
    while (at < tokens->count && compare(&tokens->list[at], space, name) < 0)
        at++;
    return at;
}

static bool stands_at(const struct tokens *tokens, size_t at, const char *space, const char *name)
{
    return at < tokens->count && compare(&tokens->list[at], space, name) == 0;
}

void tokens_put(struct tokens *tokens, const struct access_token *token)
{
    pthread_mutex_lock(&tokens->lock);
    size_t at = place_of(tokens, token->space, token->name);
    bool is_new = !stands_at(tokens, at, token->space, token->name);
    // The store holds as many and no more.
    if (!is_new || tokens->count < LIMIT_TOKENS) {
        struct access_token *place = &tokens->list[at];
        if (is_new)
            memmove(place + 1, place, (tokens->count++ - at) * sizeof *place);
        *place = *token;
    }
    pthread_mutex_unlock(&tokens->lock);
}

void tokens_remove(struct tokens *tokens, const char *space, const char *name)
{
    pthread_mutex_lock(&tokens->lock);
    size_t at = place_of(tokens, space, name);
    if (stands_at(tokens, at, space, name)) {
        struct access_token *place = &tokens->list[at];
        memmove(place, place + 1, (--tokens->count - at) * sizeof *place);
    }
    pthread_mutex_unlock(&tokens->lock);
}

// Looks at every one, whichever it is.
static struct access_token *find(struct tokens *tokens, const uint8_t hash[TOKEN_HASH_BYTES])
{
    struct access_token *found = NULL;
    for (size_t i = 0; i < tokens->count; i++) {
        if (memeql_sec(tokens->list[i].hash, hash, TOKEN_HASH_BYTES))
            found = &tokens->list[i];
    }
    return found;
}

static enum soma_code use(struct access_token *token, struct access_token *ret_token,
                          bool *ret_is_news, struct soma_error *err)
{
    struct wall_time now = clock_wall_now();
    if (token->expires.ms > 0 && now.ms >= token->expires.ms)
        return error_set(err, REASON_TOKEN_EXPIRED, "token", "the token '%s' has expired",
                         token->name);
    now.ms -= now.ms % USED_STEP_MS;
    *ret_is_news = token->last_used.ms != now.ms;
    token->last_used = now;
    *ret_token = *token;
    return SOMA_OK;
}

enum soma_code tokens_find(struct tokens *tokens, const char *secret,
                           struct access_token *ret_token, bool *ret_is_news,
                           struct soma_error *err)
{
    uint8_t hash[TOKEN_HASH_BYTES];
    token_hash(secret, hash);
    pthread_mutex_lock(&tokens->lock);
    struct access_token *token = find(tokens, hash);
    enum soma_code code =
        token ? use(token, ret_token, ret_is_news, err)
              : error_set(err, REASON_TOKEN_INVALID, "token", "the server knows no such token");
    pthread_mutex_unlock(&tokens->lock);
    return code;
}

size_t tokens_list(struct tokens *tokens, const char *space, struct access_token *ret_list)
{
    pthread_mutex_lock(&tokens->lock);
    size_t count = 0;
    for (size_t i = 0; i < tokens->count; i++) {
        if (!space || strcmp(tokens->list[i].space, space) == 0)
            ret_list[count++] = tokens->list[i];
    }
    pthread_mutex_unlock(&tokens->lock);
    return count;
}
