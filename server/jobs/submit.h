// A submit: what it finds there already, whom it waits for, the new row.
#ifndef JOBS_SUBMIT_H
#define JOBS_SUBMIT_H

#include "store/jobs.h"

struct submit_result {
    struct job_row row;
    bool is_existing; // a job with the dedupe key was queued or running: this one, and no new one
    bool is_same;     // then: the request that submitted it was the same
};

// In a write transaction. JOB_NOT_FOUND with field spec.after[i], QUEUE_FULL, QUEUE_LIMIT: refused
// before anything is changed.
enum soma_code job_submit(struct store_txn *txn, const struct job_new *job, struct arena *arena,
                          struct submit_result *ret_result, struct soma_error *err);

#endif
