// Jobs from protobuf to domain values, every documented range and default applied.
//
// The values borrow the message's texts and live in the same arena.
#ifndef SERVICES_JOB_VALUES_H
#define SERVICES_JOB_VALUES_H

#include "base/arena.h"
#include "jobs/job.h"
#include "jobs/languages.h"
#include "soma/v1/jobs.pb-c.h"

// spec may be NULL: FIELD_REQUIRED.
enum soma_code job_spec_from(const Pb__JobSpec *spec, const struct languages *languages,
                             struct arena *arena, struct job_spec *ret_spec,
                             struct soma_error *err);

// The parts of spec that say when the job is started, and started again; delays become times by the
// clock as it is now.
enum soma_code job_schedule_from(const Pb__JobSpec *spec, struct job_spec *ret_spec,
                                 struct soma_error *err);

// The name of a queue that is asked about: required.
enum soma_code job_queue_from(const char *queue, struct soma_error *err);

// What RetryPolicy.on_reasons means where it names none; bits 1 << reason.
int64_t job_retry_default_reasons(void);

// filter may be NULL: everything.
enum soma_code job_filter_from(const Pb__JobFilter *filter, struct arena *arena,
                               struct job_filter *ret_filter, struct soma_error *err);

// Required, at most an id's length; whether it names a job is for the store to say.
enum soma_code job_id_from(const char *job_id, struct soma_error *err);

// A cancel's note, a progress message.
enum soma_code job_text_from(const char *text, const char *field, struct soma_error *err);

#endif
