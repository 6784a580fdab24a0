// What the tree uses, by looking at /proc: for the limits that no kernel holds for us, and for
// those who watch. Sampled now and then; a program that is over before the first sample costs
// nothing.
#ifndef RUNNER_METER_H
#define RUNNER_METER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "runner/cgroup.h"
#include "runner/cpu_account.h"
#include "runner/order.h"
#include "runner/tree.h"

enum {
    METER_IDLE_MS = 1000,  // between two samples where no limit is near
    METER_MEMORY_MS = 100, // where memory has to be watched
    METER_CPU_MIN_MS = 20, // as the CPU limit comes near
    METER_DISK_MIN_MS = 200,
    METER_DISK_SHARE = 20 // a walk through the work directory may cost one part in so many
};

// As of the last sample.
struct meter_use {
    int64_t user_ms, system_ms; // of all that ever ran in the tree; at least, without a cgroup
    int64_t memory_bytes;       // resident, pages that processes share counted in each
    int64_t peak_memory_bytes;
    int64_t processes;
    int64_t disk_bytes; // of the work directory
};

enum meter_verdict {
    METER_FINE,
    METER_CPU,
    METER_MEMORY,
    METER_DISK
};

struct meter {
    struct meter_use use;
    struct cpu_account cpu;
    const struct cgroups *cgroups; // the attempt's
    // 0: no limit, or one that something else holds.
    int64_t cpu_time_ms, memory_bytes, disk_bytes;
    struct mono_time next; // sample; MONO_NEVER before meter_start
    struct mono_time next_disk;
    int processors;
    int work_fd;
};

// From now on samples are due. The cgroups are the attempt's, and looked at until the end.
void meter_start(struct meter *meter, const struct order *order, int work_fd,
                 const struct cgroups *cgroups);

// Takes a sample where one is due, and says which limit is passed. ret_sampled: use has changed.
enum meter_verdict meter_check(struct meter *meter, struct tree *tree, bool *ret_sampled);

// Bytes on disk below the work directory, links not followed.
int64_t meter_walk(int work_fd);

#endif
