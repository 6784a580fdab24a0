// Long polls: calls that wait for news without a thread.
//
// A parked call costs its context and one node here. Topics are numbers that the domain chooses (a
// job's row number); TOPIC_ALL_JOBS hears every publish. Deadlines are in our own heap, and one
// thread waits for the first.
//
//     parking_begin(...)        registered: from here on no publish is missed
//     look at the state
//     news:    parking_end(), then answer
//     no news: parking_wait()   parks; runs fn at once if something was published meanwhile
//
// fn runs on a worker thread, with last = true when the time is over or the server drains: then it
// must end the parking and answer with the state as it is. Otherwise it looks again, and ends and
// answers, or calls parking_wait again; it does not call parking_begin a second time.
#ifndef RPC_PARKING_H
#define RPC_PARKING_H

#include "rpc/call.h"
#include "rpc/workers.h"

struct parking;

enum {
    TOPIC_ALL_JOBS = 0
};

typedef void parked_fn(struct rpc_call *call, const ProtobufCMessage *request, void *service,
                       bool last);

enum soma_code parking_start(struct workers *workers, struct parking **ret_parking,
                             struct soma_error *err);
// Lets all that is parked look a last time and waits until it is answered, so the workers must run;
// parks nothing from then on. Takes NULL.
void parking_stop(struct parking *parking);
// After parking_stop, and when nobody publishes any more. Takes NULL.
void parking_free(struct parking *parking);

// False where the caps (all, or this call's peer) are reached: not registered, answer with the
// state as it is. The wait ends at the deadline, or a little before the call's own if that is
// earlier.
bool parking_begin(struct parking *parking, struct rpc_call *call, int64_t topic,
                   struct mono_time deadline, parked_fn *fn, const ProtobufCMessage *request,
                   void *service);
void parking_wait(struct parking *parking, struct rpc_call *call);
// Takes the call out, before it is answered.
void parking_end(struct parking *parking, struct rpc_call *call);

// Something about the topic changed. From any thread; cheap where nobody waits.
void parking_publish(struct parking *parking, int64_t topic);

// The peer behind this nng pipe is gone: its parked calls are failed, which frees their contexts.
void parking_drop_peer(struct parking *parking, uint32_t peer);

size_t parking_count(struct parking *parking);

#endif
