// The files of a specification from protobuf to domain values.
#ifndef SERVICES_JOB_FILE_VALUES_H
#define SERVICES_JOB_FILE_VALUES_H

#include "services/job_values.h"

// Fills spec->artifacts.
enum soma_code job_artifacts_from(const Pb__JobSpec *message, struct job_spec *spec,
                                  struct soma_error *err);

// Fills spec->files; the rest of the program is in spec already.
enum soma_code job_files_from(const Pb__JobSpec *message, const struct languages *languages,
                              struct arena *arena, struct job_spec *spec, struct soma_error *err);

#endif
