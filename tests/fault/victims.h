// Finds processes of one server by what /proc says, so that they can be killed.
#ifndef TESTS_VICTIMS_H
#define TESTS_VICTIMS_H

#include <stdbool.h>
#include <sys/types.h>

#include "dice.h"

// One of the supervisors of jobs whose directories lie in jobs_directory, and whose spawner lives;
// 0: none runs.
pid_t victim_runner(struct dice *dice, const char *jobs_directory);
// One of the programs, the first process of its job, with "NAME=VALUE" in its environment; 0: none.
pid_t victim_program(struct dice *dice, const char *variable);
// The server's spawner; 0: there is none at the moment, or it is about to kill what a runner left.
pid_t victim_spawner(pid_t server_pid);
bool victim_is_dead(pid_t pid);

// Supervisors and descendants of jobs that are there now.
int victims_left(const char *jobs_directory, const char *variable);
// Open descriptors of the process.
int victim_descriptors(pid_t pid);

#endif
