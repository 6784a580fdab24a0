// A client: the connections to one server, and the calls on their way.
//
// Requests go in lanes: small calls and large ones on different connections, so that a batch does
// not hold up a ping; and on each connection long polls beside them with a bound of their own, so
// that a follower does not take the place of a call. Who finds a lane full waits in its queue.
//
// Threads: nng's end attempts; the client's own timer thread ends waits and all that must not
// happen on the caller's thread. Lock order: client, then an exchange's. No lock is held across a
// callback or a send.
#ifndef LIB_CLIENT_H
#define LIB_CLIENT_H

#include <pthread.h>

#include <soma/soma.h>

#include "lib/connection.h"

enum {
    LANE_POLLS = 2, // added to a connection's number
    CONNECTION_SMALL = 0,
    CONNECTION_BULK = 1,
    CONNECTION_COUNT = 2,
    LANE_COUNT = CONNECTION_COUNT + LANE_POLLS
};

struct lane {
    uint32_t limit;
    uint32_t in_flight;
    struct soma_call *first; // waiting, in order
    struct soma_call *last;
};

// A binary heap of calls by the time when they are due.
struct timer_heap {
    struct soma_call **calls; // owned array of borrowed calls
    size_t count;
    size_t capacity; // never below the number of calls, so that adding cannot fail
};

struct soma_client {
    char *server; // owned, as the six below
    char *token;
    char *space; // the namespace; "": none is named
    char *program;
    char *ca_file; // of TLS; "" where none is given, as the two below
    char *certificate_file;
    char *key_file;
    int64_t timeout_ms; // below 0: none
    int64_t connect_timeout_ms;

    pthread_mutex_t lock; // guards all that follows
    pthread_cond_t timer_wake;
    pthread_cond_t ended; // call_count went down to 0
    pthread_t timer;
    bool timer_runs;
    bool closing;                                     // no new calls
    bool stopping;                                    // the timer thread is to end
    struct connection *connections[CONNECTION_COUNT]; // opened when first used
    struct lane lanes[LANE_COUNT];
    struct timer_heap heap;
    struct soma_call *calls; // all whose callback was not begun
    size_t call_count;       // all that are not freed
};

// The connection, opened if it is not yet; takes the lock.
enum soma_code client_connection(struct soma_client *client, int number, struct connection **ret,
                                 struct soma_error *err);

#endif
