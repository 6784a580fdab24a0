// The job's processes: all descendants of the runner but those that carry the job (carrier.h).
// Whoever is orphaned, double-forked or in another session still is a descendant, for the init
// outside of namespaces and the runner itself are subreapers; and waitpid's ECHILD proves that none
// is left.
//
// Needs /proc with task/TID/children (CONFIG_PROC_CHILDREN, in all distributions' kernels).
#ifndef RUNNER_TREE_H
#define RUNNER_TREE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "runner/descendants.h"

struct tree {
    pid_t carrier_pid;       // 0: there is none
    bool is_nested;          // the carrier's child carries too: the init in its pid namespace
    pid_t init_pid;          // that one, once it was seen
    int carrier_wait_status; // as of waitpid, once carrier_ended
    bool carrier_ended;
    bool main_ended;
    int main_wait_status;      // as the init told it, once main_ended
    bool is_empty;             // no descendant is left
    int64_t asked_count;       // processes that got TERM
    int64_t killed_count;      // processes that got KILL
    struct descendants killed; // those; owned
};

void tree_fini(struct tree *tree);

// Whether a descendant carries the job rather than being part of it.
bool tree_is_carrier(struct tree *tree, const struct descendant *descendant);

// Reaps whoever has ended. The only place that does, so that no status is lost.
void tree_reap(struct tree *tree);

// SIGTERM to every process of the tree.
void tree_terminate(struct tree *tree);

// KILLs all: in namespaces by the init, with which the kernel ends the rest; elsewhere it stops
// all, again until no new ones appear, so that nobody forks or reaps any more. To be repeated until
// the tree is empty.
void tree_kill(struct tree *tree);

// How many processes of the tree are alive.
int tree_count(struct tree *tree);

#endif
