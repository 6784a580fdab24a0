// What /proc says of one process.
#ifndef RUNNER_PROCESS_STAT_H
#define RUNNER_PROCESS_STAT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum {
    TIME_USER,
    TIME_SYSTEM,
    TIME_COUNT
};

struct process_stat {
    char state; // as proc(5) names them
    pid_t parent;
    int64_t start; // in ticks since the machine's; with the pid it names a process
    int64_t own_ticks[TIME_COUNT];
    int64_t children_ticks[TIME_COUNT]; // of those that it waited for, and of theirs
    int64_t resident_bytes;
};

// False where there is no such process.
bool process_stat_read(pid_t pid, struct process_stat *ret_stat);

#endif
