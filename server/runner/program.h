// The job's program, as the runner holds it: below it a carrier (carrier.h), the job's init, and
// the program itself, set up and waiting to be let go. What happens to it comes over a socket.
//
// Set up: a session of its own; all signals at their defaults; the order's user, no other groups,
// no new privileges, killed when its init dies, which dies with the runner; limits; the walls that
// the order asks for; standard input from the order, output into pipes, no other descriptor; the
// work directory; the order's environment and nothing else.
#ifndef RUNNER_PROGRAM_H
#define RUNNER_PROGRAM_H

#include <stdbool.h>
#include <sys/types.h>

#include "runner/attempt_dir.h"
#include "runner/cgroup.h"
#include "runner/order.h"
#include "runner/report.h"

struct program {
    pid_t pid;       // of the carrier; 0: none was forked
    bool is_nested;  // the carrier is bubblewrap, and its child the init
    bool runs;       // the program was started
    bool has_failed; // or will not be
    bool has_ended;
    int report_fd;    // non-blocking; -1 after its end
    int complaint_fd; // what bubblewrap said; -1: nothing can be said
    int stdout_fd;    // the pipes' reading ends, non-blocking; the caller takes them over
    int stderr_fd;
    int stdin_fd;   // the pipe's writing end, non-blocking, where input is a stream; otherwise -1
    char name[101]; // the beginning of the program's name, for messages
};

enum program_news {
    PROGRAM_NO_NEWS,
    PROGRAM_RUNS,      // layers are filled
    PROGRAM_ENDED,     // wait_status is filled; what it left may still run
    PROGRAM_LOST_INIT, // it was killed; without namespaces the program still runs
    PROGRAM_FAILED,    // exit_code and err are filled
};

struct program_event {
    struct start_layers layers;
    int wait_status;
    int exit_code; // 127: the program was not found; 126: it cannot be executed; 125: another step
};

// Whether a program may run as the order's user. Never as root, and only root may change to
// another; a user that the runner is already is taken out of the order. INTERNAL where it may not.
enum soma_code program_settle_user(struct order *order, struct soma_error *err);

// Forks the child, which then waits; the order, its user settled, is not needed any longer.
enum soma_code program_start(struct order *order, const struct attempt_dir *dir,
                             const struct cgroups *cgroups, struct program *ret_program,
                             struct soma_error *err);

// Lets the child go.
void program_release(struct program *program);

// What was said by now, one piece of news a call; closes report_fd at its end. An end before the
// program ran is a failure.
enum program_news program_read(struct program *program, struct program_event *ret_event,
                               struct soma_error *err);

#endif
