// The one thread that writes: group commit.
//
// It takes all operations that wait (at most 256 at once), opens one transaction, applies each
// inside a savepoint of its own, commits once (fsync), then finishes them in order. So 64 waiting
// submits cost one fsync. An operation that fails is rolled back alone; a commit that fails fails
// all of its operations, and nothing was changed. An operation that refuses before it changes
// anything has nothing to roll back, and does without the savepoint.
#ifndef STORE_WRITER_H
#define STORE_WRITER_H

#include <stdbool.h>

#include "store/store.h"

struct writer;

// Embed it as the first member of what the operation needs. The submitter's memory, untouched by
// others until finish.
struct write_op {
    // On the writer thread, inside the transaction. Anything but SOMA_OK, with err filled, rolls
    // this operation back. Must have no effect outside of the transaction: the commit may still
    // fail.
    enum soma_code (*apply)(struct write_op *op, struct store_txn *txn, struct soma_error *err);
    // On the writer thread, after the commit (err is NULL: durable) or the failure. Owns the
    // operation from then on. Must not block.
    void (*finish)(struct write_op *op, const struct soma_error *err);
    // It removes more than it writes: where the disk is full, it is tried once more with the room
    // that is kept for this (store/ballast.h). apply may set it.
    bool makes_room;
    struct write_op *next; // the writer's
    // apply fails only before its first change, or with the database itself; then all operations of
    // the group fail, as they do when the commit fails. Saves a third of a small write: SQLite
    // keeps a copy of each page that is changed within a savepoint.
    bool refuses_first;
};

// queue_max bounds the operations that wait.
enum soma_code writer_start(struct store *store, size_t queue_max, struct writer **ret_writer,
                            struct soma_error *err);

// Applies what waits, refuses what comes, ends the thread. Takes NULL.
void writer_stop(struct writer *writer);
// When nobody submits any more. Takes NULL.
void writer_free(struct writer *writer);

// Never blocks, from any thread. When the queue is full or the writer stops, finish is called at
// once, on this thread, with SERVER_BUSY or SERVER_STOPPING.
void writer_submit(struct writer *writer, struct write_op *op);

// From within an apply: op is applied behind all operations of the group, in the same transaction,
// and finished behind them. What follows from a change need not wait for a commit of its own.
// False, and nothing is taken: the group is full, or what is applied is a second try.
bool writer_follow(struct writer *writer, struct write_op *op);

// Submits and waits for the end; for start-up and tests, never from an nng callback or the writer
// itself. The operation's finish may be NULL.
enum soma_code writer_run(struct writer *writer, struct write_op *op, struct soma_error *err);

// Since the start; any thread.
struct writer_counts {
    long long groups; // transactions, whatever came of them
    long long ops;
    long long failed_groups; // of groups: nothing of them was written
};
void writer_count(const struct writer *writer, struct writer_counts *ret_counts);

#endif
