// Why and how an attempt ends: the first cause, and the ladder of signals that follows it. Says
// what is to be done and when; does nothing itself.
//
//     RUNS ──► cancel, a limit, shutdown: TERM to the tree ─► TERMINATING ──grace──► KILLING
//       └────► the main process ended, others are left ─► LEFT_BEHIND ──0.5 s──► KILLING
//     any ──► no process is left ─► OVER        KILLING ──60 s──► OVER, with what cannot be killed
//
// Those left behind get no TERM: the job is over. The half second is for filters that end by
// themselves, `main > >(tee log)`: their last words still count as output.
#ifndef RUNNER_ENDING_H
#define RUNNER_ENDING_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"

enum end_cause {
    CAUSE_NONE,
    CAUSE_MAIN_ENDED,
    CAUSE_CANCEL,
    CAUSE_WALL_TIME,
    CAUSE_SHUTDOWN, // the runner itself got a signal
    CAUSE_CPU_TIME,
    CAUSE_MEMORY,
    CAUSE_DISK,
    CAUSE_OUTPUT
};

enum end_phase {
    PHASE_RUNS,
    PHASE_LEFT_BEHIND,
    PHASE_TERMINATING,
    PHASE_KILLING,
    PHASE_OVER
};

enum end_action {
    ACTION_NONE,
    ACTION_TERMINATE, // tree_terminate
    ACTION_KILL       // tree_kill
};

struct ending {
    enum end_cause cause; // the first one
    enum end_phase phase;
    struct mono_time deadline; // of the phase; of the attempt while it runs
    struct mono_time give_up;  // of PHASE_KILLING
    int64_t kill_wait_ms;      // between two rounds of PHASE_KILLING
};

enum {
    ENDING_LEFT_BEHIND_MS = 500,
    ENDING_GIVE_UP_MS = 60000
};

// An attempt that runs until wall_deadline.
void ending_init(struct ending *ending, struct mono_time wall_deadline);

// Somebody or something asks for the end. The first cause stays; a later one can only shorten the
// grace. 0: KILL at once.
enum end_action ending_ask(struct ending *ending, enum end_cause cause, int64_t grace_ms);

// What tree_reap found.
void ending_note_tree(struct ending *ending, bool main_ended, bool is_empty);

// To be called when the deadline may have come. grace_ms: for the end by wall time.
enum end_action ending_check_deadline(struct ending *ending, int64_t grace_ms);

#endif
