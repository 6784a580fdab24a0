// The command progress.
#ifndef CLI_JOB_PROGRESS_H
#define CLI_JOB_PROGRESS_H

#include "cli/cli.h"

extern const struct option job_progress_options[];

int run_progress(struct cli *cli, const struct options *options);

#endif
