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

// filter may be NULL: everything.
enum soma_code job_filter_from(const Pb__JobFilter *filter, struct arena *arena,
                               struct job_filter *ret_filter, struct soma_error *err);

// Required, at most an id's length; whether it names a job is for the store to say.
enum soma_code job_id_from(const char *job_id, struct soma_error *err);

// A cancel's note, a progress message.
enum soma_code job_text_from(const char *text, const char *field, struct soma_error *err);

#endif
