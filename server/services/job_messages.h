// Jobs from domain values to protobuf, in an arena; texts are borrowed from the value.
#ifndef SERVICES_JOB_MESSAGES_H
#define SERVICES_JOB_MESSAGES_H

#include "base/arena.h"
#include "jobs/engine.h"
#include "jobs/job.h"
#include "soma/v1/jobs.pb-c.h"

enum job_parts {
    JOB_STATUS_ONLY,
    JOB_WITH_HEAD, // without source, stdin and environment
    JOB_WHOLE,
};

// engine (NULL: none) adds what it knows of a running job. NULL: no memory.
Pb__Job *job_message(const struct job *job, enum job_parts parts, struct engine *engine,
                     struct arena *arena);

// The parts of the specification that job_schedule_from reads. False: no memory.
bool job_message_put_schedule(Pb__JobSpec *message, const struct job_spec *spec,
                              struct arena *arena);

// What only GetJob tells.
struct job_history {
    struct job_past *attempts; // before the latest
    size_t attempt_count;
    const char **waiting_for;
    size_t waiting_count;
};

// Adds it to the job's message. False: no memory.
bool job_message_put_history(Pb__Job *message, const struct job *job,
                             const struct job_history *history, struct arena *arena);

#endif
