#include "rpc/workers.h"

#include <pthread.h>
#include <stdlib.h>

#include "wire/limit_reached.h"

struct task {
    void (*run)(void *argument); // NULL: the call's work
    void *argument;
    struct rpc_call *call;
    const ProtobufCMessage *request;
    work_fn *fn;
    void *service;
};

struct workers {
    pthread_mutex_t mutex;
    pthread_cond_t filled;
    struct task *ring; // owned, queue_max places; guarded by mutex, as all below
    size_t queue_max;
    size_t first;
    size_t count;
    unsigned idle_count; // threads that wait
    bool stopping;
    unsigned thread_count; // started ones; the starter's
    pthread_t threads[];
};

// room: how many may wait already.
static bool put(struct workers *workers, const struct task *task, size_t room)
{
    pthread_mutex_lock(&workers->mutex);
    bool fits = workers->count < room && !workers->stopping;
    if (fits) {
        workers->ring[(workers->first + workers->count) % workers->queue_max] = *task;
        workers->count++;
        pthread_cond_signal(&workers->filled);
    }
    pthread_mutex_unlock(&workers->mutex);
    return fits;
}

// False when the workers stop and nothing is left.
static bool take(struct workers *workers, struct task *ret_task)
{
    pthread_mutex_lock(&workers->mutex);
    workers->idle_count++;
    while (workers->count == 0 && !workers->stopping)
        pthread_cond_wait(&workers->filled, &workers->mutex);
    workers->idle_count--;
    bool taken = workers->count > 0;
    if (taken) {
        *ret_task = workers->ring[workers->first];
        workers->first = (workers->first + 1) % workers->queue_max;
        workers->count--;
    }
    pthread_mutex_unlock(&workers->mutex);
    return taken;
}

static void run(const struct task *task)
{
    if (task->run) {
        task->run(task->argument);
        return;
    }
    if (rpc_call_is_expired(task->call)) {
        struct soma_error err = {0};
        error_set(&err, REASON_DEADLINE_PAST, NULL,
                  "the deadline passed before the work was begun");
        rpc_call_fail(task->call, &err);
        return;
    }
    task->fn(task->call, task->request, task->service);
}

static void *work(void *argument)
{
    struct task task;
    while (take(argument, &task))
        run(&task);
    return NULL;
}

enum soma_code workers_start(unsigned thread_count, size_t queue_max, struct workers **ret_workers,
                             struct soma_error *err)
{
    struct workers *workers = calloc(1, sizeof *workers + thread_count * sizeof(pthread_t));
    if (!workers)
        return error_set_no_memory(err);
    pthread_mutex_init(&workers->mutex, NULL);
    pthread_cond_init(&workers->filled, NULL);
    workers->queue_max = queue_max;
    workers->ring = calloc(queue_max, sizeof *workers->ring);
    if (!workers->ring) {
        workers_free(workers);
        return error_set_no_memory(err);
    }
    while (workers->thread_count < thread_count) {
        int errnum = pthread_create(&workers->threads[workers->thread_count], NULL, work, workers);
        if (errnum) {
            workers_free(workers);
            return error_set_errno(err, errnum, "cannot start a worker thread");
        }
        workers->thread_count++;
    }
    *ret_workers = workers;
    return SOMA_OK;
}

void workers_stop(struct workers *workers)
{
    if (!workers)
        return;
    pthread_mutex_lock(&workers->mutex);
    workers->stopping = true;
    pthread_cond_broadcast(&workers->filled);
    pthread_mutex_unlock(&workers->mutex);
    for (unsigned i = 0; i < workers->thread_count; i++)
        pthread_join(workers->threads[i], NULL);
    workers->thread_count = 0;
}

void workers_free(struct workers *workers)
{
    if (!workers)
        return;
    workers_stop(workers);
    pthread_cond_destroy(&workers->filled);
    pthread_mutex_destroy(&workers->mutex);
    free(workers->ring);
    free(workers);
}

void workers_run(struct workers *workers, struct rpc_call *call, const ProtobufCMessage *request,
                 work_fn *fn, void *service)
{
    const struct task task = {.call = call, .request = request, .fn = fn, .service = service};
    if (put(workers, &task, workers->queue_max))
        return;
    struct soma_error err = {0};
    limit_reached(&err, REASON_SERVER_BUSY, NULL, "waiting_requests", (int64_t)workers->queue_max);
    err.retry_after_ms = 50;
    rpc_call_fail(call, &err);
}

bool workers_try(struct workers *workers, void (*run_fn)(void *argument), void *argument)
{
    const struct task task = {.run = run_fn, .argument = argument};
    return put(workers, &task, workers->queue_max);
}

bool workers_try_idle(struct workers *workers, void (*run_fn)(void *argument), void *argument)
{
    const struct task task = {.run = run_fn, .argument = argument};
    pthread_mutex_lock(&workers->mutex);
    unsigned idle_count = workers->idle_count;
    pthread_mutex_unlock(&workers->mutex);
    return put(workers, &task, idle_count);
}

bool workers_are_quiet(struct workers *workers)
{
    pthread_mutex_lock(&workers->mutex);
    bool are_quiet = workers->count == 0;
    pthread_mutex_unlock(&workers->mutex);
    return are_quiet;
}
