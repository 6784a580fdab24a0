// What happens in the job's own process between fork and exec: limits, user, walls; then it waits
// for the runner's word, and becomes the program.
#ifndef RUNNER_JOB_CHILD_H
#define RUNNER_JOB_CHILD_H

#include <sys/types.h>

#include "runner/order.h"
#include "runner/report.h"

// Its descriptors 0, 1 and 2 are the program's already, its directory is the work directory.
struct job_child {
    const struct order *order;
    const char *attempt_path;
    pid_t init_pid;
    int report_fd; // the word to go comes from it
    int word_fd;   // to the init; closed by the exec
};

// What the child writes to its init: once when it is ready, and once more where a step fails. The
// end without a failure means that the program runs.
struct job_child_word {
    bool has_failed;
    struct start_failure failure;
    struct start_layers layers;
};

_Noreturn void job_child_run(const struct job_child *child);

// Root's change to the order's group and user; nothing for anybody else. False: errno.
bool job_child_leave_groups(const struct order *order);
bool job_child_become_user(const struct order *order);

#endif
