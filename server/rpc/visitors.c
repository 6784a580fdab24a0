#include "rpc/visitors.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "wire/limits.h"

enum {
    BUCKETS = 4096,                                  // a power of two
    DESCRIPTORS_KEPT = 512 + LIMIT_HTTP_CONNECTIONS, // for jobs, files, the store, and pages
    CONNECTIONS_AT_LEAST = 64
};

struct peer {
    struct peer *next;
    struct visitor_key key;
    uint32_t connections;
};

struct visit {
    struct visit *next;
    uint32_t pipe;
    struct peer *peer;
};

struct visitors {
    size_t max, max_per_peer;
    pthread_mutex_t lock; // guards all below
    size_t count;
    struct visit *visits[BUCKETS]; // owned, by pipe
    struct peer *peers[BUCKETS];   // owned, by key; those with connections
};

static size_t room_for_connections(size_t wanted)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY ||
        limit.rlim_cur >= wanted + DESCRIPTORS_KEPT)
        return wanted;
    size_t room = limit.rlim_cur < DESCRIPTORS_KEPT + CONNECTIONS_AT_LEAST
                      ? CONNECTIONS_AT_LEAST
                      : (size_t)limit.rlim_cur - DESCRIPTORS_KEPT;
    return room < wanted ? room : wanted;
}

struct visitors *visitors_new(size_t max, size_t max_per_peer)
{
    struct visitors *visitors = calloc(1, sizeof *visitors);
    if (!visitors)
        return NULL;
    visitors->max = room_for_connections(max);
    visitors->max_per_peer = max_per_peer;
    pthread_mutex_init(&visitors->lock, NULL);
    return visitors;
}

void visitors_free(struct visitors *visitors)
{
    if (!visitors)
        return;
    for (size_t i = 0; i < BUCKETS; i++) {
        struct visit *visit, *next_visit;
        struct peer *peer, *next_peer;
        for (visit = visitors->visits[i]; visit; visit = next_visit) {
            next_visit = visit->next;
            free(visit);
        }
        for (peer = visitors->peers[i]; peer; peer = next_peer) {
            next_peer = peer->next;
            free(peer);
        }
    }
    pthread_mutex_destroy(&visitors->lock);
    free(visitors);
}

size_t visitors_max(const struct visitors *visitors)
{
    return visitors->max;
}

struct visitor_key visitor_of_ipv6(const uint8_t address[16])
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    struct visitor_key key = {VISITOR_IPV6, 0};
    uint32_t ipv4;
    memcpy(&key.number, address, sizeof key.number);
    if (memcmp(address, mapped, sizeof mapped) != 0)
        return key;
    memcpy(&ipv4, address + sizeof mapped, sizeof ipv4);
    return (struct visitor_key){VISITOR_IPV4, ipv4};
}

static struct peer **place_of(struct visitors *visitors, struct visitor_key key)
{
    uint64_t mixed = (key.number ^ key.kind) * UINT64_C(0x9e3779b97f4a7c15);
    struct peer **at = &visitors->peers[(mixed >> 32) % BUCKETS];
    while (*at && ((*at)->key.kind != key.kind || (*at)->key.number != key.number))
        at = &(*at)->next;
    return at;
}

static struct peer *take_peer(struct visitors *visitors, struct visitor_key key)
{
    struct peer **at = place_of(visitors, key);
    if (!*at) {
        *at = calloc(1, sizeof **at);
        if (*at)
            (*at)->key = key;
    }
    return *at;
}

static void leave_peer(struct visitors *visitors, struct peer *peer)
{
    if (--peer->connections > 0)
        return;
    struct peer **at = place_of(visitors, peer->key);
    *at = peer->next;
    free(peer);
}

static const char *enter(struct visitors *visitors, uint32_t pipe, struct visitor_key key)
{
    if (visitors->count >= visitors->max)
        return "connections";
    struct peer *peer = take_peer(visitors, key);
    struct visit *visit = peer ? calloc(1, sizeof *visit) : NULL;
    if (peer)
        peer->connections++;
    const char *limit = !visit                                       ? "memory"
                        : peer->connections > visitors->max_per_peer ? "connections_per_peer"
                                                                     : NULL;
    if (limit) {
        if (peer)
            leave_peer(visitors, peer);
        free(visit);
        return limit;
    }
    struct visit **first = &visitors->visits[pipe % BUCKETS];
    *visit = (struct visit){.next = *first, .pipe = pipe, .peer = peer};
    *first = visit;
    visitors->count++;
    return NULL;
}

const char *visitors_enter(struct visitors *visitors, uint32_t pipe, struct visitor_key key)
{
    pthread_mutex_lock(&visitors->lock);
    const char *limit = enter(visitors, pipe, key);
    pthread_mutex_unlock(&visitors->lock);
    return limit;
}

void visitors_leave(struct visitors *visitors, uint32_t pipe)
{
    pthread_mutex_lock(&visitors->lock);
    struct visit **at = &visitors->visits[pipe % BUCKETS];
    while (*at && (*at)->pipe != pipe)
        at = &(*at)->next;
    struct visit *visit = *at;
    if (visit) {
        *at = visit->next;
        visitors->count--;
        leave_peer(visitors, visit->peer);
        free(visit);
    }
    pthread_mutex_unlock(&visitors->lock);
}
