// A plain model of the store's jobs: random changes go to both, and must come out the same. State
// of one test program, seeded anew for each test.
#ifndef TESTS_UNIT_JOB_MODEL_H
#define TESTS_UNIT_JOB_MODEL_H

#include "store/jobs.h"
#include "store_scratch.h"

enum {
    MODEL_MAX = 400,
    ARENA_BYTES = 8 << 20
};

struct model_job {
    char id[ID_SIZE];
    int64_t num;
    enum job_state state; // 0: removed
    const char *queue;
    const char *colour; // value of the label "colour"; NULL: no labels
    int32_t priority;
    int64_t not_before;
    int64_t finished;
    int64_t keep;
    uint32_t attempt;
    int64_t kept_bytes;
    int64_t revision; // of the latest change, its removal included
};

extern struct scratch model_scratch;
extern struct model_job model[MODEL_MAX]; // in the order of their submits
extern size_t model_count;
extern int64_t model_revision;
extern int64_t model_now_ms;

int model_set_up(void **state);
int model_tear_down(void **state);

// A pseudo-random number below the bound.
uint32_t model_pick(uint32_t below);

void model_insert(void);
// Brings the store to what the model says of the job.
void model_change(struct model_job *job);
// Where the job is not final, checks that it is refused.
void model_delete(struct model_job *job);
// A random change.
void model_step(void);

// A scratch_fn: deletes by the model_job's num.
enum soma_code model_delete_num(void *context, struct store_txn *txn, struct soma_error *err);

bool model_matches(const struct model_job *job, const struct job_filter *filter);
struct job_filter model_filter(struct job_label labels[2]);

#endif
