// Jobs that other jobs submitted, their children.
//
// Who is whose child stands in the jobs' own rows. A job that is cancelled is noted in job_family,
// and its children follow in bounded steps (jobs/settle.h), so that the cancel of a job with a
// million of them holds up nobody. All in write transactions.
#ifndef STORE_JOB_FAMILY_H
#define STORE_JOB_FAMILY_H

#include "store/jobs.h"

// A cancelled job whose children are still to be told.
struct job_family {
    char id[ID_SIZE]; // "": there is none
    char note[JOB_NOTE_BYTES + 1];
    bool force;
    int64_t after_num; // its children up to this one have been
};

// Notes that the children of the job, if it has any, are to be cancelled; force is added to a wish
// that is noted already.
enum soma_code job_family_cancel(struct store_txn *txn, const char *id, const char *note,
                                 bool force, struct soma_error *err);

enum soma_code job_family_first(struct store_txn *txn, struct job_family *ret_family,
                                struct soma_error *err);

// The first child behind after_num; *ret_num 0: there is none.
enum soma_code job_family_next(struct store_txn *txn, const struct job_family *family,
                               int64_t *ret_num, struct soma_error *err);

// Children up to num have been told; 0: all have.
enum soma_code job_family_advance(struct store_txn *txn, const char *id, int64_t num,
                                  struct soma_error *err);

#endif
