// What a server writes, one kind of change each, on a store in the test's own process: the same
// change every time, so that two databases with the same history hold the same.
#ifndef TESTS_STORAGE_ACTS_H
#define TESTS_STORAGE_ACTS_H

#include "store/store.h"
#include "store/writer.h"
#include "vectors/collection.h"

enum {
    ACT_NOW_MS = 1000000, // what the clock says
    ACT_ARENA_BYTES = 16 << 20
};

// A store that is open, and the memory beside it.
struct house {
    struct store *store;
    struct writer *writer;
    struct vectors *vectors;
};

// What a change means for memory, once it is committed.
struct act_news {
    struct row_changes changes;
    bool has_changed;
    bool is_dropped; // the collection changes.uid
};

typedef enum soma_code act_fn(const struct house *house, struct store_txn *txn, struct arena *arena,
                              struct act_news *ret_news, struct soma_error *err);

struct act {
    const char *name; // NULL: the end
    act_fn *apply;
};

// What stands before any of the acts, in this order; then the acts, each possible after all of
// these.
extern const struct act storage_foundations[];
extern const struct act storage_acts[];

// In a write transaction of its own; publishes what was committed.
enum soma_code act_run(const struct house *house, const struct act *act, struct soma_error *err);

#endif
