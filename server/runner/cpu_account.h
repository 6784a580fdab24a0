// The processor time of all that ever ran in a tree, as far as looks at the living can tell.
//
// Whoever is waited for leaves its time to who waited. Whoever is not, as its parent ignores
// SIGCHLD, takes it along: then what was last seen of it counts. Nobody says which of the two
// became of a process that is gone, so the time of those that vanish is set against what others
// took over, and the rest was lost. That is the least that it can have been.
#ifndef RUNNER_CPU_ACCOUNT_H
#define RUNNER_CPU_ACCOUNT_H

#include <stdbool.h>
#include <stddef.h>

#include "runner/process_stat.h"

struct cpu_process;

struct cpu_list {
    struct cpu_process *list; // owned
    size_t count, size;
};

struct cpu_account {
    struct cpu_list seen;          // at the last look, by their pids
    struct cpu_list found;         // at this one
    bool is_partial;               // this one, for want of memory
    int64_t vanished[TIME_COUNT];  // as last seen, of those that were gone at the last look
    int64_t left_over[TIME_COUNT]; // taken over before the last look, by whom has yet to be seen
    int64_t reaped[TIME_COUNT];    // by this process itself
    int64_t lost[TIME_COUNT];
};

void cpu_account_fini(struct cpu_account *account);

// A look: every living process, parents before their children, then the end, which gives the ticks
// of the whole tree up to now. A carrier's own time is not the tree's. They may be fewer than
// before, for a process that is reaped during a look is missing in it.
void cpu_account_add(struct cpu_account *account, pid_t pid, bool is_carrier,
                     const struct process_stat *stat);
void cpu_account_end(struct cpu_account *account, int64_t ret_ticks[TIME_COUNT]);

#endif
