// The job's init: the process between the runner and the program. It starts the program, reaps
// whatever the job leaves behind, and tells the runner exactly how the program ended. The end of
// the runner is the end of the init, and with it of the whole tree: in namespaces the kernel sees
// to that, elsewhere the init kills its descendants first.
//
// In namespaces it is pid 1 there, executed anew by bubblewrap; elsewhere a fork of the runner,
// and a subreaper. Where the server runs as root it stays root outside of namespaces: out of the
// job's reach.
#ifndef RUNNER_INIT_H
#define RUNNER_INIT_H

#include "runner/order.h"

struct init_start {
    struct order *order;
    const char *attempt_path;
    int report_fd;
    bool is_nested; // in a pid namespace
};

// Descriptors 0, 1 and 2 are the program's, the directory is the work directory.
_Noreturn void init_run(const struct init_start *start);

// `soma-runner --init ATTEMPT`, with the descriptors of sandbox.h.
_Noreturn void init_main(const char *attempt_path);

#endif
