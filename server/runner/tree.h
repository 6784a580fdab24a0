// The job's processes: all descendants of the runner, which is their subreaper: whoever is
// orphaned, double-forked or in another session still is one, and waitpid's ECHILD proves that none
// is left.
//
// Needs /proc with task/TID/children (CONFIG_PROC_CHILDREN, in all distributions' kernels).
#ifndef RUNNER_TREE_H
#define RUNNER_TREE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct tree {
    pid_t main_pid;
    bool main_ended;
    int main_wait_status; // as of waitpid, once main_ended
    bool is_empty;        // no descendant is left
    bool is_signalled;    // the runner has sent signals: from now on deaths are its doing
    int64_t killed_count; // processes reaped since then that TERM or KILL ended
};

// Reaps whoever has ended. The only place that does, so that no status is lost.
void tree_reap(struct tree *tree);

// SIGTERM to every process of the tree.
void tree_terminate(struct tree *tree);

// Stops all, again until no new ones appear, so that nobody forks or reaps any more, then KILLs
// all. To be repeated until the tree is empty.
void tree_kill(struct tree *tree);

// How many processes of the tree /proc shows, zombies too.
int tree_count(void);

#endif
