#include "runner/program.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/file.h"
#include "runner/carrier.h"
#include "runner/packet.h"

enum {
    COMPLAINT_SIZE = 256
};

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
        return fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1); // /dev/null
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
    int report[2]; // [0] the runner's, [1] the init's
    int feed;      // the writing end of in, where that is a stream
    int order;     // only in namespaces, as is the next
    int complaint;
};

static void close_all(const struct plumbing *plumbing)
{
    const int fds[] = {plumbing->in,        plumbing->out[0], plumbing->out[1],
                       plumbing->err[0],    plumbing->err[1], plumbing->report[0],
                       plumbing->report[1], plumbing->order,  plumbing->complaint,
                       plumbing->feed};
    for (size_t i = 0; i < sizeof fds / sizeof fds[0]; i++) {
        if (fds[i] >= 0)
            close(fds[i]);
    }
}

// Bubblewrap stays as the init's parent and keeps what it was started with. So the program's input
// waits for the init in its socket: when the program closes it, nobody reads any more.
static bool send_input_ahead(struct plumbing *plumbing)
{
    int errnum = packet_send(plumbing->report[0], "i", 1, plumbing->in, 0);
    close(plumbing->in);
    plumbing->in = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (errnum)
        errno = errnum;
    return errnum == 0 && plumbing->in >= 0;
}

static bool open_for_namespaces(const struct attempt_dir *dir, struct plumbing *plumbing)
{
    if (!send_input_ahead(plumbing))
        return false;
    plumbing->order = openat(dir->fd, "order", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    plumbing->complaint = memfd_create("sandbox", MFD_CLOEXEC);
    return plumbing->order >= 0 && plumbing->complaint >= 0;
}

// A pipe from the runner that the job's user may open again through /dev/stdin.
static bool open_stream(const struct order *order, struct plumbing *plumbing)
{
    int pair[2];
    if (pipe2(pair, O_CLOEXEC))
        return false;
    plumbing->in = pair[0];
    plumbing->feed = pair[1];
    bool is_given = order->uid < 0 || fchown(pair[0], (uid_t)order->uid, (gid_t)order->gid) == 0;
    return is_given && set_nonblocking(pair[1]) == 0;
}

static bool open_all(const struct order *order, const struct attempt_dir *dir,
                     struct plumbing *ret_plumbing)
{
    struct plumbing *plumbing = ret_plumbing;
    *plumbing = (struct plumbing){-1, {-1, -1}, {-1, -1}, {-1, -1}, -1, -1, -1};
    bool has_input = order->is_interactive ? open_stream(order, plumbing)
                                           : (plumbing->in = open_stdin(order)) >= 0;
    return has_input && open_output(order, plumbing->out) && open_output(order, plumbing->err) &&
           socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, plumbing->report) == 0 &&
           set_nonblocking(plumbing->report[0]) == 0 &&
           (order->sandbox != SANDBOX_NAMESPACES || open_for_namespaces(dir, plumbing));
}

static enum soma_code fork_carrier(struct order *order, const struct attempt_dir *dir,
                                   const struct cgroups *cgroups, struct plumbing *plumbing,
                                   struct program *ret_program, struct soma_error *err)
{
    pid_t runner_pid = getpid();
    pid_t pid = fork();
    if (pid < 0)
        return error_set_errno(err, errno, "cannot fork");
    if (pid == 0)
        carrier_run(&(struct carrier){.order = order,
                                      .attempt_path = dir->path,
                                      .cgroups = cgroups,
                                      .runner_pid = runner_pid,
                                      .work_fd = dir->work_fd,
                                      .stdin_fd = plumbing->in,
                                      .stdout_fd = plumbing->out[1],
                                      .stderr_fd = plumbing->err[1],
                                      .report_fd = plumbing->report[1],
                                      .order_fd = plumbing->order,
                                      .complaint_fd = plumbing->complaint});
    *ret_program = (struct program){.pid = pid,
                                    .is_nested = order->sandbox == SANDBOX_NAMESPACES,
                                    .report_fd = plumbing->report[0],
                                    .complaint_fd = plumbing->complaint,
                                    .stdout_fd = plumbing->out[0],
                                    .stderr_fd = plumbing->err[0],
                                    .stdin_fd = plumbing->feed};
    snprintf(ret_program->name, sizeof ret_program->name, "%s", order->argv[0]);
    plumbing->feed = -1;
    plumbing->report[0] = plumbing->out[0] = plumbing->err[0] = plumbing->complaint = -1;
    return SOMA_OK;
}

enum soma_code program_start(struct order *order, const struct attempt_dir *dir,
                             const struct cgroups *cgroups, struct program *ret_program,
                             struct soma_error *err)
{
    char variable[PATH_MAX + 32];
    order_add_progress(order, dir->path, variable, sizeof variable);
    struct plumbing plumbing;
    enum soma_code code = open_all(order, dir, &plumbing)
                              ? fork_carrier(order, dir, cgroups, &plumbing, ret_program, err)
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

static void describe(const struct program *program, const struct start_failure *failure,
                     struct program_event *event, struct soma_error *err)
{
    event->exit_code = start_failure_exit_code(failure);
    if (failure->step != STEP_EXECUTE) {
        error_set_errno(err, failure->errnum, "cannot %s", start_step_text(failure->step));
        return;
    }
    const char *where = "";
    if (failure->errnum == ENOENT && strchr(program->name, '/')) {
        if (program->name[0] != '/')
            where = " among the job's own files";
        else if (program->is_nested)
            where = " in the sandbox, which shows system folders and the server's read-path alone";
    }
    error_set_errno(err, failure->errnum, "cannot execute '%s'%s", program->name, where);
}

// The init ended without a word: bubblewrap could not make the namespaces, or somebody killed it.
static enum program_news describe_silence(struct program *program, struct program_event *event,
                                          struct soma_error *err)
{
    char text[COMPLAINT_SIZE] = "";
    ssize_t length =
        program->complaint_fd < 0 ? 0 : pread(program->complaint_fd, text, sizeof text - 1, 0);
    text[length > 0 ? length : 0] = '\0';
    text[strcspn(text, "\n")] = '\0';
    event->exit_code = REPORT_EXIT;
    error_set(err, REASON_IO_ERROR, NULL, "cannot %s%s%s", start_step_text(STEP_SANDBOX),
              text[0] ? ": " : "", text);
    return PROGRAM_FAILED;
}

enum program_news program_read(struct program *program, struct program_event *ret_event,
                               struct soma_error *err)
{
    struct report report;
    if (program->report_fd < 0)
        return PROGRAM_NO_NEWS;
    ssize_t got = recv(program->report_fd, &report, sizeof report, MSG_DONTWAIT);
    // Said once, before what is still to be read, where the word to go came too late to be read.
    if (got < 0 && errno == ECONNRESET)
        got = recv(program->report_fd, &report, sizeof report, MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return PROGRAM_NO_NEWS;
    if (got != sizeof report) {
        close(program->report_fd);
        program->report_fd = -1;
        if (program->has_failed || program->has_ended)
            return PROGRAM_NO_NEWS;
        return program->runs ? PROGRAM_LOST_INIT : describe_silence(program, ret_event, err);
    }
    switch (report.kind) {
    case REPORT_FAILED:
        program->has_failed = true;
        describe(program, &report.failure, ret_event, err);
        return PROGRAM_FAILED;
    case REPORT_RUNS:
        program->runs = true;
        ret_event->layers = report.layers;
        return PROGRAM_RUNS;
    case REPORT_ENDED:
        program->has_ended = true;
        ret_event->wait_status = report.wait_status;
        return PROGRAM_ENDED;
    }
    return PROGRAM_NO_NEWS;
}
