// The parts of a job that say when it is started, and started again.
#ifndef LIB_JOB_SCHEDULE_H
#define LIB_JOB_SCHEDULE_H

#include <soma/v1/jobs.pb-c.h>

#include "lib/packing.h"
#include "lib/reading.h"

void pack_schedule(const struct soma_job_spec *spec, Pb__JobSpec *message, struct packing *packing);
void read_schedule(struct reading *reading, const Pb__JobSpec *message, struct soma_job_spec *spec);

// What a queued job waits for, and its attempts.
void read_waits(struct reading *reading, const Pb__JobStatus *status, struct soma_job *job);

// -1 where the reason has no exit code; 0 where it has no signal.
int read_exit_code(enum soma_job_reason reason, int32_t exit_code);
int read_signal(enum soma_job_reason reason, int32_t signal_number);

#endif
