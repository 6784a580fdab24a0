// Queued jobs on a scratch store with a clock of the test's own: what a submit, an end, a cancel
// and the engine's claim do, one at a time. One scene at a time.
#ifndef TESTS_UNIT_QUEUE_SCENE_H
#define TESTS_UNIT_QUEUE_SCENE_H

#include "jobs/changes.h"
#include "jobs/submit.h"
#include "store_scratch.h"

enum {
    ARENA_BYTES = 8 << 20,
    START_MS = 1000000,
};

extern struct scratch queue_scratch;
// What the clock says; START_MS at the beginning of each test.
extern int64_t queue_now_ms;

int queue_set_up(void **state);
int queue_tear_down(void **state);

struct submit {
    struct job_spec spec;
    uint8_t print[DEDUPE_PRINT_BYTES];
    char id[ID_SIZE];
    bool is_existing;
    bool is_same;
};

// Scratch functions, for what is to be refused: of a struct submit, of a struct step.
scratch_fn queue_apply_submit;
scratch_fn queue_apply_change;

void queue_submit_it(struct submit *submit);
void queue_submit_plain(struct submit *submit);
void queue_submit_after(struct submit *submit, const char *const *after, size_t count,
                        enum job_after_policy policy);

// With all that its limits allow in a head. Static memory.
struct job_spec queue_large_spec(void);

struct step {
    const char *id; // to be changed; NULL: only the claim
    const struct job_outcome *outcome;
    bool claims, gives_back, cancels, retries;
    char claimed[ID_SIZE]; // "": none
    struct wall_time due;
};

void queue_end_as(const char *id, enum job_reason reason, int exit_code);
void queue_cancel(const char *id);
enum soma_code queue_retry(const char *id, struct soma_error *err);

// A claim for one place gives this job; or none, and the next look is due then.
void queue_claims(const char *id);
void queue_claims_nothing_until(int64_t due_ms);

// What one claim without a place does that has room for so few changes.
void queue_settles(size_t max);

// Its texts live until the next call.
struct job_status queue_status_of(const char *id);
// Ended like that, and now.
void queue_assert_ended(const char *id, enum job_state state, enum job_reason reason);

#endif
