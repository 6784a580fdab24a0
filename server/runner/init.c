#include "runner/init.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "runner/job_child.h"
#include "runner/packet.h"
#include "runner/report.h"
#include "runner/sandbox.h"
#include "runner/signals.h"
#include "runner/tree.h"

enum {
    CHILD_STACK_BYTES = 262144
};

struct init {
    const struct init_start *start;
    int signal_fd;
    pid_t main_pid;
    bool main_ended;
};

// --- the end of the runner

// Whoever the kernel does not end with us is ended by us.
static _Noreturn void end_with_runner(const struct init *self)
{
    struct tree tree = {0};
    while (!self->start->is_nested && !tree.is_empty) {
        tree_kill(&tree);
        nanosleep(&(struct timespec){0, 5000000}, NULL);
        tree_reap(&tree);
    }
    _exit(0);
}

// Until a child's end or a byte on word_fd (-1: none); does not return at the end of the runner.
static void wait_for_news(const struct init *self, int word_fd)
{
    struct pollfd set[] = {{.fd = self->start->report_fd},
                           {.fd = self->signal_fd, .events = POLLIN},
                           {.fd = word_fd, .events = POLLIN}};
    // Cannot fail but by a signal, and all are blocked.
    poll(set, sizeof set / sizeof set[0], -1);
    if (set[0].revents)
        end_with_runner(self);
    if (set[1].revents)
        signals_read(self->signal_fd);
}

// --- the program's start

// The next word; false: the pipe's end, so the program runs.
static bool read_word(const struct init *self, int word_fd, struct job_child_word *ret_word)
{
    ssize_t got;
    while ((got = read(word_fd, ret_word, sizeof *ret_word)) < 0 &&
           (errno == EAGAIN || errno == EINTR))
        wait_for_news(self, word_fd);
    return got == sizeof *ret_word;
}

static void follow_start(const struct init *self, int word_fd)
{
    struct report report = {.kind = REPORT_RUNS};
    struct job_child_word word;
    bool was_ready = false;
    while (report.kind == REPORT_RUNS && read_word(self, word_fd, &word)) {
        if (word.has_failed) {
            report.kind = REPORT_FAILED;
            report.failure = word.failure;
        }
        report.layers = word.layers;
        was_ready = true;
    }
    if (!was_ready) {
        report.kind = REPORT_FAILED;
        report.failure = (struct start_failure){STEP_FORK, ECHILD};
    }
    if (!report_send(self->start->report_fd, &report))
        end_with_runner(self);
}

static int child_main(void *argument)
{
    job_child_run(argument);
}

// A child with nothing to prepare borrows our memory until it executes the program, and we wait so
// long: nothing is copied that would be thrown away at once. Descriptors, signals and credentials
// are its own, and it watches the runner itself (wait_for_release). Walls are built on the heap,
// which a child that is killed meanwhile would leave broken: those who raise some get a copy.
static pid_t fork_child(const struct init *self, struct job_child *child)
{
    static _Alignas(16) char stack[CHILD_STACK_BYTES];
    if (RUNNER_MAY_SHARE_MEMORY && self->start->order->sandbox == SANDBOX_OFF)
        return clone(child_main, stack + sizeof stack, CLONE_VM | CLONE_VFORK | SIGCHLD, child);
    pid_t pid = fork();
    if (pid == 0)
        child_main(child);
    return pid;
}

static void start_program(struct init *self)
{
    const struct init_start *start = self->start;
    int word[2];
    if (pipe2(word, O_CLOEXEC))
        report_failure(start->report_fd, STEP_STREAMS, errno);
    struct job_child child = {.order = start->order,
                              .attempt_path = start->attempt_path,
                              .init_pid = getpid(),
                              .report_fd = start->report_fd,
                              .word_fd = word[1]};
    self->main_pid = fork_child(self, &child);
    if (self->main_pid < 0)
        report_failure(start->report_fd, STEP_FORK, errno);
    close(word[1]);
    fcntl(word[0], F_SETFL, O_NONBLOCK);
    // The streams are the job's alone: their end is the end of those who write.
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    for (int fd = 0; fd <= STDERR_FILENO; fd++) {
        if (null < 0 || dup2(null, fd) < 0)
            close(fd);
    }
    follow_start(self, word[0]);
    close(word[0]);
}

// --- until nobody is left

// False: there are no children any more.
static bool reap(struct init *self)
{
    for (;;) {
        int wait_status;
        pid_t pid = waitpid(-1, &wait_status, WNOHANG | __WALL);
        if (pid == 0)
            return true;
        if (pid < 0 && errno != EINTR)
            return false;
        if (pid != self->main_pid || self->main_ended)
            continue;
        self->main_ended = true;
        if (!report_send(self->start->report_fd,
                         &(struct report){.kind = REPORT_ENDED, .wait_status = wait_status}))
            end_with_runner(self);
    }
}

_Noreturn void init_run(const struct init_start *start)
{
    struct init self = {.start = start, .signal_fd = signals_open()};
    prctl(PR_SET_NAME, "soma-init");
    if (self.signal_fd < 0 || (!start->is_nested && prctl(PR_SET_CHILD_SUBREAPER, 1)))
        report_failure(start->report_fd, STEP_SESSION, errno);
    start_program(&self);
    while (reap(&self))
        wait_for_news(&self, -1);
    _exit(0);
}

// The program's input was sent ahead, past bubblewrap.
static bool take_input(void)
{
    char word[8];
    int fd = -1;
    bool is_taken = packet_receive(SANDBOX_REPORT_FD, word, sizeof word, &fd, 0) > 0 && fd >= 0 &&
                    dup2(fd, STDIN_FILENO) == STDIN_FILENO;
    if (fd >= 0)
        close(fd);
    return is_taken;
}

_Noreturn void init_main(const char *attempt_path)
{
    static char progress[PATH_MAX + 32];
    struct order order;
    struct soma_error err;
    if (!take_input() || dup2(SANDBOX_STDERR_FD, STDERR_FILENO) < 0 ||
        fcntl(SANDBOX_REPORT_FD, F_SETFD, FD_CLOEXEC))
        report_failure(SANDBOX_REPORT_FD, STEP_STREAMS, errno);
    if (order_read_open(SANDBOX_ORDER_FD, &order, &err))
        report_failure(SANDBOX_REPORT_FD, STEP_ORDER, EINVAL);
    closefrom(SANDBOX_REPORT_FD + 1);
    order.uid = order.gid = -1;
    order_add_progress(&order, attempt_path, progress, sizeof progress);
    umask(077);
    init_run(&(struct init_start){.order = &order,
                                  .attempt_path = attempt_path,
                                  .report_fd = SANDBOX_REPORT_FD,
                                  .is_nested = true});
}
