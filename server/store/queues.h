// Queues in the database: their settings, and the counts of their jobs.
#ifndef STORE_QUEUES_H
#define STORE_QUEUES_H

#include "base/arena.h"
#include "jobs/queue.h"
#include "store/store.h"

struct queue_list {
    struct queue *rows;
    size_t count;
    bool more; // something follows
};

// Queues of the range by name, at most max. Not in a write transaction, whose changes it may not
// see.
enum soma_code queue_store_list(struct store_txn *txn, const struct name_range *range, size_t max,
                                struct arena *arena, struct queue_list *ret_list,
                                struct soma_error *err);

// QUEUE_NOT_FOUND with field "queue" where it has neither jobs nor settings. Name and texts are the
// caller's. In any transaction.
enum soma_code queue_store_get(struct store_txn *txn, const char *name, struct queue *ret_queue,
                               struct soma_error *err);

// The same, but a queue that is not there is one with nothing in it and the default settings.
enum soma_code queue_store_peek(struct store_txn *txn, const char *name, struct queue *ret_queue,
                                struct soma_error *err);

// QUEUE_LIMIT where the queue is new and there are too many. Needs a write transaction.
enum soma_code queue_store_set(struct store_txn *txn, const char *name,
                               const struct queue_settings *settings, struct soma_error *err);

// QUEUE_FULL or NAMESPACE_FULL unless one more job of the queue may be queued. Needs a write
// transaction.
enum soma_code queue_store_check_room(struct store_txn *txn, const char *queue,
                                      const struct job_room *room, struct soma_error *err);

#endif
