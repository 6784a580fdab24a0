// Texts about what stood around jobs, each kept once.
#ifndef STORE_JOB_ISOLATION_H
#define STORE_JOB_ISOLATION_H

#include "base/arena.h"
#include "store/store.h"

// The text's id, made where it is new. Untouched for no text (NULL or "").
enum soma_code job_isolation_name(struct store_txn *txn, const char *text, int64_t *ret_id,
                                  struct soma_error *err);

// The text of an id, in the arena. Untouched for 0.
enum soma_code job_isolation_read(struct store_txn *txn, int64_t id, struct arena *arena,
                                  const char **ret_text, struct soma_error *err);

#endif
