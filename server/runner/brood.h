// The runners that the spawner forked, and what is left of their jobs when they are killed: the
// spawner is the subreaper above its runners, so what a dead one leaves behind becomes its child,
// and whatever child is no runner is killed.
#ifndef RUNNER_BROOD_H
#define RUNNER_BROOD_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct brood {
    pid_t *pids; // owned; of runners that were not reaped yet, in no order
    size_t count;
    size_t size;
};

void brood_fini(struct brood *brood);

// Room for one more; false: no memory.
bool brood_make_room(struct brood *brood);
// A runner was forked. There is room.
void brood_add(struct brood *brood, pid_t pid);
// To be called after each SIGCHLD: reaps, and kills what a killed runner left behind. False: no
// child is left.
bool brood_reap(struct brood *brood);

#endif
