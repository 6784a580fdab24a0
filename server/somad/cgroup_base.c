#include "somad/cgroup_base.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"

enum {
    KIND_UNIFIED,
    KIND_1_MEMORY,
    KIND_1_PIDS
};

// Of /proc/self/cgroup: the controllers' list, and where cgroups of that kind are mounted by all
// distributions.
static const struct {
    const char *controllers;
    const char *mount;
    const char *probe; // a file that only a cgroup with the controller has
} kinds[SANDBOX_CGROUPS] = {
    [KIND_UNIFIED] = {"", "/sys/fs/cgroup", "cgroup.controllers"},
    [KIND_1_MEMORY] = {"memory", "/sys/fs/cgroup/memory", "memory.limit_in_bytes"},
    [KIND_1_PIDS] = {"pids", "/sys/fs/cgroup/pids", "cgroup.procs"},
};

static bool write_text(const char *directory, const char *name, const char *text)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    FD_CLEANUP int fd = open(path, O_WRONLY | O_CLOEXEC);
    return fd >= 0 && fd_write_all(fd, text, strlen(text)) == 0;
}

static bool has_file(const char *directory, const char *name)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    return access(path, F_OK) == 0;
}

// This process's cgroup of the kind, "" where it has none.
static void find_own(int kind, char *ret_path, size_t size)
{
    char line[PATH_MAX];
    ret_path[0] = '\0';
    FILE *file = fopen("/proc/self/cgroup", "re");
    while (file && fgets(line, sizeof line, file)) {
        char *controllers = strchr(line, ':'),
             *path = controllers ? strchr(controllers + 1, ':') : NULL;
        line[strcspn(line, "\n")] = '\0';
        if (!path)
            continue;
        *path++ = '\0';
        if (strcmp(controllers + 1, kinds[kind].controllers) == 0)
            snprintf(ret_path, size, "%s%s", kinds[kind].mount, strcmp(path, "/") == 0 ? "" : path);
    }
    if (file)
        fclose(file);
    if (ret_path[0] && !has_file(ret_path, kinds[kind].probe))
        ret_path[0] = '\0';
}

static bool ends_with(const char *text, const char *end)
{
    size_t length = strlen(text), end_length = strlen(end);
    return length > end_length && strcmp(text + length - end_length, end) == 0;
}

static bool give_controllers(const char *cgroup)
{
    return write_text(cgroup, "cgroup.subtree_control", "+memory +pids");
}

// Turns this process's cgroup of version 2 into that of its unit, which must be another one: a
// cgroup whose children have controllers may hold no process itself, and would refuse the server
// at its next start while jobs of the last one run.
static bool go_to_unit(char *own)
{
    *strrchr(own, '/') = '\0';
    return (ends_with(own, ".service") || ends_with(own, ".scope")) && give_controllers(own);
}

// Between a runner's mkdir and its program's start, and from that one's end on, its cgroup is empty
// as well. It is named after the attempt, whose lock the runner holds.
static bool has_runner(const struct attempt_root *root, const char *name)
{
    char path[PATH_MAX];
    const char *dot = strrchr(name, '.');
    if (!dot)
        return false;
    snprintf(path, sizeof path, "%.*s/%s/lock", (int)(dot - name), name, dot + 1);
    FD_CLEANUP int fd = openat(root->fd, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    return fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) && errno == EWOULDBLOCK;
}

// Only empty ones can be removed.
static void sweep(const struct attempt_root *root, const char *base)
{
    DIR *directory = opendir(base);
    struct dirent *entry;
    while (directory && (entry = readdir(directory))) {
        if (entry->d_type == DT_DIR && entry->d_name[0] != '.' && !has_runner(root, entry->d_name))
            unlinkat(dirfd(directory), entry->d_name, AT_REMOVEDIR);
    }
    if (directory)
        closedir(directory);
}

void cgroup_base_find(const struct attempt_root *root, char ret_paths[SANDBOX_CGROUPS][4096])
{
    for (int kind = 0; kind < SANDBOX_CGROUPS; kind++) {
        char own[PATH_MAX / 2];
        char *base = ret_paths[kind];
        base[0] = '\0';
        find_own(kind, own, sizeof own);
        bool is_unified = kind == KIND_UNIFIED;
        if (!own[0] || (is_unified && !go_to_unit(own)))
            continue;
        snprintf(base, 4096, "%s/soma-jobs", own);
        if ((mkdir(base, 0755) && errno != EEXIST) || access(base, W_OK) ||
            (is_unified && !give_controllers(base)))
            base[0] = '\0';
        else
            sweep(root, base);
    }
}
