// Outcomes of mutating requests: a request delivered twice is answered twice and acts once.
#ifndef STORE_REQUESTS_H
#define STORE_REQUESTS_H

#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/clock.h"
#include "store/store.h"

enum {
    REQUEST_STORE_ID_BYTES = 16,
    REQUEST_STORE_FINGERPRINT_BYTES = 16
};

#define REQUEST_KEEP_MS INT64_C(86400000) // a day

// *ret_reply is the stored reply, in the arena, or NULL where the id was not seen before.
// REQUEST_ID_REUSED where it was, with another fingerprint.
enum soma_code request_store_find(struct store_txn *txn, const uint8_t *id,
                                  const uint8_t *fingerprint, struct arena *arena,
                                  const void **ret_reply, size_t *ret_length,
                                  struct soma_error *err);

enum soma_code request_store_insert(struct store_txn *txn, const uint8_t *id,
                                    const uint8_t *fingerprint, const void *reply, size_t length,
                                    struct wall_time now, struct soma_error *err);

// Forgets at most max rows that are older than REQUEST_KEEP_MS; *ret_count says how many.
enum soma_code request_store_forget(struct store_txn *txn, struct wall_time now, size_t max,
                                    size_t *ret_count, struct soma_error *err);

#endif
