// What a job in a sandbox sees of the machine, and bubblewrap's argument list that shows it so.
#ifndef RUNNER_SANDBOX_H
#define RUNNER_SANDBOX_H

#include <stdbool.h>
#include <stddef.h>

#include "runner/order.h"

// Descriptors that pass through bubblewrap to the init, which closes them.
enum {
    SANDBOX_REPORT_FD = 3,
    SANDBOX_ORDER_FD = 4,   // the order, open
    SANDBOX_STDERR_FD = 5,  // the job's; descriptor 2 takes bubblewrap's own complaints meanwhile
    SANDBOX_PROGRAM_FD = 6, // soma-runner, to be executed whether or not the job can see it
    SANDBOX_FD_COUNT
};

enum {
    SANDBOX_PATHS_MAX = 64 + ORDER_PATHS_MAX
};

// The folders and files of the machine that any program needs, then the order's own; without those
// that hold the server's data. Fills ret_paths and returns how many.
size_t sandbox_visible_paths(const struct order *order, const char *attempt_path,
                             const char *ret_paths[SANDBOX_PATHS_MAX]);

struct sandbox_args {
    const char **words; // ends with NULL; owned
    char *texts;        // those that were made for it; owned
};

// The command line that runs `soma-runner --init attempt_path` in namespaces of its own. False: no
// memory.
bool sandbox_args_make(const struct order *order, const char *attempt_path,
                       struct sandbox_args *ret_args);

#endif
