// Which queued jobs are to be started, or not started any more, and when to look again. All in
// write transactions.
#ifndef STORE_JOB_READY_H
#define STORE_JOB_READY_H

#include "store/jobs.h"

// At most max jobs that waited for a time that has come are ready from now on.
enum soma_code job_ready_wake(struct store_txn *txn, struct wall_time now, size_t max,
                              struct soma_error *err);

// The job to start first: of those that are ready, in queues that are neither paused nor full, the
// one of the largest priority that was submitted first. *ret_num 0: there is none.
enum soma_code job_ready_first(struct store_txn *txn, int64_t *ret_num, struct soma_error *err);

// The queued job whose deadline for starting passed first; *ret_num 0: there is none.
enum soma_code job_ready_overdue(struct store_txn *txn, struct wall_time now, int64_t *ret_num,
                                 struct soma_error *err);

// When the next job becomes ready, or overdue; 0: never.
enum soma_code job_ready_next(struct store_txn *txn, struct wall_time *ret_due,
                              struct soma_error *err);

#endif
