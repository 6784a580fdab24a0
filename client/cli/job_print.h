// How jobs are shown.
#ifndef CLI_JOB_PRINT_H
#define CLI_JOB_PRINT_H

#include "cli/cli.h"
#include "cli/json_out.h"
#include "cli/terminal.h"

// The job as a JSON object; with_spec: also what only soma_job_get brings.
void job_to_json(struct json_out *out, const struct soma_job *job, bool with_spec);

// Adds to "exit code 3", "cancelled" or the like, in a room of size, what the server's message says
// beyond it: the clauses after "the program exited with code 3", or all of it.
void job_outcome_add(char *text, size_t size, const char *message);

// "failed, exit code 3", "failed, signal 9 (Killed); 2 processes …", "cancelled: by ada on
// lovelace": how it ended, or its state.
void job_outcome(const struct soma_job *job, char *ret_text, size_t size);

enum paint job_state_paint(enum soma_job_state state);

#endif
