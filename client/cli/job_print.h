// How jobs are shown.
#ifndef CLI_JOB_PRINT_H
#define CLI_JOB_PRINT_H

#include "cli/cli.h"
#include "cli/json_out.h"
#include "cli/terminal.h"

// The job as a JSON object; with_spec: also what only soma_job_get brings.
void job_to_json(struct json_out *out, const struct soma_job *job, bool with_spec);

// "exit code 3", "signal 9 (Killed)", "time limit of 10s": how it ended, or its state.
void job_outcome(const struct soma_job *job, char *ret_text, size_t size);

enum paint job_state_paint(enum soma_job_state state);

#endif
