#include "proxy.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "dice.h"

enum {
    LINKS = 64,
    BUFFER = 8192, // small, so that frames are cut in the middle
    HARM_IN = 50,  // of so many pieces that pass one does harm
    DELAY_MS = 60,
    HANG_MS = 300,
    TICK_MS = 20
};

// One direction of a link.
struct pipe_end {
    int from, to; // descriptors, the link's
    char bytes[BUFFER];
    size_t length, sent;
    bool is_over;
};

struct link {
    int fds[2]; // the client's, the server's; -1: free
    struct pipe_end ways[2];
    int64_t resumes_ms; // it is delayed until then
    bool hangs;         // and is cut then
};

struct proxy {
    pthread_t thread;
    int listener;
    char to[108];
    struct dice dice;
    atomic_bool is_quiet, is_over;
    struct link links[LINKS];
    struct proxy_counts counts;
};

static int unix_socket(const char *path, struct sockaddr_un *ret_address)
{
    *ret_address = (struct sockaddr_un){.sun_family = AF_UNIX};
    if (snprintf(ret_address->sun_path, sizeof ret_address->sun_path, "%s", path) >=
        (int)sizeof ret_address->sun_path)
        return -1;
    return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
}

static void close_link(struct link *link)
{
    for (int i = 0; i < 2; i++) {
        if (link->fds[i] >= 0)
            close(link->fds[i]);
        link->fds[i] = -1;
    }
}

static struct link *free_link(struct proxy *proxy)
{
    for (int i = 0; i < LINKS; i++) {
        if (proxy->links[i].fds[0] < 0)
            return &proxy->links[i];
    }
    return NULL;
}

static void accept_one(struct proxy *proxy)
{
    struct sockaddr_un address;
    int client = accept4(proxy->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (client < 0)
        return;
    int server = unix_socket(proxy->to, &address);
    struct link *link = free_link(proxy);
    if (!link || server < 0 || connect(server, (struct sockaddr *)&address, sizeof address)) {
        close(client);
        if (server >= 0)
            close(server);
        return;
    }
    fcntl(server, F_SETFL, O_NONBLOCK);
    *link = (struct link){.fds = {client, server}};
    for (int i = 0; i < 2; i++) {
        link->ways[i].from = link->fds[i];
        link->ways[i].to = link->fds[1 - i];
    }
    proxy->counts.connections++;
}

// Harm to the link through which something just passed.
static void do_harm(struct proxy *proxy, struct link *link, struct pipe_end *way)
{
    if (atomic_load(&proxy->is_quiet) || dice_below(&proxy->dice, HARM_IN) != 0)
        return;
    int64_t now_ms = clock_mono_now().ms;
    switch (dice_below(&proxy->dice, 8)) {
    case 0:
    case 1:
        proxy->counts.cuts++;
        close_link(link);
        return;
    case 2:
        proxy->counts.half_closes++;
        shutdown(way->to, SHUT_WR);
        way->is_over = true;
        link->hangs = true;
        link->resumes_ms = now_ms + HANG_MS;
        return;
    case 3:
        proxy->counts.hangs++;
        link->hangs = true;
        link->resumes_ms = now_ms + 1 + dice_below(&proxy->dice, HANG_MS);
        return;
    default:
        proxy->counts.delays++;
        link->resumes_ms = now_ms + 1 + dice_below(&proxy->dice, DELAY_MS);
    }
}

// False: the link is at its end.
static bool pass_on(struct proxy *proxy, struct link *link, struct pipe_end *way)
{
    if (way->length == way->sent) {
        ssize_t got = read(way->from, way->bytes, BUFFER);
        if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR))
            return false;
        way->length = got > 0 ? (size_t)got : 0;
        way->sent = 0;
    }
    if (way->length > way->sent) {
        ssize_t put = send(way->to, way->bytes + way->sent, way->length - way->sent, MSG_NOSIGNAL);
        if (put < 0 && errno != EAGAIN && errno != EINTR)
            return false;
        way->sent += put > 0 ? (size_t)put : 0;
        do_harm(proxy, link, way);
    }
    return true;
}

static void serve_link(struct proxy *proxy, struct link *link, const struct pollfd *polled)
{
    int64_t now_ms = clock_mono_now().ms;
    if (link->hangs && now_ms >= link->resumes_ms) {
        close_link(link);
        return;
    }
    if (link->hangs || now_ms < link->resumes_ms)
        return;
    for (int i = 0; i < 2; i++) {
        struct pipe_end *way = &link->ways[i];
        bool is_ready = polled[i].revents || polled[1 - i].revents;
        if (!way->is_over && is_ready && !pass_on(proxy, link, way)) {
            close_link(link);
            return;
        }
        if (link->fds[0] < 0 || link->hangs)
            return;
    }
}

static void fill_polls(struct proxy *proxy, struct pollfd *polls)
{
    int64_t now_ms = clock_mono_now().ms;
    polls[0] = (struct pollfd){proxy->listener, POLLIN, 0};
    for (int i = 0; i < LINKS; i++) {
        struct link *link = &proxy->links[i];
        bool waits = link->fds[0] < 0 || link->hangs || now_ms < link->resumes_ms;
        for (int k = 0; k < 2; k++) {
            struct pipe_end *in = &link->ways[k], *out = &link->ways[1 - k];
            short events = in->length == in->sent ? POLLIN : 0;
            events = (short)(events | (out->length > out->sent ? POLLOUT : 0));
            polls[1 + 2 * i + k] = (struct pollfd){waits ? -1 : link->fds[k], events, 0};
        }
    }
}

static void *proxy_main(void *argument)
{
    struct proxy *proxy = argument;
    struct pollfd polls[1 + 2 * LINKS];
    while (!atomic_load(&proxy->is_over)) {
        fill_polls(proxy, polls);
        poll(polls, sizeof polls / sizeof polls[0], TICK_MS);
        for (int i = 0; i < LINKS; i++) {
            if (proxy->links[i].fds[0] >= 0)
                serve_link(proxy, &proxy->links[i], &polls[1 + 2 * i]);
        }
        if (polls[0].revents)
            accept_one(proxy);
    }
    return NULL;
}

struct proxy *proxy_start(const char *from, const char *to, uint64_t seed)
{
    struct sockaddr_un address;
    struct proxy *proxy = calloc(1, sizeof *proxy);
    if (!proxy)
        return NULL;
    for (int i = 0; i < LINKS; i++)
        proxy->links[i].fds[0] = proxy->links[i].fds[1] = -1;
    snprintf(proxy->to, sizeof proxy->to, "%s", to);
    dice_init(&proxy->dice, seed, 1000);
    proxy->listener = unix_socket(from, &address);
    if (proxy->listener < 0 || bind(proxy->listener, (struct sockaddr *)&address, sizeof address) ||
        listen(proxy->listener, LINKS) || pthread_create(&proxy->thread, NULL, proxy_main, proxy)) {
        free(proxy);
        return NULL;
    }
    return proxy;
}

void proxy_set_quiet(struct proxy *proxy, int is_quiet)
{
    atomic_store(&proxy->is_quiet, is_quiet);
}

void proxy_stop(struct proxy *proxy, struct proxy_counts *ret_counts)
{
    if (!proxy)
        return;
    atomic_store(&proxy->is_over, true);
    pthread_join(proxy->thread, NULL);
    for (int i = 0; i < LINKS; i++)
        close_link(&proxy->links[i]);
    close(proxy->listener);
    *ret_counts = proxy->counts;
    free(proxy);
}
