#include "runner/carrier.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "runner/init.h"
#include "runner/job_child.h"
#include "runner/report.h"
#include "runner/sandbox.h"
#include "runner/signals.h"

enum {
    MOVED_FD_MIN = SANDBOX_FD_COUNT + 8 // above everything that is put in place
};

// Puts fds[i] in the place of descriptor i, negative ones left out; closes everything above.
static bool arrange(const int *fds, int count)
{
    int moved[SANDBOX_FD_COUNT];
    for (int i = 0; i < count; i++) {
        moved[i] = fds[i] < 0 ? -1 : fcntl(fds[i], F_DUPFD_CLOEXEC, MOVED_FD_MIN);
        if (moved[i] < 0 && fds[i] >= 0)
            return false;
    }
    for (int i = 0; i < count; i++) {
        if (moved[i] >= 0 && dup2(moved[i], i) < 0)
            return false;
    }
    closefrom(count);
    return true;
}

static _Noreturn void become_init(const struct carrier *carrier)
{
    const int fds[] = {carrier->stdin_fd, carrier->stdout_fd, carrier->stderr_fd,
                       carrier->report_fd};
    if (!arrange(fds, sizeof fds / sizeof fds[0]))
        report_failure(carrier->report_fd, STEP_STREAMS, errno);
    fcntl(SANDBOX_REPORT_FD, F_SETFD, FD_CLOEXEC);
    init_run(&(struct init_start){.order = carrier->order,
                                  .attempt_path = carrier->attempt_path,
                                  .report_fd = SANDBOX_REPORT_FD});
}

// Bubblewrap asks for the same itself, but only once it runs.
static bool die_with_runner(pid_t runner_pid)
{
    if (prctl(PR_SET_PDEATHSIG, SIGKILL))
        return false;
    errno = ESRCH;
    return getppid() == runner_pid;
}

static _Noreturn void become_bubblewrap(const struct carrier *carrier)
{
    struct sandbox_args args;
    char *const no_environment[] = {NULL};
    const int fds[SANDBOX_FD_COUNT] = {
        [STDIN_FILENO] = carrier->stdin_fd,
        [STDOUT_FILENO] = carrier->stdout_fd,
        [STDERR_FILENO] = carrier->complaint_fd,
        [SANDBOX_REPORT_FD] = carrier->report_fd,
        [SANDBOX_ORDER_FD] = carrier->order_fd,
        [SANDBOX_STDERR_FD] = carrier->stderr_fd,
        [SANDBOX_PROGRAM_FD] = open("/proc/self/exe", O_PATH | O_CLOEXEC),
    };
    if (fds[SANDBOX_PROGRAM_FD] < 0 || !arrange(fds, SANDBOX_FD_COUNT))
        report_failure(carrier->report_fd, STEP_STREAMS, errno);
    if (!sandbox_args_make(carrier->order, carrier->attempt_path, &args))
        report_failure(SANDBOX_REPORT_FD, STEP_SANDBOX, ENOMEM);
    if (!job_child_leave_groups(carrier->order))
        report_failure(SANDBOX_REPORT_FD, STEP_GROUPS, errno);
    if (!job_child_become_user(carrier->order))
        report_failure(SANDBOX_REPORT_FD, STEP_USER, errno);
    if (!die_with_runner(carrier->runner_pid))
        report_failure(SANDBOX_REPORT_FD, STEP_DEATH_SIGNAL, errno);
    execve(carrier->order->bwrap, (char *const *)(void *)args.words, no_environment);
    report_failure(SANDBOX_REPORT_FD, STEP_SANDBOX, errno);
}

_Noreturn void carrier_run(const struct carrier *carrier)
{
    signals_restore();
    // Of a process group of its own, the program of a session of its own.
    if (setpgid(0, 0))
        report_failure(carrier->report_fd, STEP_SESSION, errno);
    int errnum = cgroups_enter(carrier->cgroups, carrier->order);
    if (errnum)
        report_failure(carrier->report_fd, STEP_CGROUP, errnum);
    if (fchdir(carrier->work_fd))
        report_failure(carrier->report_fd, STEP_DIRECTORY, errno);
    if (carrier->order->sandbox == SANDBOX_NAMESPACES)
        become_bubblewrap(carrier);
    become_init(carrier);
}
