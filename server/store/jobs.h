// Jobs in the database: rows, labels, the revision, and the lists that the domain asks for.
//
// The store decides nothing. A change is: read the row inside the write transaction, let the
// domain's table of transitions change row->job.status, write it back with job_store_update. Each
// such write takes the next revision, which all jobs share.
//
// What is read lies in the caller's arena. job.spec is left empty except for queue, priority,
// not_before and keep_ms; the rest is in the row's spec bytes (jobs/spec_codec.h). Whether a ready
// job waits for its queue (status.wait) is exact in a read transaction; inside the writer the
// queue is as it was before the transaction.
#ifndef STORE_JOBS_H
#define STORE_JOBS_H

#include "base/arena.h"
#include "jobs/job.h"
#include "jobs/spec_codec.h"
#include "store/store.h"

struct job_row {
    struct job job;
    struct job_status stored; // as read; job_store_update writes job.status over it
    int64_t isolation_id;     // of job_isolation; its text stands in the status where the body does
    struct spec_bytes spec;   // body only where it was asked for
};

struct job_list {
    struct job_row **rows;
    size_t count;
    bool more;     // something may follow
    int64_t after; // then: where to go on
};

// All counts are exact, and cost a row for each queue.
struct job_totals {
    int64_t revision;                  // of the latest change of any job
    int64_t count_of[JOB_STATE_COUNT]; // by state
    int64_t output_bytes;              // kept by final jobs
};

// --- one job

enum {
    DEDUPE_PRINT_BYTES = 16
};

struct job_new {
    const char *id;
    const struct job_spec *spec;
    struct spec_bytes bytes;
    struct wall_time now;
    struct job_room room;
    const uint8_t *dedupe_print; // DEDUPE_PRINT_BYTES, where the spec has a dedupe_key
    bool is_blocked;             // other jobs have to end first
    const char *parent;          // id of the job that submits; NULL: none does
    uint32_t parent_attempt;     // the one that does
};

// In state QUEUED, attempt 0. Refuses (queue_store_check_room, QUEUE_LIMIT) before it changes
// anything. ret_row is complete, with the spec that was given.
enum soma_code job_store_insert(struct store_txn *txn, const struct job_new *job,
                                struct job_row *ret_row, struct soma_error *err);

// The queued or running job with this dedupe key in the namespace of the queue; *ret_num 0: there
// is none. ret_is_same says
// whether the request that submitted it had the same print.
enum soma_code job_store_find_dedupe(struct store_txn *txn, const char *key, const char *queue,
                                     const uint8_t *print, int64_t *ret_num, bool *ret_is_same,
                                     struct soma_error *err);

// JOB_NOT_FOUND with field "job_id".
enum soma_code job_store_get(struct store_txn *txn, const char *id, bool with_body,
                             struct arena *arena, struct job_row *ret_row, struct soma_error *err);
enum soma_code job_store_get_num(struct store_txn *txn, int64_t num, bool with_body,
                                 struct arena *arena, struct job_row *ret_row,
                                 struct soma_error *err);

// Writes row->job.status, gives it the next revision and makes row->stored the same. A job that
// ends and is awaited is noted for store/job_after.h. INTERNAL where the job is no longer as
// row->stored says, which a row read in the same transaction always is.
enum soma_code job_store_update(struct store_txn *txn, struct job_row *row, struct soma_error *err);

// Removes a final job; who watches is told. JOB_NOT_FOUND, JOB_NOT_FINAL.
enum soma_code job_store_delete(struct store_txn *txn, int64_t num, struct wall_time now,
                                struct soma_error *err);

enum soma_code job_store_totals(struct store_txn *txn, struct job_totals *ret_totals,
                                struct soma_error *err);

// --- lists

// All lists end before their rows take more than about a quarter of the arena, but not without a
// row; more says so.

// Newest first, those with a num below before (0: from the newest). At most max rows, and no more
// than 20 000 rows are looked at: a page may be short, or empty, and have more.
enum soma_code job_store_list(struct store_txn *txn, const struct job_filter *filter,
                              int64_t before, size_t max, struct arena *arena,
                              struct job_list *ret_list, struct soma_error *err);

struct job_changes {
    struct job_list jobs; // by rising revision
    const char **removed_ids;
    size_t removed_count;
    int64_t revision;  // up to which changes are told
    int64_t latest;    // up to which there are any
    bool is_first;     // this belongs to a first reading
    bool history_lost; // what was removed after since is not known; nothing else is set
};

// What changed after since and up to what this transaction sees, in bounded pieces: at most max
// jobs and max removals, and no more than 20 000 rows are looked at. since is 0 for a first reading
// and job_changes_next for what follows: whoever is still at his first reading knows nothing yet
// that may have been removed long ago, so that no history is lost to him.
enum soma_code job_store_changes(struct store_txn *txn, int64_t since,
                                 const struct job_filter *filter, size_t max, struct arena *arena,
                                 struct job_changes *ret_changes, struct soma_error *err);

// Where to go on: the revision, below 0 while a first reading is not at its end.
int64_t job_changes_next(const struct job_changes *changes);

// That of the latest change of any job. A list that was made in the same transaction and what
// job_store_changes tells from here on leave no gap.
enum soma_code job_store_revision(struct store_txn *txn, int64_t *ret_revision,
                                  struct soma_error *err);

// Running jobs with a num above after, oldest first.
enum soma_code job_store_running(struct store_txn *txn, int64_t after, size_t max,
                                 struct arena *arena, struct job_list *ret_list,
                                 struct soma_error *err);

// Final jobs that match and ended at or before the time, those that ended first come first. Looks
// at as many rows as it takes: not for the writer thread where there is a filter. Here and in the
// two lists below rows come without their specifications.
enum soma_code job_store_ended(struct store_txn *txn, const struct job_filter *filter,
                               struct wall_time ended_before, size_t max, struct arena *arena,
                               struct job_list *ret_list, struct soma_error *err);

// Final jobs whose keep time is over.
enum soma_code job_store_expired(struct store_txn *txn, struct wall_time now, size_t max,
                                 struct arena *arena, struct job_list *ret_list,
                                 struct soma_error *err);

// Final jobs of the queue that ended at or before the time, those that ended first come first.
enum soma_code job_store_ended_of_queue(struct store_txn *txn, const char *queue,
                                        struct wall_time ended_before, size_t max,
                                        struct arena *arena, struct job_list *ret_list,
                                        struct soma_error *err);

// --- attempts before the latest

// Keeps what status says of the attempt that has just ended; what is kept already stays.
enum soma_code job_store_keep_attempt(struct store_txn *txn, int64_t num,
                                      const struct job_status *status, struct soma_error *err);

// The latest max of them, oldest first.
enum soma_code job_store_attempts(struct store_txn *txn, int64_t num, size_t max,
                                  struct arena *arena, struct job_past **ret_attempts,
                                  size_t *ret_count, struct soma_error *err);

// --- removals

// Forgets at most max removals from before the time.
enum soma_code job_store_forget_removed(struct store_txn *txn, struct wall_time before, size_t max,
                                        struct soma_error *err);

#endif
