// All descendants of this process, found through /proc, and signals to them that cannot hit a
// stranger who got the number of one that ended.
#ifndef RUNNER_DESCENDANTS_H
#define RUNNER_DESCENDANTS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct descendant {
    pid_t pid;
    pid_t parent_pid;
};

struct descendants {
    struct descendant *list; // owned; parents before their children
    size_t count;
    size_t size;
};

enum {
    DESCENDANTS_MAX = 262144
};

void descendants_fini(struct descendants *descendants);

// Finds them anew. Where memory or descriptors run out, or a process is born meanwhile, the list
// lacks some: whoever needs all asks again.
void descendants_find(struct descendants *descendants);

// False: no memory, or too many.
bool descendants_add(struct descendants *descendants, const struct descendant *descendant);
bool descendants_have(const struct descendants *descendants, pid_t pid);

// Still the process that was found, and no zombie.
bool descendants_is_alive(const struct descendant *descendant);

// Sends the signal; false where the process has ended, or is a zombie.
bool descendants_signal_one(const struct descendant *descendant, int number);
// To each; how many got it.
size_t descendants_signal(const struct descendants *descendants, int number);

// Stops them all, so that none can fork any more, then kills them, but for the children in spared
// and what is below those. What was born in between may be left: ask again.
void descendants_kill(const pid_t *spared, size_t spared_count);

#endif
