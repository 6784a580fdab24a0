#include "runner/program.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/file.h"
#include "runner/program_child.h"

enum soma_code program_settle_user(struct order *order, struct soma_error *err)
{
    if (geteuid() != 0) {
        if (order->uid >= 0 && order->uid != (int64_t)geteuid())
            return error_set(err, REASON_INTERNAL, NULL, "only root can run a job as user %lld",
                             (long long)order->uid);
        order->uid = order->gid = -1;
        return SOMA_OK;
    }
    if (order->uid <= 0)
        return error_set(err, REASON_INTERNAL, NULL,
                         "a job is never run as root: the order names no other user");
    return SOMA_OK;
}

// A file in memory, whole before the program starts: nobody has to feed a pipe.
static int open_stdin(const struct order *order)
{
    if (order->stdin_length == 0)
        return open("/dev/null", O_RDONLY | O_CLOEXEC);
    int fd = memfd_create("stdin", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0)
        return -1;
    int errnum = fd_write_all(fd, order->stdin_bytes, order->stdin_length);
    int seals = F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL;
    if (!errnum && (lseek(fd, 0, SEEK_SET) || fcntl(fd, F_ADD_SEALS, seals)))
        errnum = errno;
    if (errnum) {
        close(fd);
        errno = errnum;
        return -1;
    }
    return fd;
}

static int set_nonblocking(int fd)
{
    return fcntl(fd, F_SETFL, O_NONBLOCK);
}

// A pipe that the job's user may open again through /dev/stdout.
static bool open_output(const struct order *order, int pair[2])
{
    if (pipe2(pair, O_CLOEXEC))
        return false;
    if (order->uid >= 0 && fchown(pair[1], (uid_t)order->uid, (gid_t)order->gid))
        return false;
    return set_nonblocking(pair[0]) == 0;
}

// Descriptors of both sides.
struct plumbing {
    int in;
    int out[2];
    int err[2];
    int report[2]; // [0] the runner's, [1] the child's
};

static void close_all(const struct plumbing *plumbing)
{
    const int fds[] = {plumbing->in,     plumbing->out[0],    plumbing->out[1],   plumbing->err[0],
                       plumbing->err[1], plumbing->report[0], plumbing->report[1]};
    for (size_t i = 0; i < sizeof fds / sizeof fds[0]; i++) {
        if (fds[i] >= 0)
            close(fds[i]);
    }
}

static bool open_all(const struct order *order, struct plumbing *ret_plumbing)
{
    struct plumbing *plumbing = ret_plumbing;
    *plumbing = (struct plumbing){-1, {-1, -1}, {-1, -1}, {-1, -1}};
    plumbing->in = open_stdin(order);
    return plumbing->in >= 0 && open_output(order, plumbing->out) &&
           open_output(order, plumbing->err) &&
           socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, plumbing->report) == 0 &&
           set_nonblocking(plumbing->report[0]) == 0;
}

static enum soma_code fork_child(struct order *order, const struct attempt_dir *dir,
                                 struct plumbing *plumbing, struct program *ret_program,
                                 struct soma_error *err)
{
    pid_t runner_pid = getpid();
    pid_t pid = fork();
    if (pid < 0)
        return error_set_errno(err, errno, "cannot fork");
    if (pid == 0)
        program_child_run(&(struct program_child){.order = order,
                                                  .runner_pid = runner_pid,
                                                  .work_fd = dir->work_fd,
                                                  .stdin_fd = plumbing->in,
                                                  .stdout_fd = plumbing->out[1],
                                                  .stderr_fd = plumbing->err[1],
                                                  .report_fd = plumbing->report[1]});
    *ret_program = (struct program){.pid = pid,
                                    .report_fd = plumbing->report[0],
                                    .stdout_fd = plumbing->out[0],
                                    .stderr_fd = plumbing->err[0]};
    snprintf(ret_program->name, sizeof ret_program->name, "%s", order->argv[0]);
    plumbing->report[0] = plumbing->out[0] = plumbing->err[0] = -1;
    return SOMA_OK;
}

enum soma_code program_start(struct order *order, const struct attempt_dir *dir,
                             struct program *ret_program, struct soma_error *err)
{
    char variable[PATH_MAX + 32];
    snprintf(variable, sizeof variable, "SOMA_PROGRESS=%s/progress", dir->path);
    bool is_given = false;
    for (size_t i = 0; i < order->envc; i++)
        is_given |= strncmp(order->env[i], "SOMA_PROGRESS=", 14) == 0;
    if (!is_given)
        order->env[order->envc] = variable;
    struct plumbing plumbing;
    enum soma_code code = open_all(order, &plumbing)
                              ? fork_child(order, dir, &plumbing, ret_program, err)
                              : error_set_errno(err, errno, "cannot connect the program's streams");
    close_all(&plumbing);
    order->env[order->envc] = NULL; // the child has its own copy of variable
    return code;
}

void program_release(struct program *program)
{
    // Fails only where the child is dead, which its end tells.
    send(program->report_fd, "g", 1, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void describe(const struct program *program, const struct program_failure *failure,
                     int *ret_exit_code, struct soma_error *err)
{
    *ret_exit_code = program_failure_exit_code(failure);
    if (failure->step == STEP_EXECUTE)
        error_set_errno(err, failure->errnum, "cannot execute '%s'", program->name);
    else
        error_set_errno(err, failure->errnum, "cannot %s", program_step_text(failure->step));
}

enum program_report program_read_report(struct program *program, int *ret_exit_code,
                                        struct soma_error *err)
{
    struct program_failure failure;
    ssize_t got = recv(program->report_fd, &failure, sizeof failure, MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return PROGRAM_STARTING;
    close(program->report_fd);
    program->report_fd = -1;
    if (got != sizeof failure)
        return PROGRAM_RUNS;
    describe(program, &failure, ret_exit_code, err);
    return PROGRAM_FAILED;
}
