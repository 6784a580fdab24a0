#include "vectors/spread.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

// Lives until the last helper has looked at it, which may be after the work is done.
struct shared {
    atomic_uint refs;
    const struct spread *spread;
    size_t count;
    atomic_size_t next; // part that nobody has begun
    void (*work)(void *context, size_t part);
    void *context; // stands until all parts are done
    pthread_mutex_t lock;
    pthread_cond_t changed;
    size_t done; // guarded by lock
};

static void release(struct shared *shared)
{
    if (atomic_fetch_sub(&shared->refs, 1) > 1)
        return;
    pthread_cond_destroy(&shared->changed);
    pthread_mutex_destroy(&shared->lock);
    free(shared);
}

// False: all parts were begun.
static bool do_part(struct shared *shared)
{
    size_t part = atomic_fetch_add(&shared->next, 1);
    if (part >= shared->count)
        return false;
    shared->work(shared->context, part);
    pthread_mutex_lock(&shared->lock);
    if (++shared->done == shared->count)
        pthread_cond_signal(&shared->changed);
    pthread_mutex_unlock(&shared->lock);
    return true;
}

static void help(void *argument)
{
    struct shared *shared = argument;
    while (do_part(shared) && shared->spread->is_quiet(shared->spread->context))
        ;
    release(shared);
}

static struct shared *shared_new(const struct spread *spread, size_t count,
                                 void (*work)(void *context, size_t part), void *context)
{
    struct shared *shared = calloc(1, sizeof *shared);
    if (!shared)
        return NULL;
    shared->spread = spread;
    shared->count = count;
    shared->work = work;
    shared->context = context;
    atomic_init(&shared->refs, 1);
    pthread_mutex_init(&shared->lock, NULL);
    pthread_cond_init(&shared->changed, NULL);
    return shared;
}

void spread_run(const struct spread *spread, size_t count, void (*work)(void *context, size_t part),
                void *context)
{
    struct shared *shared =
        spread && spread->helpers && count > 1 ? shared_new(spread, count, work, context) : NULL;
    if (!shared) {
        for (size_t part = 0; part < count; part++)
            work(context, part);
        return;
    }
    for (unsigned i = 0; i < spread->helpers && i + 1 < count; i++) {
        atomic_fetch_add(&shared->refs, 1);
        if (!spread->try_run(spread->context, help, shared)) {
            atomic_fetch_sub(&shared->refs, 1);
            break;
        }
    }
    while (do_part(shared))
        ;
    pthread_mutex_lock(&shared->lock);
    while (shared->done < count)
        pthread_cond_wait(&shared->changed, &shared->lock);
    pthread_mutex_unlock(&shared->lock);
    release(shared);
}
