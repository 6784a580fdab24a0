#include "runner/descendants.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <unistd.h>

#include "base/file.h"
#include "runner/process_stat.h"

enum {
    FIRST_SIZE = 64,
    READ_BYTES = 4096,
    STOP_ROUNDS_MAX = 32, // of one kill; a fork bomb is stopped in a few
    LEVELS_MAX = 3        // from an orphan's parent up to the runner
};

void descendants_fini(struct descendants *descendants)
{
    free(descendants->list);
    *descendants = (struct descendants){0};
}

bool descendants_add(struct descendants *descendants, const struct descendant *descendant)
{
    if (descendants->count == descendants->size) {
        size_t size = descendants->size ? descendants->size * 2 : FIRST_SIZE;
        if (size > DESCENDANTS_MAX)
            return false;
        struct descendant *list = realloc(descendants->list, size * sizeof *list);
        if (!list)
            return false;
        descendants->list = list;
        descendants->size = size;
    }
    descendants->list[descendants->count++] = *descendant;
    return true;
}

bool descendants_have(const struct descendants *descendants, pid_t pid)
{
    for (size_t i = 0; i < descendants->count; i++) {
        if (descendants->list[i].pid == pid)
            return true;
    }
    return false;
}

// Adds the numbers in a `children` file: "12 345 ". A number may be cut between two reads.
static void add_children_of_task(struct descendants *descendants, pid_t pid, int children_fd)
{
    char bytes[READ_BYTES];
    pid_t child = 0;
    ssize_t got;
    while ((got = read(children_fd, bytes, sizeof bytes)) > 0) {
        for (ssize_t i = 0; i < got; i++) {
            if (bytes[i] >= '0' && bytes[i] <= '9') {
                child = child * 10 + (bytes[i] - '0');
            } else if (child > 0) {
                descendants_add(descendants, &(struct descendant){child, pid});
                child = 0;
            }
        }
    }
}

// Children belong to the thread that forked them.
static void add_children(struct descendants *descendants, pid_t pid)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
    DIR *tasks = opendir(path);
    if (!tasks)
        return;
    struct dirent *entry;
    while ((entry = readdir(tasks))) {
        if (entry->d_name[0] == '.')
            continue;
        char name[NAME_MAX + 16];
        snprintf(name, sizeof name, "%s/children", entry->d_name);
        FD_CLEANUP int fd = openat(dirfd(tasks), name, O_RDONLY | O_CLOEXEC);
        if (fd >= 0)
            add_children_of_task(descendants, pid, fd);
    }
    closedir(tasks);
}

static bool is_spared(pid_t pid, const pid_t *spared, size_t spared_count)
{
    for (size_t i = 0; i < spared_count; i++) {
        if (spared[i] == pid)
            return true;
    }
    return false;
}

static void find_beside(struct descendants *descendants, const pid_t *spared, size_t spared_count)
{
    descendants->count = 0;
    add_children(descendants, getpid());
    size_t kept = 0;
    for (size_t i = 0; i < descendants->count; i++) {
        if (!is_spared(descendants->list[i].pid, spared, spared_count))
            descendants->list[kept++] = descendants->list[i];
    }
    descendants->count = kept;
    for (size_t i = 0; i < descendants->count; i++)
        add_children(descendants, descendants->list[i].pid);
}

void descendants_find(struct descendants *descendants)
{
    find_beside(descendants, NULL, 0);
}

// Up to the runner; a process cannot leave the tree that a subreaper heads.
static bool is_below_me(pid_t pid)
{
    struct process_stat stat;
    for (int level = 0; pid > 1 && level < LEVELS_MAX; level++) {
        if (pid == getpid())
            return true;
        if (!process_stat_read(pid, &stat))
            return false;
        pid = stat.parent;
    }
    return false;
}

// The parent shows that it still is the one that was found. An orphan's parent is a subreaper, the
// runner or the init, so at most two levels below the runner.
static bool is_same(const struct descendant *descendant, char *ret_state)
{
    struct process_stat stat;
    if (!process_stat_read(descendant->pid, &stat))
        return false;
    *ret_state = stat.state;
    return stat.parent == descendant->parent_pid || is_below_me(stat.parent);
}

bool descendants_is_alive(const struct descendant *descendant)
{
    char state;
    return is_same(descendant, &state) && state != 'Z' && state != 'X';
}

// The pidfd pins who is meant. A zombie may be a leader whose threads live on.
bool descendants_signal_one(const struct descendant *descendant, int number)
{
    char state;
    FD_CLEANUP int pidfd = pidfd_open(descendant->pid, 0);
    return pidfd >= 0 && is_same(descendant, &state) &&
           pidfd_send_signal(pidfd, number, NULL, 0) == 0 && state != 'Z';
}

size_t descendants_signal(const struct descendants *descendants, int number)
{
    size_t count = 0;
    for (size_t i = 0; i < descendants->count; i++)
        count += descendants_signal_one(&descendants->list[i], number);
    return count;
}

void descendants_kill(const pid_t *spared, size_t spared_count)
{
    struct descendants descendants = {0};
    size_t before = 0;
    for (int round = 0; round < STOP_ROUNDS_MAX; round++) {
        find_beside(&descendants, spared, spared_count);
        if (descendants.count == before)
            break;
        before = descendants.count;
        descendants_signal(&descendants, SIGSTOP);
    }
    descendants_signal(&descendants, SIGKILL);
    descendants_fini(&descendants);
}
