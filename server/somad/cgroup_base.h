// Where runners may make cgroups for their attempts.
#ifndef SOMAD_CGROUP_BASE_H
#define SOMAD_CGROUP_BASE_H

#include "jobs/sandbox.h"

// Finds and makes the folders, in the order of sandbox_cgroup_keys, "" where this process may make
// none; removes what earlier attempts left empty there.
//
// Version 2 asks that processes live in leaves alone: where the server has a cgroup of its own, as
// a systemd service with Delegate=yes does, it goes into a child of it first.
void cgroup_base_find(char ret_paths[SANDBOX_CGROUPS][4096]);

#endif
