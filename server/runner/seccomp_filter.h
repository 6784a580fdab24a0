// The filter of a job's system calls, by libseccomp. syscalls.def is what is refused; the rest is
// allowed, for a job may be any program.
#ifndef RUNNER_SECCOMP_FILTER_H
#define RUNNER_SECCOMP_FILTER_H

#include <stdbool.h>

struct seccomp_wish {
    bool is_nested;   // in namespaces of its own
    bool has_network; // sockets of any family
    bool has_unix;    // sockets of AF_UNIX; socketpair always
};

// Puts the filter on this process and its children for ever. Needs no_new_privs. 0, or an errno.
int seccomp_filter_apply(const struct seccomp_wish *wish);

#endif
