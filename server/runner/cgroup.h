// The cgroups of one attempt, where the server found that it may make some: the kernel then holds
// the limits of memory and processes, and says when it had to kill. One for each attempt, never
// used again, removed at the end.
#ifndef RUNNER_CGROUP_H
#define RUNNER_CGROUP_H

#include <limits.h>
#include <stdbool.h>

#include "base/error.h"
#include "runner/order.h"

struct cgroups {
    char paths[CGROUP_KIND_COUNT][PATH_MAX]; // "": not made
    bool holds_memory;
    bool holds_processes;
    int64_t kill_count; // processes that the kernel killed for want of memory; once they ended
    int64_t peak_bytes; // the most memory that was in use; 0 where the kernel does not say
    int errnum;         // why one that was asked for could not be made; 0: all could
};

// Makes those that the order's limits need, if only to count, and its cgroup fields allow.
void cgroups_make(struct cgroups *cgroups, const struct order *order);

// Puts this process into them. 0, or an errno.
int cgroups_enter(const struct cgroups *cgroups, const struct order *order);

// The processor time of all that ever ran in one, waited for or not; untouched where none counts
// it.
void cgroups_cpu_ms(const struct cgroups *cgroups, int64_t *ret_user_ms, int64_t *ret_system_ms);

// Keeps what they counted and removes them. As soon as the job has ended: a server that starts
// removes what is empty.
void cgroups_end(struct cgroups *cgroups);

#endif
