#include "runner/brood.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "runner/descendants.h"

enum {
    FIRST_SIZE = 64
};

void brood_fini(struct brood *brood)
{
    free(brood->pids);
    *brood = (struct brood){0};
}

bool brood_make_room(struct brood *brood)
{
    if (brood->count < brood->size)
        return true;
    size_t size = brood->size ? brood->size * 2 : FIRST_SIZE;
    pid_t *pids = realloc(brood->pids, size * sizeof *pids);
    if (!pids)
        return false;
    brood->pids = pids;
    brood->size = size;
    return true;
}

void brood_add(struct brood *brood, pid_t pid)
{
    brood->pids[brood->count++] = pid;
}

static bool take_out(struct brood *brood, pid_t pid)
{
    for (size_t i = 0; i < brood->count; i++) {
        if (brood->pids[i] == pid) {
            brood->pids[i] = brood->pids[--brood->count];
            return true;
        }
    }
    return false;
}

bool brood_reap(struct brood *brood)
{
    bool must_look = false;
    for (;;) {
        int wait_status;
        pid_t pid = waitpid(-1, &wait_status, WNOHANG | __WALL);
        if (pid < 0 && errno == EINTR)
            continue;
        if (pid <= 0) {
            // What is born meanwhile is found when its parent, a stray, is reaped.
            if (must_look)
                descendants_kill(brood->pids, brood->count);
            return pid == 0;
        }
        // A runner that ends by itself leaves nobody behind.
        must_look |= !take_out(brood, pid) || WIFSIGNALED(wait_status);
    }
}
