#include "rpc/parking.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "wire/limits.h"

enum {
    BUCKET_COUNT = 1024, // of groups; a power of two
    // A poll is answered this long before its caller gives up.
    ANSWER_MARGIN_MS = 50,
    // When the workers' queue is full, a call that should run looks again after this.
    BUSY_RETRY_MS = 20,
};

// Calls with the same key: those of a topic, or of a peer. Lives while it has members.
struct group {
    struct group *next; // in its bucket
    int64_t key;
    size_t count;
    struct parked *first;
};

enum membership {
    BY_TOPIC,
    BY_PEER,
    MEMBERSHIP_COUNT
};

// One call that waits or is being looked at. Owned by the parking until parking_end; guarded by its
// mutex.
struct parked {
    struct parking *parking;
    struct rpc_call *call;
    parked_fn *fn;
    const ProtobufCMessage *request;
    void *service;
    struct mono_time deadline;
    // WAITING: in the heap. HANDED: on its way to a worker, or looked at by its owner.
    enum {
        HANDED,
        WAITING
    } state;
    bool published; // something came while it was HANDED
    bool last;      // its time is over
    bool dropped;   // its peer is gone
    size_t heap_place;
    struct group *group[MEMBERSHIP_COUNT];
    struct parked *next[MEMBERSHIP_COUNT];
    struct parked **link[MEMBERSHIP_COUNT]; // what points here
};

struct parking {
    struct workers *workers; // borrowed
    pthread_mutex_t mutex;
    pthread_cond_t changed; // the heap's first, or stopping; CLOCK_MONOTONIC
    pthread_t timer;
    bool stopping;
    size_t count; // members of all groups, so registered calls
    struct group *buckets[MEMBERSHIP_COUNT][BUCKET_COUNT];
    struct parked **heap; // owned; earliest deadline first
    size_t heap_count;
    size_t heap_size;
};

// --- the heap of deadlines

static void heap_set(struct parking *parking, size_t place, struct parked *parked)
{
    parking->heap[place] = parked;
    parked->heap_place = place;
}

static void heap_rise(struct parking *parking, size_t place, struct parked *parked)
{
    while (place > 0) {
        size_t parent = (place - 1) / 2;
        if (parking->heap[parent]->deadline.ms <= parked->deadline.ms)
            break;
        heap_set(parking, place, parking->heap[parent]);
        place = parent;
    }
    heap_set(parking, place, parked);
}

static void heap_sink(struct parking *parking, size_t place, struct parked *parked)
{
    for (;;) {
        size_t child = 2 * place + 1;
        if (child >= parking->heap_count)
            break;
        if (child + 1 < parking->heap_count &&
            parking->heap[child + 1]->deadline.ms < parking->heap[child]->deadline.ms)
            child++;
        if (parked->deadline.ms <= parking->heap[child]->deadline.ms)
            break;
        heap_set(parking, place, parking->heap[child]);
        place = child;
    }
    heap_set(parking, place, parked);
}

static void heap_add(struct parking *parking, struct parked *parked)
{
    heap_rise(parking, parking->heap_count++, parked);
    if (parked->heap_place == 0)
        pthread_cond_signal(&parking->changed);
}

static void heap_remove(struct parking *parking, struct parked *parked)
{
    struct parked *moved = parking->heap[--parking->heap_count];
    if (moved == parked)
        return;
    heap_rise(parking, parked->heap_place, moved);
    heap_sink(parking, moved->heap_place, moved);
}

// Room for one more, made when a call registers so that waiting cannot fail.
static bool heap_reserve(struct parking *parking)
{
    if (parking->count < parking->heap_size)
        return true;
    size_t size = parking->heap_size ? parking->heap_size * 2 : 64;
    struct parked **heap = realloc(parking->heap, size * sizeof *heap);
    if (!heap)
        return false;
    parking->heap = heap;
    parking->heap_size = size;
    return true;
}

// --- groups

static struct group **bucket_of(struct parking *parking, enum membership by, int64_t key)
{
    uint64_t mixed = (uint64_t)key * 0x9e3779b97f4a7c15u;
    return &parking->buckets[by][mixed >> 54 & (BUCKET_COUNT - 1)];
}

static struct group *group_find(struct parking *parking, enum membership by, int64_t key)
{
    struct group *group = *bucket_of(parking, by, key);
    while (group && group->key != key)
        group = group->next;
    return group;
}

static bool group_join(struct parking *parking, enum membership by, int64_t key,
                       struct parked *parked)
{
    struct group *group = group_find(parking, by, key);
    if (!group) {
        group = calloc(1, sizeof *group);
        if (!group)
            return false;
        struct group **bucket = bucket_of(parking, by, key);
        group->key = key;
        group->next = *bucket;
        *bucket = group;
    }
    group->count++;
    parked->group[by] = group;
    parked->next[by] = group->first;
    parked->link[by] = &group->first;
    if (group->first)
        group->first->link[by] = &parked->next[by];
    group->first = parked;
    return true;
}

static void group_leave(struct parking *parking, enum membership by, struct parked *parked)
{
    struct group *group = parked->group[by];
    if (!group)
        return;
    *parked->link[by] = parked->next[by];
    if (parked->next[by])
        parked->next[by]->link[by] = parked->link[by];
    if (--group->count > 0)
        return;
    struct group **at = bucket_of(parking, by, group->key);
    while (*at != group)
        at = &(*at)->next;
    *at = group->next;
    free(group);
}

static bool peer_is_full(struct parking *parking, uint32_t peer)
{
    struct group *group = group_find(parking, BY_PEER, peer);
    return group && group->count >= (size_t)LIMIT_PARKED_PER_PEER;
}

// --- running

static void look_again(void *argument)
{
    struct parked *parked = argument;
    struct rpc_call *call = parked->call;
    struct soma_error err = {0};
    if (rpc_call_is_admitted(call, &err)) {
        parked->fn(call, parked->request, parked->service, parked->last);
        return;
    }
    parking_end(parked->parking, call);
    rpc_call_fail(call, &err);
}

// Gives a WAITING or HANDED call to a worker; called with the mutex held. When no worker takes it,
// it waits a moment more.
static void hand_over(struct parking *parking, struct parked *parked, bool last)
{
    if (parked->state == WAITING)
        heap_remove(parking, parked);
    parked->state = HANDED;
    parked->published = false;
    parked->last = last;
    if (workers_try(parking->workers, look_again, parked))
        return;
    parked->state = WAITING;
    parked->published = true;
    struct mono_time soon = clock_deadline_after(BUSY_RETRY_MS);
    if (soon.ms < parked->deadline.ms || last)
        parked->deadline = soon;
    heap_add(parking, parked);
}

static void sleep_until(struct parking *parking, struct mono_time deadline)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    int64_t left_ms = clock_left_ms(deadline);
    until.tv_sec += left_ms / 1000;
    until.tv_nsec += left_ms % 1000 * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    pthread_cond_timedwait(&parking->changed, &parking->mutex, &until);
}

static void *keep_time(void *argument)
{
    struct parking *parking = argument;
    pthread_mutex_lock(&parking->mutex);
    while (!parking->stopping) {
        if (parking->heap_count == 0) {
            pthread_cond_wait(&parking->changed, &parking->mutex);
        } else if (clock_left_ms(parking->heap[0]->deadline) > 0) {
            sleep_until(parking, parking->heap[0]->deadline);
        } else {
            struct parked *first = parking->heap[0];
            hand_over(parking, first, first->last || !first->published);
        }
    }
    pthread_mutex_unlock(&parking->mutex);
    return NULL;
}

// --- the interface

static void init_sync(struct parking *parking)
{
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_mutex_init(&parking->mutex, NULL);
    pthread_cond_init(&parking->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
}

static void free_parking(struct parking *parking)
{
    pthread_cond_destroy(&parking->changed);
    pthread_mutex_destroy(&parking->mutex);
    free(parking->heap);
    free(parking);
}

enum soma_code parking_start(struct workers *workers, struct parking **ret_parking,
                             struct soma_error *err)
{
    struct parking *parking = calloc(1, sizeof *parking);
    if (!parking)
        return error_set_no_memory(err);
    parking->workers = workers;
    init_sync(parking);
    int errnum = pthread_create(&parking->timer, NULL, keep_time, parking);
    if (errnum) {
        free_parking(parking);
        return error_set_errno(err, errnum, "cannot start the parking's thread");
    }
    *ret_parking = parking;
    return SOMA_OK;
}

void parking_stop(struct parking *parking)
{
    if (!parking)
        return;
    pthread_mutex_lock(&parking->mutex);
    parking->stopping = true;
    pthread_cond_signal(&parking->changed);
    pthread_mutex_unlock(&parking->mutex);
    pthread_join(parking->timer, NULL);

    pthread_mutex_lock(&parking->mutex);
    while (parking->count > 0) {
        if (parking->heap_count > 0)
            hand_over(parking, parking->heap[0], true);
        sleep_until(parking, clock_deadline_after(parking->heap_count > 0 ? 1 : BUSY_RETRY_MS));
    }
    pthread_mutex_unlock(&parking->mutex);
}

void parking_free(struct parking *parking)
{
    if (parking)
        free_parking(parking);
}

static struct parked *register_call(struct parking *parking, struct rpc_call *call, int64_t topic)
{
    uint32_t peer = rpc_call_peer(call);
    if (parking->stopping || parking->count >= (size_t)LIMIT_PARKED_REQUESTS ||
        peer_is_full(parking, peer) || !heap_reserve(parking))
        return NULL;
    struct parked *parked = calloc(1, sizeof *parked);
    if (!parked)
        return NULL;
    if (!group_join(parking, BY_TOPIC, topic, parked)) {
        free(parked);
        return NULL;
    }
    if (!group_join(parking, BY_PEER, peer, parked)) {
        group_leave(parking, BY_TOPIC, parked);
        free(parked);
        return NULL;
    }
    parking->count++;
    return parked;
}

static struct mono_time earlier(struct mono_time deadline, struct mono_time of_call)
{
    int64_t answer_by = of_call.ms - ANSWER_MARGIN_MS;
    return answer_by < deadline.ms ? (struct mono_time){answer_by} : deadline;
}

bool parking_begin(struct parking *parking, struct rpc_call *call, int64_t topic,
                   struct mono_time deadline, parked_fn *fn, const ProtobufCMessage *request,
                   void *service)
{
    pthread_mutex_lock(&parking->mutex);
    struct parked *parked = register_call(parking, call, topic);
    if (parked) {
        parked->parking = parking;
        parked->call = call;
        parked->fn = fn;
        parked->request = request;
        parked->service = service;
        rpc_call_extend(call, (struct mono_time){deadline.ms + ANSWER_MARGIN_MS});
        parked->deadline = earlier(deadline, rpc_call_deadline(call));
        *rpc_call_slot(call) = parked;
    }
    pthread_mutex_unlock(&parking->mutex);
    return parked != NULL;
}

void parking_wait(struct parking *parking, struct rpc_call *call)
{
    rpc_call_note_parked(call);
    pthread_mutex_lock(&parking->mutex);
    struct parked *parked = *rpc_call_slot(call);
    bool last = parking->stopping || parked->dropped;
    if (parked->published || last) {
        hand_over(parking, parked, last);
    } else {
        parked->state = WAITING;
        heap_add(parking, parked);
    }
    pthread_mutex_unlock(&parking->mutex);
}

void parking_end(struct parking *parking, struct rpc_call *call)
{
    pthread_mutex_lock(&parking->mutex);
    struct parked *parked = *rpc_call_slot(call);
    *rpc_call_slot(call) = NULL;
    group_leave(parking, BY_TOPIC, parked);
    group_leave(parking, BY_PEER, parked);
    parking->count--;
    if (parking->stopping)
        pthread_cond_signal(&parking->changed);
    pthread_mutex_unlock(&parking->mutex);
    free(parked);
}

static void publish_to(struct parking *parking, int64_t topic)
{
    struct group *group = group_find(parking, BY_TOPIC, topic);
    for (struct parked *at = group ? group->first : NULL; at; at = at->next[BY_TOPIC]) {
        if (at->state == HANDED)
            at->published = true;
        else if (!at->published)
            hand_over(parking, at, false);
    }
}

void parking_publish(struct parking *parking, int64_t topic)
{
    pthread_mutex_lock(&parking->mutex);
    if (parking->count > 0) {
        publish_to(parking, topic);
        if (topic != TOPIC_ALL_JOBS)
            publish_to(parking, TOPIC_ALL_JOBS);
    }
    pthread_mutex_unlock(&parking->mutex);
}

void parking_drop_peer(struct parking *parking, uint32_t peer)
{
    pthread_mutex_lock(&parking->mutex);
    struct group *group = group_find(parking, BY_PEER, peer);
    for (struct parked *at = group ? group->first : NULL; at; at = at->next[BY_PEER]) {
        if (at->state == WAITING)
            hand_over(parking, at, true);
        else
            at->dropped = true;
    }
    pthread_mutex_unlock(&parking->mutex);
}

size_t parking_count(struct parking *parking)
{
    pthread_mutex_lock(&parking->mutex);
    size_t count = parking->count;
    pthread_mutex_unlock(&parking->mutex);
    return count;
}
