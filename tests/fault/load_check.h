// Compares what the clients of a load were told with what there is, after load_stop.
#ifndef TESTS_LOAD_CHECK_H
#define TESTS_LOAD_CHECK_H

#include <stdbool.h>

#include "load.h"

struct load_check {
    const struct load *load;
    bool listed[LOAD_JOBS_MAX];
    unsigned lost; // jobs, of which nobody knows whether they did their work, or that did not begin
    unsigned signaled; // programs that ended by a SIGKILL
};

// Every job is as its client was told it is, what was acknowledged is there, what was not is absent
// or whole, and one submit made one job. check: load is set, the rest is 0.
void load_check_jobs(struct load_check *check);
// No attempt ran twice, and who ended well ran.
void load_check_ledger(const struct load *load);
// Of a program that ended by itself every byte; of one that was ended a beginning of them.
void load_check_output(const struct load *load);
// Supervisors and descendants end, then all jobs are removed, and their directories go.
void load_check_nothing_is_left(const struct load *load, const char *jobs_directory);

#endif
