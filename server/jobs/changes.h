// The changes of a job's life: each reads the table of transitions, sets what belongs to the new
// state and writes the row. On the writer thread, inside a write transaction, on a row that was
// read in it.
#ifndef JOBS_CHANGES_H
#define JOBS_CHANGES_H

#include "store/jobs.h"

// Decodes the row's specification (its head, and the body where the row has it) into row->job.spec.
enum soma_code job_row_complete(struct job_row *row, struct arena *arena, struct soma_error *err);

// QUEUED: the next attempt begins.
enum soma_code job_claim(struct store_txn *txn, struct job_row *row, struct soma_error *err);

// RUNNING: the attempt ended like this. The row is complete.
enum soma_code job_end(struct store_txn *txn, struct job_row *row,
                       const struct job_outcome *outcome, struct soma_error *err);

// RUNNING: the program was never let go. Back to the queue, the attempt uncounted; CANCELLED where
// somebody asked for the end meanwhile.
enum soma_code job_give_back(struct store_txn *txn, struct job_row *row, struct soma_error *err);

// QUEUED: over at once. RUNNING: the wish is noted, and the engine is to be told. Final: nothing,
// and ret_was_final says so.
enum soma_code job_cancel(struct store_txn *txn, struct job_row *row, const char *note, bool force,
                          struct arena *arena, bool *ret_was_final, struct soma_error *err);

// JOB_NOT_FINAL unless final; QUEUE_FULL where unfinished_max jobs are not final.
enum soma_code job_retry(struct store_txn *txn, struct job_row *row, int64_t unfinished_max,
                         struct soma_error *err);

// JOB_NOT_RUNNING unless RUNNING.
enum soma_code job_report(struct store_txn *txn, struct job_row *row, double percent,
                          const char *message, struct soma_error *err);

#endif
