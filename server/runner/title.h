// What `ps` shows for a runner: "soma-runner JOB".
#ifndef RUNNER_TITLE_H
#define RUNNER_TITLE_H

// Remembers the memory that `ps` reads: the arguments, and behind them an environment that only
// makes room (spawner.c). Not for a process that still needs its environment.
void title_init(int argc, char **argv, char **environment);

// Shows "soma-runner text", cut to the room; nothing where title_init was not called.
void title_set(const char *text);

#endif
