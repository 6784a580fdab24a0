// The files that a job finds in its work directory.
#ifndef RUNNER_INPUTS_H
#define RUNNER_INPUTS_H

#include "runner/attempt_dir.h"

// Puts the order's files into the work directory, their directories with them, all of them the job
// user's. Before the program starts, so nothing there is anybody's but ours.
enum soma_code inputs_place(const struct attempt_dir *dir, const struct order *order,
                            struct soma_error *err);

#endif
