#include "store/writer.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/crash_point.h"
#include "measures/measures.h"
#include "store/ballast.h"
#include "store/connection.h"
#include "wire/limit_reached.h"

enum {
    BUSY_RETRY_MS = 50, // what a refused writer is told to wait
    GROUP_MAX = 256,
    FOLLOWERS_MAX = 4
};

// What was taken to be applied together.
struct group {
    struct write_op *ops[GROUP_MAX + FOLLOWERS_MAX];
    struct soma_error errors[GROUP_MAX + FOLLOWERS_MAX]; // code SOMA_OK: applied
    size_t count;                                        // grows while followers come
};

struct writer {
    struct store_txn *txn; // the writer thread's
    struct group *group;   // the writer thread's; owned
    struct group *one;     // for a single operation; the writer thread's; owned
    bool is_second_try;    // of one; the writer thread's
    struct store *store;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t arrived;
    struct write_op *first; // lock: a queue in order of arrival
    struct write_op **last; // lock: where the next one is linked
    size_t waiting;         // lock
    size_t queue_max;
    bool stopping; // lock
    bool runs;     // the thread; the starter's
    atomic_llong group_count;
    atomic_llong op_count;
    atomic_llong commit_failure_count;
};

static void group_take(struct writer *writer, struct group *group)
{
    group->count = 0;
    while (writer->first && group->count < GROUP_MAX) {
        group->ops[group->count++] = writer->first;
        writer->first = writer->first->next;
    }
    if (!writer->first)
        writer->last = &writer->first;
    writer->waiting -= group->count;
}

// Blocks until there is something to do; false when the writer stops and nothing is left.
static bool group_wait(struct writer *writer, struct group *group)
{
    pthread_mutex_lock(&writer->lock);
    while (!writer->first && !writer->stopping)
        pthread_cond_wait(&writer->arrived, &writer->lock);
    group_take(writer, group);
    pthread_mutex_unlock(&writer->lock);
    return group->count > 0;
}

static void group_fail(struct group *group, size_t count, const struct soma_error *err)
{
    for (size_t i = 0; i < count; i++) {
        if (group->errors[i].code == SOMA_OK)
            group->errors[i] = *err;
    }
}

// apply_one for an operation that refuses first.
static enum soma_code apply_bare(struct store_txn *txn, struct write_op *op,
                                 struct soma_error *ret_op_error, struct soma_error *err)
{
    txn_bare_begin(txn);
    struct soma_error op_error = {0};
    enum soma_code code = op->apply(op, txn, &op_error);
    if (code == SOMA_OK) {
        txn_bare_keep(txn);
        return SOMA_OK;
    }
    op_error.code = code;
    if (!txn_bare_undo(txn)) {
        *err = op_error;
        return code;
    }
    *ret_op_error = op_error;
    return SOMA_OK;
}

// SOMA_OK also where the operation failed and was undone alone; anything else is the end of the
// transaction.
static enum soma_code apply_one(struct store_txn *txn, struct write_op *op,
                                struct soma_error *ret_op_error, struct soma_error *err)
{
    if (op->refuses_first)
        return apply_bare(txn, op, ret_op_error, err);
    enum soma_code code = txn_part_begin(txn, err);
    if (code != SOMA_OK)
        return code;
    struct soma_error op_error = {0};
    code = op->apply(op, txn, &op_error);
    if (!txn_is_open(txn)) {
        *err = op_error;
        // SQLite gives up a transaction only with an error, which apply must not have swallowed.
        return code != SOMA_OK
                   ? code
                   : error_set(err, REASON_INTERNAL, NULL, "the transaction ended unexpectedly");
    }
    if (code == SOMA_OK)
        return txn_part_keep(txn, err);
    op_error.code = code;
    *ret_op_error = op_error;
    return txn_part_undo(txn, err);
}

static enum soma_code apply_all(struct store_txn *txn, struct group *group, struct soma_error *err)
{
    enum soma_code code = txn_begin(txn, CONNECTION_WRITER, err);
    size_t applied = 0;
    for (size_t i = 0; i < group->count && code == SOMA_OK; i++) {
        code = apply_one(txn, group->ops[i], &group->errors[i], err);
        applied += group->errors[i].code == SOMA_OK;
    }
    if (code != SOMA_OK || applied == 0) {
        txn_rollback(txn);
        return code;
    }
    crash_point(CRASH_WRITE_APPLIED);
    return txn_commit(txn, err);
}

// All of a group, or one of them.
static void write_all(struct writer *writer, struct group *group)
{
    for (size_t i = 0; i < group->count; i++)
        group->errors[i].code = SOMA_OK;
    struct soma_error err = {0};
    enum soma_code code = apply_all(writer->txn, group, &err);
    if (code != SOMA_OK) {
        err.code = code;
        group_fail(group, group->count, &err);
        atomic_fetch_add(&writer->commit_failure_count, 1);
    }
}

static bool wants_room(const struct group *group, size_t i)
{
    return group->ops[i]->makes_room && group->errors[i].code != SOMA_OK &&
           strcmp(group->errors[i].reason, "DISK_FULL") == 0;
}

// Removals that a full disk refused, once more, one after the other.
static void write_again(struct writer *writer, struct group *group)
{
    bool has_room = false;
    for (size_t i = 0; i < group->count; i++) {
        if (!wants_room(group, i))
            continue;
        has_room = has_room || ballast_drop(store_ballast(writer->store));
        if (!has_room)
            return;
        struct group *one = writer->one;
        one->count = 1;
        one->ops[0] = group->ops[i];
        writer->is_second_try = true;
        write_all(writer, one);
        writer->is_second_try = false;
        group->errors[i] = one->errors[0];
    }
}

static void group_write(struct writer *writer, struct group *group)
{
    int64_t begun_us = clock_mono_us();
    write_all(writer, group);
    write_again(writer, group);
    crash_point(CRASH_WRITE_COMMITTED);
    measure_observe(MEASURE_COMMIT_TIMES, clock_mono_us() - begun_us);
    measure_observe(MEASURE_COMMIT_SIZE, (int64_t)group->count);
    atomic_fetch_add(&writer->group_count, 1);
    atomic_fetch_add(&writer->op_count, (long long)group->count);
    for (size_t i = 0; i < group->count; i++) {
        struct soma_error *error = &group->errors[i];
        group->ops[i]->finish(group->ops[i], error->code == SOMA_OK ? NULL : error);
    }
}

static bool is_idle(struct writer *writer)
{
    pthread_mutex_lock(&writer->lock);
    bool idle = !writer->first;
    pthread_mutex_unlock(&writer->lock);
    return idle;
}

static void *writer_main(void *argument)
{
    struct writer *writer = argument;
    pthread_setname_np(pthread_self(), "writer");
    struct group *group = writer->group;
    while (group_wait(writer, group)) {
        group_write(writer, group);
        crash_point(CRASH_REPLIES_SENT);
        bool idle = is_idle(writer);
        txn_checkpoint(writer->txn, idle);
        if (idle)
            ballast_take(store_ballast(writer->store));
    }
    return NULL;
}

static struct writer *writer_new(struct store *store, size_t queue_max)
{
    struct writer *writer = calloc(1, sizeof *writer);
    struct group *group = calloc(1, sizeof *group), *one = calloc(1, sizeof *one);
    if (!writer || !group || !one) {
        free(one);
        free(group);
        free(writer);
        return NULL;
    }
    writer->group = group;
    writer->one = one;
    writer->store = store;
    writer->txn = store_writing(store);
    writer->last = &writer->first;
    writer->queue_max = queue_max;
    pthread_mutex_init(&writer->lock, NULL);
    pthread_cond_init(&writer->arrived, NULL);
    return writer;
}

enum soma_code writer_start(struct store *store, size_t queue_max, struct writer **ret_writer,
                            struct soma_error *err)
{
    struct writer *writer = writer_new(store, queue_max);
    if (!writer)
        return error_set_no_memory(err);
    // Signals are for main.
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int errnum = pthread_create(&writer->thread, NULL, writer_main, writer);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (errnum) {
        writer_free(writer);
        return error_set_errno(err, errnum, "cannot start the writer thread");
    }
    writer->runs = true;
    *ret_writer = writer;
    return SOMA_OK;
}

void writer_stop(struct writer *writer)
{
    if (!writer)
        return;
    pthread_mutex_lock(&writer->lock);
    writer->stopping = true;
    pthread_cond_signal(&writer->arrived);
    pthread_mutex_unlock(&writer->lock);
    if (writer->runs)
        pthread_join(writer->thread, NULL);
    writer->runs = false;
}

void writer_free(struct writer *writer)
{
    if (!writer)
        return;
    writer_stop(writer);
    pthread_cond_destroy(&writer->arrived);
    pthread_mutex_destroy(&writer->lock);
    free(writer->group);
    free(writer->one);
    free(writer);
}

void writer_submit(struct writer *writer, struct write_op *op)
{
    op->next = NULL;
    pthread_mutex_lock(&writer->lock);
    bool stopping = writer->stopping;
    bool refused = stopping || writer->waiting >= writer->queue_max;
    if (!refused) {
        *writer->last = op;
        writer->last = &op->next;
        writer->waiting++;
        pthread_cond_signal(&writer->arrived);
    }
    pthread_mutex_unlock(&writer->lock);
    if (!refused)
        return;
    struct soma_error err = {0};
    if (stopping)
        error_set(&err, REASON_SERVER_STOPPING, NULL, "the server is shutting down");
    else
        limit_reached(&err, REASON_SERVER_BUSY, NULL, "waiting_requests",
                      (int64_t)writer->queue_max);
    err.retry_after_ms = stopping ? 0 : BUSY_RETRY_MS;
    op->finish(op, &err);
}

bool writer_follow(struct writer *writer, struct write_op *op)
{
    struct group *group = writer->group;
    if (writer->is_second_try || group->count == sizeof group->ops / sizeof group->ops[0])
        return false;
    group->errors[group->count].code = SOMA_OK;
    group->ops[group->count++] = op;
    return true;
}

void writer_count(const struct writer *writer, struct writer_counts *ret_counts)
{
    ret_counts->groups = atomic_load(&writer->group_count);
    ret_counts->ops = atomic_load(&writer->op_count);
    ret_counts->failed_groups = atomic_load(&writer->commit_failure_count);
}

// --- writer_run: an operation in front of the caller's, whose end is waited for.
struct waited_op {
    struct write_op op;
    struct write_op *inner;
    pthread_mutex_t lock;
    pthread_cond_t finished;
    bool is_finished;        // lock
    struct soma_error error; // lock; code SOMA_OK: durable
};

static enum soma_code waited_apply(struct write_op *op, struct store_txn *txn,
                                   struct soma_error *err)
{
    struct write_op *inner = ((struct waited_op *)op)->inner;
    return inner->apply(inner, txn, err);
}

static void waited_finish(struct write_op *op, const struct soma_error *err)
{
    struct waited_op *waited = (struct waited_op *)op;
    if (waited->inner->finish)
        waited->inner->finish(waited->inner, err);
    pthread_mutex_lock(&waited->lock);
    waited->is_finished = true;
    if (err)
        waited->error = *err;
    pthread_cond_signal(&waited->finished);
    pthread_mutex_unlock(&waited->lock);
}

enum soma_code writer_run(struct writer *writer, struct write_op *op, struct soma_error *err)
{
    struct waited_op waited = {
        .op = {.apply = waited_apply, .finish = waited_finish, .makes_room = op->makes_room},
        .inner = op,
        .lock = PTHREAD_MUTEX_INITIALIZER,
        .finished = PTHREAD_COND_INITIALIZER,
    };
    writer_submit(writer, &waited.op);
    pthread_mutex_lock(&waited.lock);
    while (!waited.is_finished)
        pthread_cond_wait(&waited.finished, &waited.lock);
    pthread_mutex_unlock(&waited.lock);
    enum soma_code code = waited.error.code;
    if (code != SOMA_OK && err)
        *err = waited.error;
    pthread_cond_destroy(&waited.finished);
    pthread_mutex_destroy(&waited.lock);
    return code;
}
