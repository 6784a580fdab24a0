// The command progress, and the progress of the job that a command runs in.
#ifndef CLI_JOB_PROGRESS_H
#define CLI_JOB_PROGRESS_H

#include "cli/cli.h"

extern const struct option job_progress_options[];

// To $SOMA_PROGRESS. False: errno; there is no reader, or the variable is not set.
bool job_progress_write(double percent, const char *message);

int run_progress(struct cli *cli, const struct options *options);

#endif
