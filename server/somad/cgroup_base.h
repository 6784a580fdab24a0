// Where runners may make cgroups for their attempts.
#ifndef SOMAD_CGROUP_BASE_H
#define SOMAD_CGROUP_BASE_H

#include "jobs/attempt.h"
#include "jobs/sandbox.h"

// Finds and makes the folders, in the order of sandbox_cgroup_keys, "" where this process may make
// none; removes what earlier attempts left empty there, but for those whose runners live.
//
// Version 2 asks that processes live in leaves alone: it is used where the server has a cgroup
// below that of its systemd unit, as Delegate=yes and DelegateSubgroup= give it (systemd 254).
void cgroup_base_find(const struct attempt_root *root, char ret_paths[SANDBOX_CGROUPS][4096]);

#endif
