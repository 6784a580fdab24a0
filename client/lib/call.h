// A call: a method with its request, from the start to its callback, over as many attempts and
// pieces as it takes. One core serves both forms; who waits waits for the callback.
//
//     start ─► queue of its lane ─► flying: one attempt (attempt.c) ─► ended: callback, once
//                   ▲                    │
//                   └── pause, next piece ┘
#ifndef LIB_CALL_H
#define LIB_CALL_H

#include <stdatomic.h>

#include "base/clock.h"
#include "lib/client.h"
#include "lib/method.h"
#include "lib/piece.h"

enum call_state {
    CALL_NEW,
    CALL_QUEUED,  // in its lane's queue, and in the heap until its deadline
    CALL_FLYING,  // has a place in its lane; an exchange too, once attempt_launch has taken one
    CALL_PAUSED,  // in the heap until the next attempt
    CALL_SETTLED, // its error says how it ended; in the heap, for the timer thread to end it
    CALL_ENDING,  // its callback is about to run, or running
};

// From the caller, checked. Times in milliseconds.
struct call_terms {
    struct mono_time deadline; // MONO_NEVER: none
    uint32_t max_attempts;     // 0: any number
    uint32_t retry_first_ms;
    uint32_t retry_max_ms;
    uint8_t request_id[SOMA_REQUEST_ID_BYTES]; // of the first piece
};

struct soma_call {
    // Constant.
    struct soma_client *client;
    const struct method *method;
    struct call_terms terms;
    struct mono_time patience; // a server that was never reached is given up then
    method_deliver *deliver;
    void (*done)(void);
    void *user;
    const void *request; // borrowed from one who waits, to pack from; NULL: all is packed

    // Whoever drives the call now: one thread at a time.
    struct piece *piece; // on its way, others behind it; owned
    uint64_t piece_number;
    int memo; // struct packing
    void *result;
    struct reply *replies; // in the result's arena, in order
    struct reply *last_reply;
    uint32_t attempt_count; // of this piece, that may have reached the server
    bool outcome_unknown;   // a reply to a change was lost
    struct soma_error error;
    struct mono_time pause_until;

    atomic_bool given_up;

    // The client's lock.
    enum call_state state;
    int lane;
    struct exchange *exchange;
    struct soma_call *next_waiting; // in the lane's queue
    struct soma_call *previous;     // in the client's calls
    struct soma_call *next;
    struct mono_time due; // timer.h
    size_t heap_place;
};

struct call_order {
    struct soma_client *client;
    const struct method *method;
    const void *request;
    const struct soma_call_options *options;
    const struct mono_time *deadline; // instead of the options' timeout; NULL: theirs
    bool waits;                       // request stays valid until the end
    method_deliver *deliver;          // NULL: the method's
    void (*done)(void);
    void *user;
};

enum soma_code call_start(const struct call_order *order, struct soma_call **ret_call,
                          struct soma_error *err);

enum soma_code call_wait(struct soma_client *client, const struct method *method,
                         const void *request, const struct soma_call_options *options,
                         void **ret_result, struct soma_error *err);

// What options say, or the client; DEADLINE_PAST where no time is left. lengthen_ms: a long poll.
// What mutates gets a request id.
enum soma_code call_terms_init(struct call_terms *ret_terms, const struct soma_client *client,
                               const struct soma_call_options *options,
                               const struct mono_time *deadline, uint32_t lengthen_ms, bool mutates,
                               struct soma_error *err);

// Takes a place in the lane, or waits for one. Not with the lock held, as all up to call_due.
void call_submit(struct soma_call *call);
// Leaves the lane after an attempt; whoever waits first flies.
void call_leave_lane(struct soma_call *call);
// Waits until pause_until, then submits again.
void call_pause(struct soma_call *call);
// Runs the callback, and frees the call.
void call_end(struct soma_call *call);

// The timer has come. With the lock held, which is released in between.
void call_due(struct soma_call *call);

// Gives up every call there is; with the lock held.
void calls_give_up(struct soma_client *client);

#endif
