// A store on a scratch directory, for the tests of everything above SQLite. One at a time.
#ifndef TESTS_UNIT_STORE_SCRATCH_H
#define TESTS_UNIT_STORE_SCRATCH_H

#include "store/store.h"
#include "store/writer.h"

struct scratch {
    char directory[64]; // made by scratch_open, removed by scratch_close
    struct store *store;
    struct writer *writer;
};

// Fail the test where they fail.
void scratch_open(struct scratch *scratch);
void scratch_reopen(struct scratch *scratch);
void scratch_close(struct scratch *scratch);

// Applies fn in a write transaction of its own and returns what came of it.
typedef enum soma_code scratch_fn(void *context, struct store_txn *txn, struct soma_error *err);
enum soma_code scratch_write(struct scratch *scratch, scratch_fn *fn, void *context,
                             struct soma_error *err);

#endif
