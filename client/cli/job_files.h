// The files that --file names, on their way to the server.
#ifndef CLI_JOB_FILES_H
#define CLI_JOB_FILES_H

#include "cli/cli.h"
#include "cli/pool.h"

// Fills spec->files: small files go with the specification, larger ones are uploaded here.
int job_files_send(struct cli *cli, const struct options *options, struct pool *pool,
                   struct soma_job_spec *spec);

#endif
