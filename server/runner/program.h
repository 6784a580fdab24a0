// The job's program: a child that sets itself up, waits to be let go, and says over a socket which
// step failed. The end of that socket without a word means that the program runs.
//
// Set up: a session of its own; all signals at their defaults; the order's user, no other groups,
// no new privileges, killed when the runner dies; no core files; standard input from the order,
// output into pipes, no other descriptor; the work directory; the order's environment and nothing
// else.
#ifndef RUNNER_PROGRAM_H
#define RUNNER_PROGRAM_H

#include <sys/types.h>

#include "runner/attempt_dir.h"
#include "runner/order.h"

struct program {
    pid_t pid;     // 0: none was forked
    int report_fd; // non-blocking; -1 after its end
    int stdout_fd; // the pipes' reading ends, non-blocking; the caller takes them over
    int stderr_fd;
    char name[101]; // the beginning of the program's name, for messages
};

enum program_report {
    PROGRAM_STARTING, // nothing is known yet
    PROGRAM_RUNS,
    PROGRAM_FAILED // exit_code and err are filled
};

// Whether a program may run as the order's user. Never as root, and only root may change to
// another; a user that the runner is already is taken out of the order. INTERNAL where it may not.
enum soma_code program_settle_user(struct order *order, struct soma_error *err);

// Forks the child, which then waits; the order, its user settled, is not needed any longer.
enum soma_code program_start(struct order *order, const struct attempt_dir *dir,
                             struct program *ret_program, struct soma_error *err);

// Lets the child go.
void program_release(struct program *program);

// What the child has said by now; closes report_fd at its end. exit_code: 127 where the program was
// not found, 126 where it cannot be executed, 125 for every other step.
enum program_report program_read_report(struct program *program, int *ret_exit_code,
                                        struct soma_error *err);

#endif
