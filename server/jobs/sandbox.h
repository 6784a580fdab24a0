// How much of a sandbox jobs get here: what the operator wants, what the machine can, what a job
// asks for.
#ifndef JOBS_SANDBOX_H
#define JOBS_SANDBOX_H

#include "base/fields.h"
#include "jobs/job.h"

// Rising strictness.
enum sandbox_policy {
    SANDBOX_POLICY_OFF,
    SANDBOX_POLICY_BEST_EFFORT,
    SANDBOX_POLICY_REQUIRED
};

// What a runner is told to put up; each holds the ones before.
enum sandbox_reach {
    SANDBOX_REACH_OFF,
    SANDBOX_REACH_CONFINED,  // Landlock and seccomp
    SANDBOX_REACH_NAMESPACES // and bubblewrap
};

enum {
    SANDBOX_PATHS_MAX = 64,
    SANDBOX_WHY_SIZE = 160,
    SANDBOX_CGROUPS = 3
};

// Found at the start, then only read.
struct sandbox_settings {
    enum sandbox_policy policy;
    bool allows_network;
    const char *const *read_paths; // that jobs may see beside the system's
    size_t read_path_count;
    // What this machine can, as it was found by doing it.
    enum sandbox_reach reach;
    bool is_complete;           // files, network, signals and system calls are all walled off
    char why[SANDBOX_WHY_SIZE]; // it cannot do better; "": it can
    char bwrap[4096];
    char cgroups[SANDBOX_CGROUPS][4096]; // where runners may make some, by sandbox_cgroup_keys; ""
};

// Fields of an order.
extern const char *const sandbox_cgroup_keys[SANDBOX_CGROUPS];

const char *sandbox_policy_name(enum sandbox_policy policy);

// Whether a job of this specification may be taken. SANDBOX_UNAVAILABLE, NETWORK_NOT_ALLOWED.
enum soma_code sandbox_check(const struct sandbox_settings *settings, const struct job_spec *spec,
                             struct soma_error *err);

// What a job of this specification has around it. More than the machine can where a sandbox is
// required: see sandbox_write.
enum sandbox_reach sandbox_reach_of(const struct sandbox_settings *settings,
                                    const struct job_spec *spec);

// The order's fields about sandbox and limits. A sandbox that is required and cannot be put up any
// more, for the server was moved, is asked for all the same: the start then fails and says why.
void sandbox_write(struct fields_writer *writer, const struct sandbox_settings *settings,
                   const struct job_spec *spec);

#endif
