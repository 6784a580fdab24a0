// Landlock: the kernel's own access control, which any process may put upon itself and its
// children, with or without a mount namespace. By raw system calls: Debian 12 has no library for
// it, and its headers know less than newer kernels do.
#ifndef RUNNER_LANDLOCK_H
#define RUNNER_LANDLOCK_H

#include <stdbool.h>
#include <stddef.h>

// The newest version of Landlock that this kernel speaks; 0, with errno set: none.
int landlock_find_abi(void);

enum landlock_access {
    LANDLOCK_READ,  // read and execute
    LANDLOCK_WRITE, // everything that the program's user may do there
    LANDLOCK_FILE,  // read and write what is there, make nothing
    LANDLOCK_LIST   // list folders
};

struct landlock_path {
    const char *path; // what is missing is left out
    enum landlock_access access;
};

// From here on this process and its children reach the files below these paths alone, signal nobody
// outside (version 6 on) and, where without_network is given, neither bind nor connect TCP
// (version 4 on). Needs no_new_privs. 0, or an errno.
int landlock_restrict(int abi, const struct landlock_path *paths, size_t count,
                      bool without_network);

#endif
