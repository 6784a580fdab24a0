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

#endif
