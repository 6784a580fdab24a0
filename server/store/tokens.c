#include "store/tokens.h"

#include <stdio.h>
#include <string.h>

#include "store/sqlite.h"
#include "wire/limit_reached.h"

static const char SQL_LIST[] =
    "SELECT name, hash, scopes, created_unix_ms, expires_unix_ms, last_used_unix_ms, namespace "
    "FROM token";
static const char SQL_COUNT[] =
    "SELECT count(*), total(namespace = ?1 AND name = ?2), total(hash = ?3) FROM token";
static const char SQL_INSERT[] = "INSERT INTO token VALUES (?6, ?1, ?2, ?3, ?4, ?5, 0)";
static const char SQL_REMOVE[] = "DELETE FROM token WHERE namespace = ?1 AND name = ?2 RETURNING 1";
static const char SQL_TOUCH[] =
    "UPDATE token SET last_used_unix_ms = ?3 WHERE namespace = ?1 AND name = ?2";

static enum soma_code read_token(const struct query *query, struct access_token *ret_token,
                                 struct soma_error *err)
{
    size_t length;
    const void *hash = query_peek_blob(query, 1, &length);
    if (!hash || length != TOKEN_HASH_BYTES)
        return error_set(err, REASON_DATA_DAMAGED, NULL, "the hash of a token has %zu bytes",
                         length);
    struct access_token token = {
        .scopes = (uint32_t)query_int(query, 2),
        .created = {query_int(query, 3)},
        .expires = {query_int(query, 4)},
        .last_used = {query_int(query, 5)},
    };
    snprintf(token.name, sizeof token.name, "%s", query_peek_text(query, 0));
    snprintf(token.space, sizeof token.space, "%s", query_peek_text(query, 6));
    memcpy(token.hash, hash, sizeof token.hash);
    *ret_token = token;
    return SOMA_OK;
}

enum soma_code token_store_list(struct store_txn *txn, struct access_token *ret_list,
                                size_t *ret_count, struct soma_error *err)
{
    QUERY_CLEANUP struct query query;
    query_begin(&query, txn, SQL_LIST);
    size_t count = 0;
    bool found = true;
    while (count < LIMIT_TOKENS) {
        enum soma_code code = query_next(&query, &found, err);
        if (code == SOMA_OK && found)
            code = read_token(&query, &ret_list[count++], err);
        if (code != SOMA_OK)
            return code;
        if (!found)
            break;
    }
    *ret_count = count;
    return SOMA_OK;
}

static enum soma_code check_room(struct store_txn *txn, const struct access_token *token,
                                 struct soma_error *err)
{
    QUERY_CLEANUP struct query query;
    query_begin(&query, txn, SQL_COUNT);
    query_bind_text(&query, 1, token->space);
    query_bind_text(&query, 2, token->name);
    query_bind_blob(&query, 3, token->hash, sizeof token->hash);
    bool found;
    enum soma_code code = query_next(&query, &found, err);
    if (code != SOMA_OK)
        return code;
    if (query_int(&query, 1) > 0)
        return error_set(err, REASON_TOKEN_EXISTS, "name", "there is a token '%s' already",
                         token->name);
    // Whoever has the secret of another could use it anyway.
    if (query_int(&query, 2) > 0)
        return error_set(err, REASON_TOKEN_EXISTS, "secret", "there is a token of this secret");
    if (query_int(&query, 0) >= LIMIT_TOKENS)
        return limit_reached(err, REASON_TOKEN_LIMIT, NULL, "tokens", LIMIT_TOKENS);
    return SOMA_OK;
}

enum soma_code token_store_insert(struct store_txn *txn, const struct access_token *token,
                                  struct soma_error *err)
{
    enum soma_code code = check_room(txn, token, err);
    if (code != SOMA_OK)
        return code;
    QUERY_CLEANUP struct query query;
    query_begin(&query, txn, SQL_INSERT);
    query_bind_text(&query, 1, token->name);
    query_bind_blob(&query, 2, token->hash, sizeof token->hash);
    query_bind_int(&query, 3, token->scopes);
    query_bind_int(&query, 4, token->created.ms);
    query_bind_int(&query, 5, token->expires.ms);
    query_bind_text(&query, 6, token->space);
    return query_run(&query, err);
}

enum soma_code token_store_remove(struct store_txn *txn, const char *space, const char *name,
                                  struct soma_error *err)
{
    QUERY_CLEANUP struct query query;
    query_begin(&query, txn, SQL_REMOVE);
    query_bind_text(&query, 1, space);
    query_bind_text(&query, 2, name);
    bool found;
    enum soma_code code = query_next(&query, &found, err);
    if (code == SOMA_OK && !found)
        return error_set(err, REASON_TOKEN_NOT_FOUND, "name",
                         "there is no token '%s' in the namespace '%s'", name,
                         namespace_word(space));
    return code == SOMA_OK ? query_run(&query, err) : code;
}

enum soma_code token_store_touch(struct store_txn *txn, const struct access_token *token,
                                 struct soma_error *err)
{
    QUERY_CLEANUP struct query query;
    query_begin(&query, txn, SQL_TOUCH);
    query_bind_text(&query, 1, token->space);
    query_bind_text(&query, 2, token->name);
    query_bind_int(&query, 3, token->last_used.ms);
    return query_run(&query, err);
}
