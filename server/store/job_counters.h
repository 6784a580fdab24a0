// What would otherwise be counted: the latest revision and, for each queue, its jobs by state. For
// the files of this folder alone.
//
// The writing connection keeps them in memory. A change of a job moves them there; the queues that
// a transaction touched are written once, before its COMMIT, by whatever number of operations they
// were moved. The parts of a transaction can be undone alone, as they can in the database
// (connection.h calls counters_part_… and counters_commit…). After a rollback of anything they are
// read again.
//
// Beside the counts each queue remembers its head, the ready job that is to be started first. So a
// claim looks at no row of a queue that is paused or full, and at one row of any other.
#ifndef STORE_JOB_COUNTERS_H
#define STORE_JOB_COUNTERS_H

#include "jobs/queue.h"
#include "store/store.h"

struct queue_values {
    struct queue_settings settings;
    int64_t count_of[JOB_STATE_COUNT];
    int64_t output_bytes;
};

// What is counted of a namespace.
struct space_count {
    char name[NAMESPACE_SIZE];
    int64_t queued; // in all of its queues
    struct space_count *next;
};

struct queue_node {
    char name[QUEUE_NAME_BYTES + 1];
    struct space_count *space;
    struct queue_values now;
    struct queue_values before_part; // where is_touched
    bool is_touched;                 // by the open part
    bool is_dirty;                   // the row says something else
    struct queue_node *next_touched;
    struct queue_node *next_dirty;
    bool head_is_known;
    int64_t head_num; // 0: no job is ready
    int32_t head_priority;
};

struct job_counters {
    bool is_loaded;
    bool is_changed; // by the open transaction, heads included
    int64_t revision;
    int64_t unfinished; // queued and running in all queues
    int64_t revision_before_part;
    int64_t unfinished_before_part;
    bool part_forgot_heads;    // what it learned of them since may be undone with it
    struct queue_node **nodes; // by name
    size_t count;
    size_t room;
    struct space_count *spaces;
    struct queue_node *touched;
    struct queue_node *dirty;
};

// NULL: no memory. Free takes NULL.
struct job_counters *counters_new(void);
void counters_free(struct job_counters *counters);

// The writing connection's, read from the database where they are not known. INTERNAL on another
// connection.
enum soma_code counters_get(struct store_txn *txn, struct job_counters **ret_counters,
                            struct soma_error *err);

// NULL: no such queue.
struct queue_node *counters_find(const struct job_counters *counters, const char *name);

// Jobs that are queued in the namespace of the queue.
int64_t counters_queued_beside(const struct job_counters *counters, const char *queue);

// The queue's node, made where there is none (QUEUE_LIMIT), ready to be changed.
enum soma_code counters_touch(struct job_counters *counters, const char *name,
                              struct queue_node **ret_node, struct soma_error *err);

// A job of the queue went from one state to another, 0: not there. Gives the change's revision.
enum soma_code counters_move(struct store_txn *txn, const char *queue, unsigned from, unsigned to,
                             int64_t bytes, int64_t *ret_revision, struct soma_error *err);

// The job became ready, or is ready no more.
void counters_ready(struct store_txn *txn, const char *queue, int32_t priority, int64_t num);
void counters_not_ready(struct store_txn *txn, const char *queue, int64_t num);
// Any jobs may have become ready.
void counters_forget_heads(struct store_txn *txn);

// --- for connection.c; counters may be NULL

void counters_part_begin(struct job_counters *counters);
void counters_part_keep(struct job_counters *counters);
void counters_part_undo(struct job_counters *counters);
// Writes what has changed.
enum soma_code counters_write(struct store_txn *txn, struct soma_error *err);
void counters_committed(struct job_counters *counters);
void counters_rolled_back(struct job_counters *counters);

#endif
