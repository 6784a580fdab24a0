// The first process below the runner: it becomes the job's init, or bubblewrap, which starts the
// init inside of namespaces.
#ifndef RUNNER_CARRIER_H
#define RUNNER_CARRIER_H

#include <sys/types.h>

#include "runner/cgroup.h"
#include "runner/order.h"

// All descriptors are the runner's and close with an exec.
struct carrier {
    struct order *order;
    const char *attempt_path;
    const struct cgroups *cgroups;
    pid_t runner_pid;
    int work_fd;
    int stdin_fd;
    int stdout_fd;
    int stderr_fd;
    int report_fd;
    // Only in namespaces; -1 elsewhere.
    int order_fd;
    int complaint_fd; // what bubblewrap says
};

// What runs in the fork.
_Noreturn void carrier_run(const struct carrier *carrier);

#endif
