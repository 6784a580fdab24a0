#include "rpc/load.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/clock.h"
#include "wire/limit_reached.h"
#include "wire/limits.h"

enum {
    // Each with a lock of its own; a power of two.
    BUCKETS = 1024,
    RETRY_MS = 100
};

// One that is connected, or has something in hand.
struct peer {
    struct peer *next;
    uint32_t id;
    uint32_t requests;
    bool is_connected;
    bool is_leaving;              // load_take_idle has told of it
    struct mono_time quiet_since; // while it has no requests
};

struct bucket {
    pthread_mutex_t lock;
    struct peer *first; // owned; lock
};

struct load {
    atomic_size_t bytes;
    struct bucket buckets[BUCKETS];
};

struct load *load_new(void)
{
    struct load *load = calloc(1, sizeof *load);
    for (size_t i = 0; load && i < BUCKETS; i++)
        pthread_mutex_init(&load->buckets[i].lock, NULL);
    return load;
}

void load_free(struct load *load)
{
    for (size_t i = 0; load && i < BUCKETS; i++) {
        struct bucket *bucket = &load->buckets[i];
        while (bucket->first) {
            struct peer *peer = bucket->first;
            bucket->first = peer->next;
            free(peer);
        }
        pthread_mutex_destroy(&bucket->lock);
    }
    free(load);
}

static enum soma_code retry_soon(struct soma_error *err)
{
    err->retry_after_ms = RETRY_MS;
    return err->code;
}

static enum soma_code busy(struct soma_error *err, const char *what, int64_t limit)
{
    limit_reached(err, REASON_SERVER_BUSY, NULL, what, limit);
    return retry_soon(err);
}

// Without that time no client would send it again, over its next connection.
static enum soma_code leaving(struct soma_error *err)
{
    error_set(err, REASON_SERVER_BUSY, NULL, "the connection is closed as idle");
    return retry_soon(err);
}

static enum soma_code add_bytes(struct load *load, size_t bytes, struct soma_error *err)
{
    size_t before = atomic_fetch_add(&load->bytes, bytes);
    // Whatever its size, a frame that is alone is taken.
    if (before == 0 || before + bytes <= (size_t)LIMIT_FRAMES_IN_HAND_BYTES)
        return SOMA_OK;
    atomic_fetch_sub(&load->bytes, bytes);
    return busy(err, "frames_in_hand_bytes", LIMIT_FRAMES_IN_HAND_BYTES);
}

static struct bucket *bucket_of(struct load *load, uint32_t id)
{
    // Pipes are numbered one after the other.
    return &load->buckets[id % BUCKETS];
}

static struct peer **place_of(struct bucket *bucket, uint32_t id)
{
    struct peer **at = &bucket->first;
    while (*at && (*at)->id != id)
        at = &(*at)->next;
    return at;
}

static struct peer *add_peer(struct bucket *bucket, uint32_t id)
{
    struct peer *peer = malloc(sizeof *peer);
    if (peer) {
        *peer = (struct peer){.next = bucket->first, .id = id, .quiet_since = clock_mono_now()};
        bucket->first = peer;
    }
    return peer;
}

static void remove_at(struct peer **at)
{
    struct peer *gone = *at;
    *at = gone->next;
    free(gone);
}

bool load_arrive(struct load *load, uint32_t id)
{
    struct bucket *bucket = bucket_of(load, id);
    pthread_mutex_lock(&bucket->lock);
    struct peer *peer = add_peer(bucket, id);
    if (peer)
        peer->is_connected = true;
    pthread_mutex_unlock(&bucket->lock);
    return peer != NULL;
}

void load_depart(struct load *load, uint32_t id)
{
    struct bucket *bucket = bucket_of(load, id);
    pthread_mutex_lock(&bucket->lock);
    struct peer **at = place_of(bucket, id);
    if (*at && (*at)->requests == 0)
        remove_at(at);
    else if (*at)
        (*at)->is_connected = false;
    pthread_mutex_unlock(&bucket->lock);
}

static enum soma_code add_request(struct bucket *bucket, uint32_t id, struct soma_error *err)
{
    struct peer *peer = *place_of(bucket, id);
    // A request may be taken up after its connection has ended.
    if (!peer)
        peer = add_peer(bucket, id);
    if (!peer)
        return error_set_no_memory(err);
    if (peer->is_leaving)
        return leaving(err);
    if (peer->requests >= LIMIT_REQUESTS_PER_PEER)
        return busy(err, "requests_per_peer", LIMIT_REQUESTS_PER_PEER);
    peer->requests++;
    return SOMA_OK;
}

enum soma_code load_enter(struct load *load, uint32_t peer, size_t bytes, struct soma_error *err)
{
    enum soma_code code = add_bytes(load, bytes, err);
    if (code != SOMA_OK)
        return code;
    struct bucket *bucket = bucket_of(load, peer);
    pthread_mutex_lock(&bucket->lock);
    code = add_request(bucket, peer, err);
    pthread_mutex_unlock(&bucket->lock);
    if (code != SOMA_OK)
        atomic_fetch_sub(&load->bytes, bytes);
    return code;
}

void load_leave(struct load *load, uint32_t id, size_t bytes)
{
    struct bucket *bucket = bucket_of(load, id);
    atomic_fetch_sub(&load->bytes, bytes);
    pthread_mutex_lock(&bucket->lock);
    struct peer **at = place_of(bucket, id);
    struct peer *peer = *at;
    if (peer && --peer->requests == 0) {
        if (peer->is_connected)
            peer->quiet_since = clock_mono_now();
        else
            remove_at(at);
    }
    pthread_mutex_unlock(&bucket->lock);
}

static bool is_idle(const struct peer *peer, struct mono_time since)
{
    return peer->requests == 0 && !peer->is_leaving && peer->quiet_since.ms <= since.ms;
}

size_t load_take_idle(struct load *load, int64_t idle_ms, uint32_t *ret_peers, size_t max)
{
    struct mono_time since = {clock_mono_now().ms - idle_ms};
    size_t count = 0;
    for (size_t i = 0; i < BUCKETS && count < max; i++) {
        struct bucket *bucket = &load->buckets[i];
        pthread_mutex_lock(&bucket->lock);
        for (struct peer *peer = bucket->first; peer && count < max; peer = peer->next) {
            if (!is_idle(peer, since))
                continue;
            peer->is_leaving = true;
            ret_peers[count++] = peer->id;
        }
        pthread_mutex_unlock(&bucket->lock);
    }
    return count;
}
