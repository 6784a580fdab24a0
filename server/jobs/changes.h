// The changes of a job's life: each reads the table of transitions, sets what belongs to the new
// state and writes the row. On the writer thread, inside a write transaction, on a row that was
// read in it.
#ifndef JOBS_CHANGES_H
#define JOBS_CHANGES_H

#include "jobs/transitions.h"
#include "store/jobs.h"

// Decodes the row's specification (its head, and the body where the row has it) into row->job.spec.
enum soma_code job_row_complete(struct job_row *row, struct arena *arena, struct soma_error *err);

// QUEUED: the next attempt begins. Where the deadline for starting has passed the job ends instead,
// as by job_expire.
enum soma_code job_claim(struct store_txn *txn, struct job_row *row, struct soma_error *err);

// RUNNING: the attempt ended like this. The row is complete.
enum soma_code job_end(struct store_txn *txn, struct job_row *row,
                       const struct job_outcome *outcome, struct soma_error *err);

// QUEUED: the deadline for starting has passed.
enum soma_code job_expire(struct store_txn *txn, struct job_row *row, struct soma_error *err);

// QUEUED: a job that it waited for has ended otherwise than by success, so it ends too, FAILED or
// CANCELLED; after_id is that job's.
enum soma_code job_depend(struct store_txn *txn, struct job_row *row, enum job_event event,
                          const char *after_id, struct arena *arena, struct soma_error *err);

// QUEUED: all that it waited for have ended.
enum soma_code job_unblock(struct store_txn *txn, struct job_row *row, struct soma_error *err);

// RUNNING: the program was never let go. Back to the queue, the attempt uncounted; CANCELLED where
// somebody asked for the end meanwhile.
enum soma_code job_give_back(struct store_txn *txn, struct job_row *row, struct soma_error *err);

// QUEUED: over at once. RUNNING: the wish is noted, and the engine is to be told. Final: nothing,
// and ret_was_final says so. In any case the jobs that it submitted are noted to follow.
enum soma_code job_cancel(struct store_txn *txn, struct job_row *row, const char *note, bool force,
                          struct arena *arena, bool *ret_was_final, struct soma_error *err);

// Starts as soon as there is a place: the times and the jobs to wait for of its specification count
// no more, its attempts are counted anew. JOB_NOT_FINAL unless final; QUEUE_FULL or
// NAMESPACE_FULL past the room; DEDUPE_KEY_IN_USE where another job has its key meanwhile;
// SERVER_BUSY while jobs that waited for it are being told of its end. The row is complete.
enum soma_code job_retry(struct store_txn *txn, struct job_row *row, const struct job_room *room,
                         struct soma_error *err);

// JOB_NOT_RUNNING unless RUNNING.
enum soma_code job_report(struct store_txn *txn, struct job_row *row, double percent,
                          const char *message, struct soma_error *err);

#endif
