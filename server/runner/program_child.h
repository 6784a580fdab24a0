// What happens in the child between fork and exec.
#ifndef RUNNER_PROGRAM_CHILD_H
#define RUNNER_PROGRAM_CHILD_H

#include <sys/types.h>

#include "runner/order.h"

struct program_child {
    struct order *order;
    pid_t runner_pid;
    int work_fd;
    int stdin_fd;
    int stdout_fd;
    int stderr_fd;
    int report_fd;
};

enum program_step {
    STEP_SESSION,
    STEP_STREAMS,
    STEP_DIRECTORY,
    STEP_LIMITS,
    STEP_GROUPS,
    STEP_USER,
    STEP_PRIVILEGES,
    STEP_DEATH_SIGNAL,
    STEP_EXECUTE,
    STEP_COUNT
};

// What the child sends where a step fails.
struct program_failure {
    int step;
    int errnum;
};

// Sets up, waits for the runner's word, executes the order's program; on failure reports and exits.
_Noreturn void program_child_run(const struct program_child *child);

// "enter the work directory": what cannot be done.
const char *program_step_text(int step);

// As a shell and `docker run` say it: 127 not found, 126 found but not executable, 125 otherwise.
int program_failure_exit_code(const struct program_failure *failure);

#endif
