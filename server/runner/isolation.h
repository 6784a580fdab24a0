// What stands around a job: one line for each layer, "+name detail" where it is enforced and "-name
// detail" where it is not, with by what or why not. The same lines go to servers on links, and into
// the status.
//
// Names are stable, and details say nothing that differs from job to job: many jobs share one text.
#ifndef RUNNER_ISOLATION_H
#define RUNNER_ISOLATION_H

#include "runner/cgroup.h"
#include "runner/order.h"
#include "runner/report.h"

enum {
    ISOLATION_TEXT_SIZE = 2048
};

// Lines, each with its LF.
void isolation_describe(const struct order *order, const struct start_layers *layers,
                        const struct cgroups *cgroups, char ret_text[ISOLATION_TEXT_SIZE]);

#endif
