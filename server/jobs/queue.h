// A named queue: how its jobs are started and how long they stay. Plain values.
//
// A queue is there while it has jobs, or settings that are not the default ones.
#ifndef JOBS_QUEUE_H
#define JOBS_QUEUE_H

#include "base/namespaces.h"
#include "jobs/job.h"

enum {
    QUEUE_PLAIN_BYTES = 63,
    QUEUE_NAME_BYTES = NAMESPACE_BYTES + 1 + QUEUE_PLAIN_BYTES // of a full name
};

// All 0 is the default. A bound of 0 is none.
struct queue_settings {
    bool paused;         // nothing is started; what runs goes on
    int64_t max_running; // of its jobs at once
    // Finished jobs of the queue go, oldest first, past any of these; their own keep time holds
    // too.
    int64_t keep_ms;    // since their end
    int64_t keep_jobs;  // count
    int64_t keep_bytes; // of their kept output
};

struct queue {
    const char *name; // full: base/namespaces.h
    struct queue_settings settings;
    int64_t count_of[JOB_STATE_COUNT]; // jobs by state
    int64_t output_bytes;              // kept by final jobs
};

#endif
