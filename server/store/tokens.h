// Tokens in the database. access/tokens.h has them all in memory.
#ifndef STORE_TOKENS_H
#define STORE_TOKENS_H

#include "access/tokens.h"
#include "store/store.h"

// All of them, at most LIMIT_TOKENS, to ret_list.
enum soma_code token_store_list(struct store_txn *txn, struct access_token *ret_list,
                                size_t *ret_count, struct soma_error *err);

// TOKEN_EXISTS, TOKEN_LIMIT.
enum soma_code token_store_insert(struct store_txn *txn, const struct access_token *token,
                                  struct soma_error *err);
// TOKEN_NOT_FOUND.
enum soma_code token_store_remove(struct store_txn *txn, const char *space, const char *name,
                                  struct soma_error *err);
// Writes last_used of one that may have gone.
enum soma_code token_store_touch(struct store_txn *txn, const struct access_token *token,
                                 struct soma_error *err);

#endif
