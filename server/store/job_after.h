// Jobs that wait for the end of others.
//
// A row of job_after says who waits for whom. When an awaited job ends, job_store_update notes it
// in job_settle; its waiters are told in bounded steps (jobs/settle.h), so that the end of one job
// that a million wait for holds up nobody. All in write transactions.
#ifndef STORE_JOB_AFTER_H
#define STORE_JOB_AFTER_H

#include "base/arena.h"
#include "store/jobs.h"

// The job num waits for after_num, which is not final; otherwise the caller adds it to job_settle.
enum soma_code job_after_add(struct store_txn *txn, int64_t after_num, int64_t num,
                             struct soma_error *err);
enum soma_code job_after_remove(struct store_txn *txn, int64_t after_num, int64_t num,
                                struct soma_error *err);
// Of a job that waits no longer.
enum soma_code job_after_remove_all(struct store_txn *txn, int64_t num, struct soma_error *err);

// Whether the job still waits for any.
enum soma_code job_after_any(struct store_txn *txn, int64_t num, bool *ret_any,
                             struct soma_error *err);

// The first max jobs that wait for this one; *ret_count may be 0.
enum soma_code job_after_waiters(struct store_txn *txn, int64_t after_num, size_t max,
                                 int64_t *ret_nums, size_t *ret_count, struct soma_error *err);

// The ids of the jobs that this one still waits for, at most max. In any transaction.
enum soma_code job_after_ids(struct store_txn *txn, int64_t num, size_t max, struct arena *arena,
                             const char ***ret_ids, size_t *ret_count, struct soma_error *err);

// An awaited job that has ended; its row may be gone meanwhile.
struct job_settled {
    int64_t num; // 0: there is none
    char id[ID_SIZE];
    bool succeeded;
};
enum soma_code job_settle_add(struct store_txn *txn, int64_t num, const char *id, bool succeeded,
                              struct soma_error *err);
enum soma_code job_settle_first(struct store_txn *txn, struct job_settled *ret_settled,
                                struct soma_error *err);
// Whether waiters of this job are still to be told how it ended.
enum soma_code job_settle_has(struct store_txn *txn, int64_t num, bool *ret_has,
                              struct soma_error *err);
enum soma_code job_settle_remove(struct store_txn *txn, int64_t num, struct soma_error *err);

#endif
