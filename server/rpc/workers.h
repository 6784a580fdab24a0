// A few threads for what may touch the disk or take longer than 50 µs: reads and searches.
//
// One bounded queue. Work on a call that has expired by the time it is picked up is not begun: the
// call is failed with DEADLINE_PAST.
#ifndef RPC_WORKERS_H
#define RPC_WORKERS_H

#include "rpc/call.h"

struct workers;

// Runs on a worker thread; answers the call or hands it on. request is the decoded message, in the
// call's arena.
typedef void work_fn(struct rpc_call *call, const ProtobufCMessage *request, void *service);

enum soma_code workers_start(unsigned thread_count, size_t queue_max, struct workers **ret_workers,
                             struct soma_error *err);

// Finishes what is queued, then ends the threads; what comes later is refused. Takes NULL.
void workers_stop(struct workers *workers);
// When nobody hands it work any more. Takes NULL.
void workers_free(struct workers *workers);

// Never blocks. A full queue fails the call with SERVER_BUSY.
void workers_run(struct workers *workers, struct rpc_call *call, const ProtobufCMessage *request,
                 work_fn *fn, void *service);

// Runs run(argument) on a worker. False, and nothing was done, where the queue is full or the
// workers stop.
bool workers_try(struct workers *workers, void (*run)(void *argument), void *argument);

// The same, but only where a worker has nothing to do.
bool workers_try_idle(struct workers *workers, void (*run)(void *argument), void *argument);

// True: nothing waits for a worker.
bool workers_are_quiet(struct workers *workers);

#endif
