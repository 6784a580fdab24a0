// What comes over the socket between a runner and the job's init: fixed structs, one a packet, both
// from the same program. The other way goes one word: the permission to run.
#ifndef RUNNER_REPORT_H
#define RUNNER_REPORT_H

#include <stdbool.h>
#include <stdint.h>

// The steps of a start; each may fail.
enum start_step {
    STEP_SESSION,
    STEP_STREAMS,
    STEP_DIRECTORY,
    STEP_ORDER,
    STEP_CGROUP,
    STEP_LIMITS,
    STEP_GROUPS,
    STEP_USER,
    STEP_PRIVILEGES,
    STEP_SANDBOX,
    STEP_LANDLOCK,
    STEP_SECCOMP,
    STEP_FORK,
    STEP_DEATH_SIGNAL,
    STEP_EXECUTE,
    STEP_COUNT
};

// "enter the work directory": what cannot be done.
const char *start_step_text(int step);

struct start_failure {
    int step; // enum start_step
    int errnum;
};

// As a shell and `docker run` say it: 127 not found, 126 found but not executable, 125 otherwise.
int start_failure_exit_code(const struct start_failure *failure);

// What the job's own process put upon itself.
struct start_layers {
    int landlock_abi;     // 0: none
    int landlock_errnum;  // why
    int seccomp_errnum;   // 0: the filter is in place
    int64_t process_room; // RLIMIT_NPROC: what the limit came out as; 0: none
};

enum report_kind {
    REPORT_FAILED = 1, // the program was not started: failure
    REPORT_RUNS,       // it runs: layers
    REPORT_ENDED       // the program ended: wait_status. What it left may still run
};

struct report {
    enum report_kind kind;
    struct start_failure failure;
    struct start_layers layers;
    int wait_status;
};

// False: the other side is gone.
bool report_send(int fd, const struct report *report);

enum {
    REPORT_EXIT = 125 // of a process that has reported a failure
};

// Reports and exits.
_Noreturn void report_failure(int fd, enum start_step step, int errnum);

#endif
