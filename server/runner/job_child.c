#include "runner/job_child.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "runner/landlock.h"
#include "runner/sandbox.h"
#include "runner/seccomp_filter.h"
#include "runner/signals.h"
#include "runner/tasks.h"

enum {
    OPEN_FILES_SOFT = 1024,    // what select() can count to; a program that wants more says so
    OPEN_FILES_HARD = 1048576, // not what a generous server happens to have
    CPU_SLACK_S = 2            // the runner's own count of the tree comes first
};

static const char default_path[] = "/usr/local/bin:/usr/bin:/bin";

bool job_child_leave_groups(const struct order *order)
{
    gid_t gid = (gid_t)order->gid;
    return geteuid() != 0 || (setgroups(1, &gid) == 0 && setresgid(gid, gid, gid) == 0);
}

bool job_child_become_user(const struct order *order)
{
    uid_t uid = (uid_t)order->uid;
    return geteuid() != 0 || setresuid(uid, uid, uid) == 0;
}

static _Noreturn void fail(const struct job_child *child, enum start_step step, int errnum)
{
    struct job_child_word word = {.failure = {(int)step, errnum}, .has_failed = true};
    ssize_t written = write(child->word_fd, &word, sizeof word);
    _exit(written == sizeof word ? REPORT_EXIT : REPORT_EXIT + 1);
}

static bool limit(int resource, int64_t soft, int64_t hard)
{
    struct rlimit now;
    if (getrlimit((__rlimit_resource_t)resource, &now))
        return false;
    // Never above what there is: only root may raise that.
    if (now.rlim_max != RLIM_INFINITY && (rlim_t)hard > now.rlim_max)
        hard = (int64_t)now.rlim_max;
    if (soft > hard)
        soft = hard;
    const struct rlimit limits = {(rlim_t)soft, (rlim_t)hard};
    return setrlimit((__rlimit_resource_t)resource, &limits) == 0;
}

// The limit counts all tasks of the user; in a user namespace of its own those are the job's.
static bool limit_processes(const struct job_child *child, struct start_layers *layers)
{
    const struct order *order = child->order;
    if (!order->processes)
        return true;
    layers->process_room = order->processes + 1;
    if (order->sandbox != SANDBOX_NAMESPACES)
        layers->process_room += tasks_of_user(order->uid < 0 ? geteuid() : (uid_t)order->uid);
    return limit(RLIMIT_NPROC, layers->process_room, layers->process_room);
}

static bool set_limits(const struct job_child *child, struct start_layers *layers)
{
    const struct order *order = child->order;
    int64_t files = order->open_files;
    int64_t cpu_s = order->cpu_time_ms / 1000 + CPU_SLACK_S;
    return limit(RLIMIT_CORE, 0, 0) &&
           limit(RLIMIT_NOFILE, files ? files : OPEN_FILES_SOFT, files ? files : OPEN_FILES_HARD) &&
           (!order->max_file_bytes ||
            limit(RLIMIT_FSIZE, order->max_file_bytes, order->max_file_bytes)) &&
           (!order->cpu_time_ms || limit(RLIMIT_CPU, cpu_s, cpu_s + CPU_SLACK_S)) &&
           limit_processes(child, layers);
}

// After the change of user, which clears it. The init may have died before.
static bool set_death_signal(pid_t init_pid)
{
    if (prctl(PR_SET_PDEATHSIG, SIGKILL))
        return false;
    if (getppid() == init_pid)
        return true;
    errno = ESRCH;
    return false;
}

// --- the walls

static int restrict_files(const struct job_child *child, int abi)
{
    const struct order *order = child->order;
    const char *visible[SANDBOX_PATHS_MAX];
    struct landlock_path paths[SANDBOX_PATHS_MAX + ORDER_PATHS_MAX + 8];
    size_t count = 0;
    size_t visible_count = sandbox_visible_paths(order, child->attempt_path, visible);
    for (size_t i = 0; i < visible_count; i++)
        paths[count++] = (struct landlock_path){visible[i], LANDLOCK_READ};
    for (size_t i = 0; i < order->binds.count; i++)
        paths[count++] = (struct landlock_path){order->binds.list[i], LANDLOCK_FILE};
    char progress[PATH_MAX + 16];
    snprintf(progress, sizeof progress, "%s/progress", child->attempt_path);
    bool is_nested = order->sandbox == SANDBOX_NAMESPACES;
    paths[count++] = (struct landlock_path){".", LANDLOCK_WRITE};
    paths[count++] = (struct landlock_path){progress, LANDLOCK_FILE};
    // Of the job's own in namespaces; otherwise what any user may open there.
    paths[count++] = (struct landlock_path){"/proc", is_nested ? LANDLOCK_FILE : LANDLOCK_READ};
    paths[count++] = (struct landlock_path){"/dev", LANDLOCK_FILE};
    if (is_nested) {
        paths[count++] = (struct landlock_path){"/", LANDLOCK_LIST};
        paths[count++] = (struct landlock_path){"/dev/shm", LANDLOCK_WRITE};
        paths[count++] = (struct landlock_path){"/tmp", LANDLOCK_WRITE};
    }
    return landlock_restrict(abi, paths, count, !order->network);
}

static void raise_walls(const struct job_child *child, struct start_layers *layers)
{
    const struct order *order = child->order;
    layers->landlock_abi = landlock_find_abi();
    layers->landlock_errnum = layers->landlock_abi ? 0 : errno;
    if (layers->landlock_abi)
        layers->landlock_errnum = restrict_files(child, layers->landlock_abi);
    if (layers->landlock_errnum)
        layers->landlock_abi = 0;
    bool is_nested = order->sandbox == SANDBOX_NAMESPACES;
    // Landlock does not see who connects to a socket in the file system; namespaces hide it.
    layers->seccomp_errnum = seccomp_filter_apply(
        &(struct seccomp_wish){.is_nested = is_nested,
                               .has_network = order->network != 0,
                               .has_unix = is_nested || order->binds.count > 0});
    // In namespaces Landlock is a second wall; alone it is the only one.
    if (order->sandbox_required && layers->landlock_errnum && !is_nested)
        fail(child, STEP_LANDLOCK, layers->landlock_errnum);
    if (order->sandbox_required && layers->seccomp_errnum)
        fail(child, STEP_SECCOMP, layers->seccomp_errnum);
}

// --- the program

static const char *search_path(const struct order *order)
{
    for (size_t i = 0; i < order->envc; i++) {
        if (strncmp(order->env[i], "PATH=", 5) == 0)
            return order->env[i] + 5;
    }
    return default_path;
}

// Whether a failure means "look on in the next directory".
static bool is_elsewhere(int errnum)
{
    return errnum == ENOENT || errnum == ENOTDIR || errnum == EACCES || errnum == ELOOP ||
           errnum == ENAMETOOLONG;
}

// Looks the program up in the job's own PATH. Unlike execvp it hands no unknown file to a shell: a
// program of a wrong architecture is an error, not a script. Returns with errno; a file that was
// found and may not be executed counts more than one that was not found.
static void execute(const struct order *order)
{
    const char *name = order->argv[0];
    if (strchr(name, '/')) {
        execve(name, order->argv, order->env);
        return;
    }
    int best_errnum = ENOENT;
    for (const char *at = search_path(order); at; at = *at ? at + 1 : NULL) {
        const char *end = strchrnul(at, ':');
        char path[PATH_MAX];
        int length = snprintf(path, sizeof path, "%.*s%s%s", (int)(end - at), at,
                              end > at ? "/" : "./", name);
        at = end;
        if (length >= (int)sizeof path)
            continue;
        execve(path, order->argv, order->env);
        if (!is_elsewhere(errno))
            return;
        if (errno == EACCES)
            best_errnum = EACCES;
    }
    errno = best_errnum;
}

// The word to go. The runner's end instead: nothing was let go, nothing runs.
static void wait_for_release(const struct job_child *child)
{
    char word;
    ssize_t got;
    do
        got = recv(child->report_fd, &word, 1, 0);
    while (got < 0 && errno == EINTR);
    if (got != 1)
        _exit(REPORT_EXIT);
    close(child->report_fd);
}

_Noreturn void job_child_run(const struct job_child *child)
{
    const struct order *order = child->order;
    struct job_child_word ready = {0};
    signals_restore();
    if (setsid() < 0)
        fail(child, STEP_SESSION, errno);
    if (!set_limits(child, &ready.layers))
        fail(child, STEP_LIMITS, errno);
    if (!job_child_leave_groups(order))
        fail(child, STEP_GROUPS, errno);
    if (!job_child_become_user(order))
        fail(child, STEP_USER, errno);
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
        fail(child, STEP_PRIVILEGES, errno);
    if (!set_death_signal(child->init_pid))
        fail(child, STEP_DEATH_SIGNAL, errno);
    if (order->sandbox != SANDBOX_OFF)
        raise_walls(child, &ready.layers);
    if (write(child->word_fd, &ready, sizeof ready) != sizeof ready)
        _exit(REPORT_EXIT);
    wait_for_release(child);
    execute(order);
    fail(child, STEP_EXECUTE, errno);
}
