#include "runner/program_child.h"

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

#include "runner/signals.h"

enum {
    REPORT_FD = 3,             // the report socket's number in the child; closed by the exec
    MOVED_FD_MIN = 10,         // above everything that is put in place
    OPEN_FILES_SOFT = 1024,    // what select() can count to; a program that wants more says so
    OPEN_FILES_HARD = 1048576, // not what a generous server happens to have
    EXIT_NOT_FOUND = 127,
    EXIT_NOT_EXECUTABLE = 126,
    EXIT_NOT_STARTED = 125
};

static const char default_path[] = "/usr/local/bin:/usr/bin:/bin";

static const char *const step_texts[STEP_COUNT] = {
    [STEP_SESSION] = "begin a session",
    [STEP_STREAMS] = "connect the program's streams",
    [STEP_DIRECTORY] = "enter the work directory",
    [STEP_LIMITS] = "set limits",
    [STEP_GROUPS] = "leave the runner's groups",
    [STEP_USER] = "become the job's user",
    [STEP_PRIVILEGES] = "give up privileges",
    [STEP_DEATH_SIGNAL] = "tie the program to its runner",
    [STEP_EXECUTE] = "execute the program",
};

const char *program_step_text(int step)
{
    return step >= 0 && step < STEP_COUNT ? step_texts[step] : "start the program";
}

int program_failure_exit_code(const struct program_failure *failure)
{
    if (failure->step != STEP_EXECUTE)
        return EXIT_NOT_STARTED;
    return failure->errnum == ENOENT || failure->errnum == ENOTDIR ? EXIT_NOT_FOUND
                                                                   : EXIT_NOT_EXECUTABLE;
}

static _Noreturn void fail(int report_fd, enum program_step step)
{
    struct program_failure failure = {.step = (int)step, .errnum = errno};
    send(report_fd, &failure, sizeof failure, MSG_NOSIGNAL);
    _exit(EXIT_NOT_STARTED);
}

// Moves a descriptor out of the way of 0 to 3.
static int move_up(int fd)
{
    return fcntl(fd, F_DUPFD_CLOEXEC, MOVED_FD_MIN);
}

// After it: 0, 1, 2 are the program's, 3 is the report, nothing else is open.
static bool connect_streams(const struct program_child *child)
{
    int in = move_up(child->stdin_fd);
    int out = move_up(child->stdout_fd);
    int err = move_up(child->stderr_fd);
    int report = move_up(child->report_fd);
    if (in < 0 || out < 0 || err < 0 || report < 0)
        return false;
    if (dup2(in, 0) < 0 || dup2(out, 1) < 0 || dup2(err, 2) < 0 ||
        dup3(report, REPORT_FD, O_CLOEXEC) < 0)
        return false;
    closefrom(REPORT_FD + 1);
    return true;
}

static bool set_limits(void)
{
    struct rlimit no_core = {0, 0};
    struct rlimit files;
    if (setrlimit(RLIMIT_CORE, &no_core) || getrlimit(RLIMIT_NOFILE, &files))
        return false;
    if (files.rlim_max > OPEN_FILES_HARD)
        files.rlim_max = OPEN_FILES_HARD;
    files.rlim_cur = files.rlim_max < OPEN_FILES_SOFT ? files.rlim_max : OPEN_FILES_SOFT;
    return setrlimit(RLIMIT_NOFILE, &files) == 0;
}

static bool set_groups(const struct order *order)
{
    gid_t gid = (gid_t)order->gid;
    return geteuid() != 0 || (setgroups(1, &gid) == 0 && setresgid(gid, gid, gid) == 0);
}

static bool set_user(const struct order *order)
{
    uid_t uid = (uid_t)order->uid;
    return geteuid() != 0 || setresuid(uid, uid, uid) == 0;
}

// After the change of user, which clears it. The runner may have died before.
static bool set_death_signal(pid_t runner_pid)
{
    if (prctl(PR_SET_PDEATHSIG, SIGKILL))
        return false;
    if (getppid() == runner_pid)
        return true;
    errno = ESRCH;
    return false;
}

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
static void wait_for_release(void)
{
    char word;
    ssize_t got;
    do
        got = recv(REPORT_FD, &word, 1, 0);
    while (got < 0 && errno == EINTR);
    if (got != 1)
        _exit(EXIT_NOT_STARTED);
}

_Noreturn void program_child_run(const struct program_child *child)
{
    const struct order *order = child->order;
    signals_reset();
    if (setsid() < 0)
        fail(child->report_fd, STEP_SESSION);
    if (fchdir(child->work_fd))
        fail(child->report_fd, STEP_DIRECTORY);
    if (!connect_streams(child))
        fail(child->report_fd, STEP_STREAMS);
    if (!set_limits())
        fail(REPORT_FD, STEP_LIMITS);
    if (!set_groups(order))
        fail(REPORT_FD, STEP_GROUPS);
    if (!set_user(order))
        fail(REPORT_FD, STEP_USER);
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
        fail(REPORT_FD, STEP_PRIVILEGES);
    if (!set_death_signal(child->runner_pid))
        fail(REPORT_FD, STEP_DEATH_SIGNAL);
    wait_for_release();
    execute(order);
    fail(REPORT_FD, STEP_EXECUTE);
}
