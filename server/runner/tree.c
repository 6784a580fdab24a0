#include "runner/tree.h"

#include <errno.h>
#include <signal.h>
#include <sys/wait.h>

#include "runner/descendants.h"

static void note_end(struct tree *tree, pid_t pid, int wait_status)
{
    if (pid == tree->main_pid && !tree->main_ended) {
        tree->main_ended = true;
        tree->main_wait_status = wait_status;
    }
    if (!tree->is_signalled || !WIFSIGNALED(wait_status))
        return;
    int number = WTERMSIG(wait_status);
    tree->killed_count += number == SIGKILL || number == SIGTERM;
}

void tree_reap(struct tree *tree)
{
    for (;;) {
        int wait_status;
        pid_t pid = waitpid(-1, &wait_status, WNOHANG | __WALL);
        if (pid > 0)
            note_end(tree, pid, wait_status);
        else if (pid == 0)
            return;
        else if (errno != EINTR)
            break;
    }
    tree->is_empty = true;
}

void tree_terminate(struct tree *tree)
{
    struct descendants descendants = {0};
    tree->is_signalled = true;
    descendants_find(&descendants);
    descendants_signal(&descendants, SIGTERM);
    // A stopped process hears nothing else.
    descendants_signal(&descendants, SIGCONT);
    descendants_fini(&descendants);
}

void tree_kill(struct tree *tree)
{
    tree->is_signalled = true;
    descendants_kill(NULL, 0);
}

int tree_count(void)
{
    struct descendants descendants = {0};
    descendants_find(&descendants);
    int count = (int)descendants.count;
    descendants_fini(&descendants);
    return count;
}
