#include "runner/cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"

enum {
    ENTER_RETRIES = 3
};

static const struct kind_row {
    const char *memory_limit; // NULL: the kind holds none
    const char *memory_swap;  // what keeps the program from going on in swap; may be missing
    const char *processes_limit;
    const char *kills; // the file with a line "oom_kill N"
    const char *peak;
    const char *cpu; // the file with lines "user_usec N" and "system_usec N"
} rows[CGROUP_KIND_COUNT] = {
    [CGROUP_UNIFIED] = {"memory.max", "memory.swap.max", "pids.max", "memory.events", "memory.peak",
                        "cpu.stat"},
    [CGROUP_1_MEMORY] = {.memory_limit = "memory.limit_in_bytes",
                         .memory_swap = "memory.memsw.limit_in_bytes",
                         .kills = "memory.oom_control",
                         .peak = "memory.max_usage_in_bytes"},
    [CGROUP_1_PIDS] = {.processes_limit = "pids.max"},
};

static int write_number(const char *directory, const char *name, int64_t number)
{
    char path[PATH_MAX + 64], text[24];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    int length = snprintf(text, sizeof text, "%" PRId64, number);
    FD_CLEANUP int fd = open(path, O_WRONLY | O_CLOEXEC);
    return fd < 0 ? errno : fd_write_all(fd, text, (size_t)length);
}

// The number behind the word, or the whole file's where word is "".
static int64_t read_number(const char *directory, const char *name, const char *word)
{
    char path[PATH_MAX + 64], text[1024];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    FD_CLEANUP int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t length = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    if (length <= 0)
        return 0;
    text[length] = '\0';
    const char *at = strstr(text, word);
    return at ? strtoll(at + strlen(word), NULL, 10) : 0;
}

static int set_limits(const struct cgroups *cgroups, enum cgroup_kind kind,
                      const struct order *order)
{
    const struct kind_row *row = &rows[kind];
    const char *path = cgroups->paths[kind];
    int errnum = 0;
    if (row->memory_limit && order->memory_bytes) {
        errnum = write_number(path, row->memory_limit, order->memory_bytes);
        // Version 2 counts swap apart, version 1 together with memory.
        int64_t swap = kind == CGROUP_UNIFIED ? 0 : order->memory_bytes;
        if (!errnum)
            write_number(path, row->memory_swap, swap);
    }
    // The init is one of them.
    if (!errnum && row->processes_limit && order->processes)
        errnum = write_number(path, row->processes_limit, order->processes + 1);
    return errnum;
}

static bool is_wanted(enum cgroup_kind kind, const struct order *order)
{
    // A user namespace counts processes well enough by itself.
    bool processes = order->processes && order->sandbox != SANDBOX_NAMESPACES;
    return (rows[kind].memory_limit && order->memory_bytes) ||
           (rows[kind].processes_limit && processes) || (rows[kind].cpu && order->cpu_time_ms);
}

static int make(const struct cgroups *cgroups, enum cgroup_kind kind, const struct order *order)
{
    // One that is there was left by a runner that never came to its program.
    if (mkdir(cgroups->paths[kind], 0755) && errno != EEXIST)
        return errno;
    return set_limits(cgroups, kind, order);
}

void cgroups_make(struct cgroups *cgroups, const struct order *order)
{
    *cgroups = (struct cgroups){0};
    for (int kind = 0; kind < CGROUP_KIND_COUNT; kind++) {
        if (!order->cgroups[kind] || !is_wanted((enum cgroup_kind)kind, order))
            continue;
        char *path = cgroups->paths[kind];
        snprintf(path, PATH_MAX, "%s/%s.%" PRId64, order->cgroups[kind], order->job_id,
                 order->attempt);
        int errnum = make(cgroups, (enum cgroup_kind)kind, order);
        if (errnum) {
            rmdir(path);
            path[0] = '\0';
            cgroups->errnum = errnum;
            continue;
        }
        cgroups->holds_memory |= rows[kind].memory_limit && order->memory_bytes;
        cgroups->holds_processes |= rows[kind].processes_limit && order->processes;
    }
}

// Empty ones are taken for left ones by the start of another server that shares the folder.
static int enter(const struct cgroups *cgroups, enum cgroup_kind kind, const struct order *order)
{
    int errnum = write_number(cgroups->paths[kind], "cgroup.procs", 0);
    for (int i = 0; i < ENTER_RETRIES && (errnum == ENOENT || errnum == ENODEV); i++) {
        errnum = make(cgroups, kind, order);
        if (!errnum)
            errnum = write_number(cgroups->paths[kind], "cgroup.procs", 0);
    }
    return errnum;
}

int cgroups_enter(const struct cgroups *cgroups, const struct order *order)
{
    int errnum = 0;
    for (int kind = 0; kind < CGROUP_KIND_COUNT && !errnum; kind++) {
        if (cgroups->paths[kind][0])
            errnum = enter(cgroups, (enum cgroup_kind)kind, order);
    }
    return errnum;
}

void cgroups_cpu_ms(const struct cgroups *cgroups, int64_t *ret_user_ms, int64_t *ret_system_ms)
{
    for (int kind = 0; kind < CGROUP_KIND_COUNT; kind++) {
        const char *path = cgroups->paths[kind];
        if (!path[0] || !rows[kind].cpu)
            continue;
        *ret_user_ms = read_number(path, rows[kind].cpu, "user_usec ") / 1000;
        *ret_system_ms = read_number(path, rows[kind].cpu, "system_usec ") / 1000;
    }
}

void cgroups_end(struct cgroups *cgroups)
{
    for (int kind = 0; kind < CGROUP_KIND_COUNT; kind++) {
        const char *path = cgroups->paths[kind];
        if (!path[0])
            continue;
        if (rows[kind].kills)
            cgroups->kill_count += read_number(path, rows[kind].kills, "oom_kill ");
        if (rows[kind].peak)
            cgroups->peak_bytes = read_number(path, rows[kind].peak, "");
        rmdir(path);
    }
}
