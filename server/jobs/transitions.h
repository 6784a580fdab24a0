// The life of a job as one table: what may happen in which state, and what comes of it.
//
// Only the writer thread applies it, inside a write transaction (jobs/changes.h), so a final state
// has one owner and is never overwritten by a late report.
#ifndef JOBS_TRANSITIONS_H
#define JOBS_TRANSITIONS_H

#include "jobs/job.h"

enum job_event {
    JOB_EVENT_CLAIM,     // a free place: the next attempt begins
    JOB_EVENT_GIVE_BACK, // the claimed attempt never let the program run: the same attempt again
    JOB_EVENT_SUCCEED,   // exit code 0
    JOB_EVENT_FAIL,      // any other end by itself, no start, or one that it waited for failed
    JOB_EVENT_TIME_OUT,  // the wall-time limit
    JOB_EVENT_CANCEL,    // ended because somebody asked
    JOB_EVENT_LOSE,      // the supervisor vanished without a status
    JOB_EVENT_TRY_AGAIN, // the attempt failed, and another one is to follow
    JOB_EVENT_EXPIRE,    // the deadline for starting passed
    JOB_EVENT_RETRY,     // somebody wants a final job to run again
    JOB_EVENT_COUNT
};

// False where the event cannot happen in that state; then nothing is written.
bool job_transition(enum job_state state, enum job_event event, enum job_state *ret_state);

// The event that the end of an attempt is. TRY_AGAIN while attempts remain, the specification wants
// another one after such an end, and nobody asked for the job's end. A lost attempt is followed by
// another one only where the program is idempotent: up to LIMIT_JOB_LOST_ATTEMPTS, or retry's own
// number.
enum job_event job_event_of(const struct job_outcome *outcome, const struct job_spec *spec,
                            const struct job_status *status);

#endif
