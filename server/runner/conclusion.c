#include "runner/conclusion.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

__attribute__((format(printf, 2, 3))) static void say(struct status *status, const char *format,
                                                      ...)
{
    size_t used = strlen(status->message);
    va_list args;
    va_start(args, format);
    vsnprintf(status->message + used, sizeof status->message - used, format, args);
    va_end(args);
}

// "SIGKILL"
static const char *signal_name(int number, char room[24])
{
    const char *name = sigabbrev_np(number);
    snprintf(room, 24, name ? "SIG%s" : "signal %.0s%d", name ? name : "", number);
    return room;
}

// As the init told it. An init that was killed tells nothing: the program ended with it.
static void take_wait_status(const struct supervision *self, struct status *status)
{
    int wait_status = self->tree.main_wait_status;
    if (!self->tree.main_ended)
        status->signal = SIGKILL;
    else if (WIFEXITED(wait_status))
        status->exit_code = WEXITSTATUS(wait_status);
    else
        status->signal = WTERMSIG(wait_status);
}

static void conclude_main(const struct supervision *self, struct status *status)
{
    char room[24];
    int64_t kernel_kills = self->cgroups.kill_count;
    if (kernel_kills > 0 && status->signal == SIGKILL) {
        status->reason = END_MEMORY_LIMIT;
        say(status, "the memory limit was passed: the kernel killed the program");
        return;
    }
    // The kernel's own count of one process may come before ours of the tree.
    if (status->signal == SIGXCPU && self->order.cpu_time_ms) {
        status->reason = END_CPU_LIMIT;
        say(status, "the CPU time limit was reached");
        return;
    }
    if (kernel_kills > 0)
        say(status, "the memory limit was passed: the kernel killed %lld of its processes; ",
            (long long)kernel_kills);
    if (status->signal) {
        status->reason = END_SIGNALED;
        say(status, "the program was ended by %s%s", signal_name(status->signal, room),
            self->tree.main_ended ? "" : ", together with its init");
        return;
    }
    status->reason = END_EXITED;
    if (status->exit_code != 0)
        say(status, "the program exited with code %d", status->exit_code);
    else if (self->tree.killed_count > 0)
        say(status, "the program ended");
}

static void conclude_cause(const struct supervision *self, struct status *status)
{
    char room[24];
    switch (self->ending.cause) {
    case CAUSE_NONE:
    case CAUSE_MAIN_ENDED:
        conclude_main(self, status);
        return;
    case CAUSE_CANCEL:
        status->reason = END_CANCELLED;
        say(status, self->cancel_note[0] ? "cancelled: %s" : "cancelled%s", self->cancel_note);
        return;
    case CAUSE_WALL_TIME:
        status->reason = END_WALL_TIMEOUT;
        say(status, "the wall time limit was reached");
        return;
    case CAUSE_CPU_TIME:
        status->reason = END_CPU_LIMIT;
        say(status, "the CPU time limit was reached");
        return;
    case CAUSE_MEMORY:
        status->reason = END_MEMORY_LIMIT;
        say(status, "the memory limit was passed");
        return;
    case CAUSE_DISK:
        status->reason = END_DISK_LIMIT;
        say(status, "the work directory's disk limit was passed");
        return;
    case CAUSE_OUTPUT:
        status->reason = END_OUTPUT_LIMIT;
        say(status, "the output limit was passed");
        return;
    case CAUSE_SHUTDOWN:
        status->reason = END_SIGNALED;
        status->signal = self->shutdown_signal;
        say(status, "ended with the machine or by its operator: the runner got %s",
            signal_name(self->shutdown_signal, room));
        return;
    }
}

static void say_killed(struct supervision *self, struct status *status)
{
    long long asked = self->tree.asked_count, killed = self->tree.killed_count;
    const char *which = self->ending.cause == CAUSE_MAIN_ENDED ? " that it left behind" : "";
    if (asked > 0)
        say(status, "; %lld process%s asked to end", asked, asked == 1 ? " was" : "es were");
    const char *were = killed == 1 ? "was" : "were";
    if (killed > 0 && asked > 0)
        say(status, ", %lld %s killed", killed, were);
    else if (killed > 0)
        say(status, "; %lld process%s%s %s killed", killed, killed == 1 ? "" : "es", which, were);
    int left = self->tree.is_empty ? 0 : tree_count(&self->tree);
    if (left > 0)
        say(status, "; %d could not be killed", left);
}

static void say_unwritten(const struct capture *capture, const char *name, struct status *status)
{
    if (capture->write_errnum)
        say(status, "%s%s could not be kept whole: %s", status->message[0] ? "; " : "", name,
            strerror(capture->write_errnum));
}

static void say_left_out(const struct artifacts *artifacts, struct status *status)
{
    long long count = artifacts->left_out_count;
    if (count == 0 && !artifacts->errnum)
        return;
    say(status, "%s%lld artifact%s left out", status->message[0] ? "; " : "", count,
        count == 1 ? " was" : "s were");
    if (artifacts->errnum)
        say(status, ": %s", strerror(artifacts->errnum));
}

static int64_t milliseconds(struct timeval time)
{
    return (int64_t)time.tv_sec * 1000 + time.tv_usec / 1000;
}

static void measure(const struct supervision *self, struct status *status)
{
    struct rusage usage;
    if (getrusage(RUSAGE_CHILDREN, &usage) == 0) {
        status->user_ms = milliseconds(usage.ru_utime);
        status->system_ms = milliseconds(usage.ru_stime);
        status->peak_bytes = (int64_t)usage.ru_maxrss * 1024;
    }
    // Who ignores its children leaves nothing for getrusage.
    const struct meter_use *use = &self->meter.use;
    if (use->user_ms + use->system_ms > status->user_ms + status->system_ms) {
        status->user_ms = use->user_ms;
        status->system_ms = use->system_ms;
    }
    int64_t peaks[] = {use->peak_memory_bytes, self->cgroups.peak_bytes};
    for (size_t i = 0; i < sizeof peaks / sizeof peaks[0]; i++) {
        if (peaks[i] > status->peak_bytes)
            status->peak_bytes = peaks[i];
    }
    if (self->started.ms)
        status->disk_bytes = meter_walk(self->dir.work_fd);
    status->started_unix_ms = self->started.ms;
    status->finished_unix_ms = clock_wall_now().ms;
    if (self->started.ms)
        status->wall_ms = self->ended_mono.ms - self->started_mono.ms;
    status->stdout_kept = self->out.kept_bytes;
    status->stdout_dropped = self->out.dropped_bytes;
    status->stderr_kept = self->err.kept_bytes;
    status->stderr_dropped = self->err.dropped_bytes;
    status->artifact_count = self->artifacts.count;
    status->artifact_bytes = self->artifacts.bytes;
    status->artifact_left_out = self->artifacts.left_out_count;
    status->asked_count = self->tree.asked_count;
    status->killed_count = self->tree.killed_count;
}

void conclusion_make(struct supervision *self, char progress[PROGRESS_FORMAT_SIZE],
                     struct status *ret_status)
{
    struct status *status = ret_status;
    *status = (struct status){.isolation = self->isolation};
    measure(self, status);
    if (self->start_failed) {
        status->reason = END_START_FAILED;
        status->exit_code = self->start_exit_code;
        say(status, "%s", self->start_error.text);
        return;
    }
    take_wait_status(self, status);
    conclude_cause(self, status);
    say_killed(self, status);
    say_unwritten(&self->out, "stdout", status);
    say_unwritten(&self->err, "stderr", status);
    say_left_out(&self->artifacts, status);
    if (self->progress.is_known) {
        progress_format(&self->progress, progress);
        status->progress = progress;
    }
}

enum soma_code conclusion_write(const struct supervision *self, const struct status *status,
                                struct soma_error *err)
{
    // A server that listens makes the end durable itself. Where none does, this is the only
    // witness, for as long as it takes one to come back.
    bool is_synced = !links_are_followed(&self->links);
    int errnum = is_synced ? attempt_dir_sync(&self->dir) : 0;
    enum soma_code code = status_write(self->dir.fd, self->dir.status_fd, status, is_synced, err);
    const struct timespec pause = {CONCLUSION_RETRY_MS / 1000, 0};
    for (int i = 0; code == SOMA_RESOURCE_EXHAUSTED && i < CONCLUSION_RETRIES; i++) {
        nanosleep(&pause, NULL);
        code = status_write(self->dir.fd, -1, status, true, err);
    }
    if (!code && errnum)
        code = error_set_errno(err, errnum, "cannot sync the attempt's directories");
    return code;
}
