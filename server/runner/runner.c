#include "runner/runner.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/log.h"
#include "runner/conclusion.h"
#include "runner/signals.h"
#include "runner/supervise.h"

enum {
    LINK_FD = 3 // the first link's number; nothing else is inherited
};

static void silence(int fd)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null >= 0 && null != fd) {
        dup2(null, fd);
        close(null);
    }
}

// Standard error stays open until it is certain that `status` will say what happens: nobody who
// waits for the end of the server's log shall wait for a runner. Of the spawner's the other two are
// silent already.
static int detach_descriptors(int link_fd)
{
    if (link_fd < 0) {
        if (fcntl(STDERR_FILENO, F_GETFD) < 0)
            silence(STDERR_FILENO);
        silence(STDIN_FILENO);
        silence(STDOUT_FILENO);
        closefrom(LINK_FD);
        return -1;
    }
    if (link_fd != LINK_FD)
        dup2(link_fd, LINK_FD);
    fcntl(LINK_FD, F_SETFD, FD_CLOEXEC);
    closefrom(LINK_FD + 1);
    return LINK_FD;
}

// Out of the server's session and reach; parent of all that the job will be.
static bool detach_process(void)
{
    struct rlimit no_core = {0, 0};
    setrlimit(RLIMIT_CORE, &no_core);
    setsid(); // fails for a session's leader, who need not
    umask(077);
    return prctl(PR_SET_CHILD_SUBREAPER, 1) == 0;
}

static bool fail_start(struct supervision *self)
{
    self->start_failed = true;
    self->start_exit_code = STATUS_EXIT_START_FAILED;
    return false;
}

static void take_over(struct supervision *self, const struct order *order)
{
    self->order = order_numbers(order);
    self->tree.carrier_pid = self->program.pid;
    self->tree.is_nested = self->program.is_nested;
    self->tree.is_empty = false;
    int64_t head_bytes = order->output_bytes - order->output_tail_bytes;
    feed_init(&self->feed, self->dir.fd, self->program.stdin_fd);
    log_index_begin(&self->log, self->dir.fd);
    self->out = (struct capture){.pipe_fd = self->program.stdout_fd,
                                 .directory_fd = self->dir.fd,
                                 .file_fd = -1,
                                 .log = &self->log,
                                 .cap_bytes = head_bytes};
    self->err = (struct capture){.pipe_fd = self->program.stderr_fd,
                                 .directory_fd = self->dir.fd,
                                 .file_fd = -1,
                                 .log = &self->log,
                                 .is_stderr = true,
                                 .cap_bytes = head_bytes};
    capture_keep_tail(&self->out, order->output_tail_bytes);
    capture_keep_tail(&self->err, order->output_tail_bytes);
}

// Everything up to a child that waits, set up, to be let go.
static bool prepare(struct supervision *self)
{
    struct soma_error *err = &self->start_error;
    struct order order;
    if (order_read(self->dir.fd, &order, err))
        return fail_start(self);
    enum soma_code code = program_settle_user(&order, err);
    if (!code)
        code = attempt_dir_make_files(&self->dir, &order, err);
    if (!code)
        cgroups_make(&self->cgroups, &order);
    if (!code)
        code = program_start(&order, &self->dir, &self->cgroups, &self->program, err);
    if (!code)
        take_over(self, &order);
    if (!code && !artifact_wish_take(&self->artifact_wish, &order))
        code = error_set_no_memory(err);
    order_fini(&order);
    if (!code && chdir("/"))
        code = error_set_errno(err, errno, "cannot leave the directory");
    return code ? fail_start(self) : true;
}

static void let_go_and_supervise(struct supervision *self)
{
    self->started_mono = clock_mono_now();
    ending_init(&self->ending, clock_deadline_after(self->order.wall_time_ms));
    meter_start(&self->meter, &self->order, self->dir.work_fd, &self->cgroups);
    program_release(&self->program);
    supervise(self);
}

// The child that waits and was never let go ends by itself when its socket closes.
static void abandon_program(struct supervision *self)
{
    if (self->program.pid == 0)
        return;
    close(self->program.report_fd);
    self->program.report_fd = -1;
    supervise(self);
}

static enum runner_exit conclude(struct supervision *self)
{
    char progress[PROGRESS_FORMAT_SIZE];
    struct status status;
    struct soma_error error;
    cgroups_end(&self->cgroups);
    if (!self->start_failed)
        artifacts_collect(&self->dir, &self->artifact_wish, &self->artifacts);
    artifact_wish_fini(&self->artifact_wish);
    conclusion_make(self, progress, &status);
    enum soma_code code = conclusion_write(self, &status, &error);
    attempt_dir_remove_control(&self->dir);
    // The lock before the links, which the exit closes: who hears of their end finds it free.
    attempt_dir_close(&self->dir);
    return code ? RUNNER_ERROR : RUNNER_DONE;
}

static enum runner_exit run_attempt(struct supervision *self)
{
    bool is_ready = prepare(self);
    int64_t now_ms = clock_wall_now().ms;
    // Also before a status without a start: who has a status has a record.
    struct soma_error error;
    if (attempt_dir_write_record(&self->dir, now_ms, &error)) {
        // Nobody will know that this attempt was begun, so it is not: the server that asked for it
        // ends it as START_FAILED, one that comes later queues it again.
        abandon_program(self);
        return RUNNER_ERROR;
    }
    if (is_ready) {
        self->started.ms = now_ms;
        let_go_and_supervise(self);
    } else {
        abandon_program(self);
    }
    return conclude(self);
}

// All in one place and zeroed: nothing of it is larger than it is used.
static struct supervision supervision;

enum runner_exit runner_run(const char *attempt_dir, int link_fd)
{
    struct supervision *self = &supervision;
    int signal_fd = -1;
    struct soma_error error;
    link_fd = detach_descriptors(link_fd);
    if (!detach_process() || (signal_fd = signals_open()) < 0) {
        log_error("RUNNER-START", "%s: cannot become a supervisor: errno %d", attempt_dir, errno);
        return RUNNER_ERROR;
    }
    *self = (struct supervision){.signal_fd = signal_fd, .program.report_fd = -1};
    self->out.pipe_fd = self->err.pipe_fd = self->out.file_fd = self->err.file_fd = -1;
    self->log.fd = -1;
    ending_init(&self->ending, MONO_NEVER);
    links_init(&self->links, link_fd);
    self->links.out = &self->out;
    self->links.err = &self->err;
    self->links.progress = &self->progress;
    feed_init(&self->feed, -1, -1);
    self->links.feed = &self->feed;
    self->links.isolation = self->isolation;
    self->links.use = &self->meter.use;
    self->meter.next = self->start_news = MONO_NEVER;
    enum attempt_claim claim = attempt_dir_claim(attempt_dir, link_fd >= 0, &self->dir, &error);
    if (claim != ATTEMPT_CLAIMED) {
        log_line(claim == ATTEMPT_TAKEN ? LOG_LEVEL_INFO : LOG_LEVEL_ERROR, "RUNNER-CLAIM",
                 "%s: %s", attempt_dir, error.text);
        return claim == ATTEMPT_TAKEN ? RUNNER_REFUSED : RUNNER_ERROR;
    }
    self->timer_fd = timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK);
    if (self->timer_fd < 0) {
        log_error("RUNNER-START", "%s: cannot make a timer: errno %d", attempt_dir, errno);
        return RUNNER_ERROR;
    }
    dup2(STDOUT_FILENO, STDERR_FILENO);
    return run_attempt(self);
}
