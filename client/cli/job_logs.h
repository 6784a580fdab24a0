// The command logs.
#ifndef CLI_JOB_LOGS_H
#define CLI_JOB_LOGS_H

#include "cli/cli.h"

int run_logs(struct cli *cli, const struct options *options);
extern const struct option job_logs_options[];

#endif
