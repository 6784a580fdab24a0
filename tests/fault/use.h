// What a process takes of the machine, and whether that grows.
#ifndef TESTS_USE_H
#define TESTS_USE_H

#include <stdint.h>
#include <sys/types.h>

#include <soma/soma.h>

// A server that has done all kinds of its work once may take this much more afterwards, however
// long it goes on: what malloc leaves unused between what is used, and what is in hand at the
// moment.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum {
    USE_MORE_KIB = 1 << 30 // sanitizers keep what was freed for a while
};
#else
enum {
    USE_MORE_KIB = 16384
};
#endif

enum {
    USE_CACHES_KIB = 98304,    // of SQLite and malloc, filled by one client
    USE_MORE_DESCRIPTORS = 24, // connections come and go
    USE_MORE_THREADS = 0
};

struct use {
    int64_t resident_kib;
    int64_t descriptors;
    int64_t threads;
};

// Of a process that runs.
struct use use_of(pid_t pid);
// Fails the test where now is more than what was taken when warm, and the bounds above.
void use_check(const struct use *warm, const struct use *now);
// Fills SQLite's page caches, which are bounded but would take hours to become full: writes and
// reads more than they hold, and deletes it.
void use_warm_up(struct soma_client *client);

#endif
