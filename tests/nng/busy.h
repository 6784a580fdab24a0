/*
 * What the tests of nng share: a server and a client that keep many requests in flight, processes
 * to kill, and bounds.
 *
 * A struct busy is one REP or REQ socket with BUSY_SLOTS contexts, each of which receives and sends
 * without end from nng's own callbacks. Every eighth request is big, so that both sides meet
 * messages that take several reads and writes. A process that has used nng cannot fork: further
 * processes are this same program with arguments (`spawn_role`).
 */
#ifndef SOMA_TESTS_NNG_BUSY_H
#define SOMA_TESTS_NNG_BUSY_H

#include <nng/nng.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/types.h>

enum {
    BUSY_SLOTS = 16
};

struct busy_slot {
    struct busy *owner;
    nng_ctx ctx;
    nng_aio *aio;
    bool sending; /* what the aio does now; only its callback touches it */
    unsigned sent;
};

struct busy {
    nng_socket sock;
    bool is_server;
    atomic_bool stopping; /* no new operation is begun */
    atomic_ulong rounds;  /* server: requests taken; client: replies got */
    atomic_ulong added;   /* pipes that came */
    atomic_ulong removed; /* pipes that went */
    struct busy_slot slots[BUSY_SLOTS];
};

/* What a system nng is not asked to do, because SOMA never does it (docs/adr/0005): skipped with
 * such a one. */
#define ONLY_WITH_OUR_PATCHES() \
    do {                        \
        if (!SOMA_NNG_PRIVATE)  \
            skip();             \
    } while (0)

/* Both fail the test where they cannot. The client's dialer goes on trying in the background. */
void busy_serve(struct busy *b, const char *url);
void busy_request(struct busy *b, const char *url);

/* Stops beginning, stops what runs, closes the contexts, then the socket: the order that nng asks
 * for. */
void busy_close(struct busy *b);

/* nng_close with everything in flight. */
void busy_close_abruptly(struct busy *b);

/* One request and its reply over a connection of its own, within 5 s. */
bool round_trip(const char *url);

/* The process ends with an error after that time, whatever it does; sanitizers get more. Starts
 * anew with each call. */
void watchdog(unsigned seconds);

/* True as soon as `is_so(arg)`, false when it was not within `timeout_ms`; sanitizers get more. */
bool wait_until(bool (*is_so)(void *arg), void *arg, int timeout_ms);

/* Open file descriptors of this process. */
int count_fds(void);

/* Starts this program with the arguments; `kill_and_reap` ends it with SIGKILL. The child calls
 * `begin_role`, so that it never outlives a test that fails. */
pid_t spawn_role(const char *role, const char *url);
void begin_role(void);
void kill_and_reap(pid_t pid);

/* Each call another place: ipc://… in a directory of this process, removed at exit; tcp:// on a
 * free port. In static storage, good until the next call. */
const char *ipc_url(void);
const char *tcp_url(void);

#endif
