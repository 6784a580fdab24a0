// Processes and threads of the machine.
#ifndef RUNNER_TASKS_H
#define RUNNER_TASKS_H

#include <stdint.h>
#include <sys/types.h>

// How many tasks, threads counted, /proc shows of this user.
int64_t tasks_of_user(uid_t uid);

#endif
