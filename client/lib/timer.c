#include "lib/timer.h"

#include <stdlib.h>
#include <time.h>

#include "lib/call.h"

enum {
    NOT_IN_HEAP = 0,
    WAIT_MS_MAX = 60000 // clocks of two kinds are compared; not for longer than this
};

static void place(struct timer_heap *heap, size_t index, struct soma_call *call)
{
    heap->calls[index] = call;
    call->heap_place = index + 1;
}

static void rise(struct timer_heap *heap, size_t index, struct soma_call *call)
{
    while (index > 0) {
        size_t parent = (index - 1) / 2;
        if (heap->calls[parent]->due.ms <= call->due.ms)
            break;
        place(heap, index, heap->calls[parent]);
        index = parent;
    }
    place(heap, index, call);
}

static void sink(struct timer_heap *heap, size_t index, struct soma_call *call)
{
    for (;;) {
        size_t child = 2 * index + 1;
        if (child >= heap->count)
            break;
        if (child + 1 < heap->count && heap->calls[child + 1]->due.ms < heap->calls[child]->due.ms)
            child++;
        if (call->due.ms <= heap->calls[child]->due.ms)
            break;
        place(heap, index, heap->calls[child]);
        index = child;
    }
    place(heap, index, call);
}

bool timer_reserve(struct soma_client *client)
{
    struct timer_heap *heap = &client->heap;
    if (client->call_count < heap->capacity)
        return true;
    size_t capacity = heap->capacity ? heap->capacity * 2 : 64;
    struct soma_call **calls = reallocarray(heap->calls, capacity, sizeof(struct soma_call *));
    if (!calls)
        return false;
    heap->calls = calls;
    heap->capacity = capacity;
    return true;
}

void timer_add(struct soma_client *client, struct soma_call *call, struct mono_time due)
{
    call->due = due;
    rise(&client->heap, client->heap.count++, call);
    if (call->heap_place == 1)
        pthread_cond_signal(&client->timer_wake);
}

void timer_remove(struct soma_client *client, struct soma_call *call)
{
    struct timer_heap *heap = &client->heap;
    if (call->heap_place == NOT_IN_HEAP)
        return;
    size_t index = call->heap_place - 1;
    call->heap_place = NOT_IN_HEAP;
    struct soma_call *moved = heap->calls[--heap->count];
    if (moved == call)
        return;
    if (index > 0 && heap->calls[(index - 1) / 2]->due.ms > moved->due.ms)
        rise(heap, index, moved);
    else
        sink(heap, index, moved);
}

static void sleep_until(struct soma_client *client, struct mono_time due)
{
    int64_t left = clock_left_ms(due);
    if (left > WAIT_MS_MAX)
        left = WAIT_MS_MAX;
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    int64_t ns = until.tv_nsec + left % 1000 * 1000000;
    until.tv_sec += left / 1000 + ns / 1000000000;
    until.tv_nsec = ns % 1000000000;
    pthread_cond_timedwait(&client->timer_wake, &client->lock, &until);
}

static void *timer_main(void *arg)
{
    struct soma_client *client = arg;
    pthread_mutex_lock(&client->lock);
    while (!client->stopping) {
        struct soma_call *next = client->heap.count ? client->heap.calls[0] : NULL;
        if (!next) {
            pthread_cond_wait(&client->timer_wake, &client->lock);
        } else if (clock_left_ms(next->due) > 0) {
            sleep_until(client, next->due);
        } else {
            timer_remove(client, next);
            call_due(next);
        }
    }
    pthread_mutex_unlock(&client->lock);
    return NULL;
}

enum soma_code timer_start(struct soma_client *client, struct soma_error *err)
{
    int errnum = pthread_create(&client->timer, NULL, timer_main, client);
    if (errnum)
        return error_set_errno(err, errnum, "no thread");
    client->timer_runs = true;
    pthread_setname_np(client->timer, "soma-client");
    return SOMA_OK;
}

void timer_stop(struct soma_client *client)
{
    if (client->timer_runs) {
        pthread_mutex_lock(&client->lock);
        client->stopping = true;
        pthread_cond_signal(&client->timer_wake);
        pthread_mutex_unlock(&client->lock);
        pthread_join(client->timer, NULL);
    }
    free(client->heap.calls);
}
