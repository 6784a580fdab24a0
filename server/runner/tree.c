#include "runner/tree.h"

#include <errno.h>
#include <signal.h>
#include <sys/wait.h>

enum {
    STOP_ROUNDS_MAX = 32 // of one tree_kill; a fork bomb is stopped in a few
};

void tree_fini(struct tree *tree)
{
    descendants_fini(&tree->killed);
}

void tree_reap(struct tree *tree)
{
    for (;;) {
        int wait_status;
        pid_t pid = waitpid(-1, &wait_status, WNOHANG | __WALL);
        if (pid == 0)
            return;
        if (pid < 0 && errno != EINTR)
            break;
        if (pid > 0 && pid == tree->carrier_pid) {
            tree->carrier_ended = true;
            tree->carrier_wait_status = wait_status;
        }
    }
    tree->is_empty = true;
}

// The init in namespaces is bubblewrap's child, until bubblewrap is gone.
bool tree_is_carrier(struct tree *tree, const struct descendant *descendant)
{
    if (!tree->carrier_pid)
        return false;
    if (tree->is_nested && descendant->parent_pid == tree->carrier_pid)
        tree->init_pid = descendant->pid;
    return descendant->pid == tree->carrier_pid || descendant->pid == tree->init_pid;
}

// The job's own, without those that carry it.
static void find(struct tree *tree, struct descendants *descendants)
{
    descendants_find(descendants);
    size_t kept = 0;
    for (size_t i = 0; i < descendants->count; i++) {
        if (!tree_is_carrier(tree, &descendants->list[i]))
            descendants->list[kept++] = descendants->list[i];
    }
    descendants->count = kept;
}

void tree_terminate(struct tree *tree)
{
    struct descendants descendants = {0};
    find(tree, &descendants);
    tree->asked_count += (int64_t)descendants_signal(&descendants, SIGTERM);
    // A stopped process hears nothing else.
    descendants_signal(&descendants, SIGCONT);
    descendants_fini(&descendants);
}

// Each of them once, however often it has to be killed.
static void count_killed(struct tree *tree, const struct descendants *descendants)
{
    for (size_t i = 0; i < descendants->count; i++) {
        const struct descendant *descendant = &descendants->list[i];
        if (descendants_is_alive(descendant) && !descendants_have(&tree->killed, descendant->pid) &&
            descendants_add(&tree->killed, descendant))
            tree->killed_count++;
    }
}

static void kill_carriers(struct tree *tree)
{
    struct descendants all = {0};
    descendants_find(&all);
    for (size_t i = 0; i < all.count; i++) {
        if (tree_is_carrier(tree, &all.list[i]))
            descendants_signal_one(&all.list[i], SIGKILL);
    }
    descendants_fini(&all);
}

static void stop_all(struct tree *tree, struct descendants *descendants)
{
    size_t before = 0;
    for (int round = 0; round < STOP_ROUNDS_MAX; round++) {
        find(tree, descendants);
        if (descendants->count == before)
            break;
        before = descendants->count;
        descendants_signal(descendants, SIGSTOP);
    }
}

void tree_kill(struct tree *tree)
{
    struct descendants descendants = {0};
    if (tree->is_nested) {
        find(tree, &descendants);
        count_killed(tree, &descendants);
        kill_carriers(tree);
    } else {
        stop_all(tree, &descendants);
        count_killed(tree, &descendants);
    }
    descendants_signal(&descendants, SIGKILL);
    descendants_fini(&descendants);
}

int tree_count(struct tree *tree)
{
    struct descendants descendants = {0};
    find(tree, &descendants);
    int count = 0;
    for (size_t i = 0; i < descendants.count; i++)
        count += descendants_is_alive(&descendants.list[i]);
    descendants_fini(&descendants);
    return count;
}
