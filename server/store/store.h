// The database: one SQLite file, one writing connection (the writer's), a few reading ones.
//
// All SQL of SOMA stands in this folder. What the domain sees are operations on its own terms, each
// in the header of its kind of row:
//     store/requests.h      outcomes of mutating requests
//     store/jobs.h          jobs, attempts, labels, the revision
//     store/queues.h        queues
//     store/collections.h   collections
//     store/aliases.h       other names of collections
//     store/copies.h        copies of collections
//     store/records.h       records and embeddings
//     store/texts.h         full text over documents
// Every operation takes a transaction. A read transaction is a snapshot; a write transaction exists
// only inside the writer (store/writer.h). An engine beside SQLite would implement these headers
// and pass the tests that are written against them.
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include <stdint.h>

#include "base/error.h"

struct store;

// A connection inside a transaction, with its prepared statements. Used by one thread at a time.
struct store_txn;

enum {
    STORE_SCHEMA_VERSION = 5
};

// Opens or creates soma.db in the directory and brings it to STORE_SCHEMA_VERSION: forward only,
// after a copy of the old file beside it (soma.db.v1.bak), SCHEMA_TOO_NEW naming both versions.
// WAL, synchronous=FULL. reader_count read connections, 1 to 64.
enum soma_code store_open(const char *directory, unsigned reader_count, struct store **ret_store,
                          struct soma_error *err);

// Checkpoints and closes; all transactions must have ended. Takes NULL.
void store_close(struct store *store);

// Takes a free read connection, waiting for one if all are in use, and begins a snapshot. Ended by
// store_read_end.
enum soma_code store_read_begin(struct store *store, struct store_txn **ret_txn,
                                struct soma_error *err);
void store_read_end(struct store_txn *txn);

// In a write transaction: what changes from now on was asked for by the request with these 16
// bytes, for the log. NULL: by nobody. Borrowed until it is set again.
void txn_set_request(struct store_txn *txn, const uint8_t *id);

// "sqlite 3.40.1".
const char *store_library(void);

#endif
