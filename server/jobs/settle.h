// What follows from time and from the ends of other jobs: one step of it at a time, in a write
// transaction.
#ifndef JOBS_SETTLE_H
#define JOBS_SETTLE_H

#include "store/jobs.h"

// A running job that is to end with its parent: its runner is to be told.
struct settle_cancel {
    struct settle_cancel *next;
    int64_t num;
    bool force;
    char note[JOB_NOTE_BYTES + 1];
};

// Jobs that a step changed, for those who are told after the commit.
struct settle_step {
    int64_t *nums; // room for max
    size_t max;
    size_t count;
    struct arena *arena; // for what follows
    struct settle_cancel *cancels;
};

// Ends queued jobs whose deadline for starting has passed, then tells waiters that a job they wait
// for has ended, then cancels the children of cancelled jobs. At most step->max jobs are changed;
// where count becomes max, more may be left.
enum soma_code settle_some(struct store_txn *txn, struct settle_step *step, struct soma_error *err);

#endif
