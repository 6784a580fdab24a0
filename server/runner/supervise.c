#include "runner/supervise.h"

#include <signal.h>
#include <stdio.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "runner/signals.h"

enum {
    START_NEWS_MS = 3, // a program that ends sooner has nothing to tell but its end
    OUTPUT_EVERY_MS = 20,
    PROGRESS_EVERY_MS = 250,
    PROGRESS_READ_BYTES = 4096
};

// The places of the poll set; links follow. poll rather than epoll: the set is small and its parts
// come and go.
enum {
    AT_SIGNAL,
    AT_TIMER,
    AT_REPORT,
    AT_CONTROL,
    AT_PROGRESS,
    AT_STDOUT,
    AT_STDERR,
    AT_STDIN,
    AT_LINKS,
    AT_COUNT = AT_LINKS + LINK_COUNT_MAX
};

static void act(struct supervision *self, enum end_action action)
{
    switch (action) {
    case ACTION_NONE:
        return;
    case ACTION_TERMINATE:
        tree_terminate(&self->tree);
        return;
    case ACTION_KILL:
        tree_kill(&self->tree);
        return;
    }
}

// --- what is waited for

static struct mono_time after(struct mono_time time, int64_t ms)
{
    return (struct mono_time){time.ms + ms};
}

static struct mono_time sooner(struct mono_time a, struct mono_time b)
{
    return a.ms < b.ms ? a : b;
}

// Whether servers have heard of the start.
static bool has_started_news(const struct supervision *self)
{
    return self->program.runs && self->start_news.ms == MONO_NEVER.ms;
}

// One timer for all deadlines, on the clock that counts while the machine sleeps.
static void arm_timer(struct supervision *self)
{
    struct mono_time next = sooner(self->ending.deadline, self->meter.next);
    next = sooner(next, self->start_news);
    // Servers hear of a start first, and then of what came of it.
    if ((self->output_changed || self->feed_changed) && has_started_news(self))
        next = sooner(next, after(self->output_since, OUTPUT_EVERY_MS));
    if (self->progress_changed && has_started_news(self))
        next = sooner(next, after(self->reported_last, PROGRESS_EVERY_MS));
    if (next.ms == self->timer_armed.ms)
        return;
    self->timer_armed = next;
    struct itimerspec at = {0};
    if (next.ms != MONO_NEVER.ms) {
        at.it_value.tv_sec = next.ms / 1000;
        // Never 0, which would disarm it.
        at.it_value.tv_nsec = (next.ms % 1000) * 1000000 + 1;
    }
    timerfd_settime(self->timer_fd, TFD_TIMER_ABSTIME, &at, NULL);
}

static void fill_poll_set(const struct supervision *self, struct pollfd set[AT_COUNT])
{
    const int fds[AT_LINKS] = {
        [AT_SIGNAL] = self->signal_fd,         [AT_TIMER] = self->timer_fd,
        [AT_REPORT] = self->program.report_fd, [AT_CONTROL] = self->dir.control_fd,
        [AT_PROGRESS] = self->dir.progress_fd, [AT_STDOUT] = self->out.pipe_fd,
        [AT_STDERR] = self->err.pipe_fd,       [AT_STDIN] = self->feed.pipe_fd};
    for (int i = 0; i < AT_LINKS; i++)
        set[i] = (struct pollfd){.fd = fds[i], .events = POLLIN};
    set[AT_STDIN].events = self->feed.has_more ? POLLOUT : 0;
    for (int i = 0; i < LINK_COUNT_MAX; i++) {
        const struct link *link = &self->links.at[i];
        short events = link->owed ? POLLIN | POLLOUT : POLLIN;
        set[AT_LINKS + i] = (struct pollfd){.fd = link->fd, .events = events};
    }
}

// --- what happens

static void on_signals(struct supervision *self)
{
    int number;
    while ((number = signals_read(self->signal_fd))) {
        if (number == SIGCHLD)
            continue;
        if (!self->shutdown_signal)
            self->shutdown_signal = number;
        act(self, ending_ask(&self->ending, CAUSE_SHUTDOWN, self->order.kill_grace_ms));
    }
}

static void on_timer(struct supervision *self)
{
    uint64_t expirations;
    if (read(self->timer_fd, &expirations, sizeof expirations) < 0)
        return;
    self->timer_armed = (struct mono_time){0};
    act(self, ending_check_deadline(&self->ending, self->order.kill_grace_ms));
}

static void on_report(struct supervision *self)
{
    enum program_news news;
    struct program_event event;
    while ((news = program_read(&self->program, &event, &self->start_error))) {
        switch (news) {
        case PROGRAM_NO_NEWS:
            return;
        case PROGRAM_RUNS:
            isolation_describe(&self->order, &event.layers, &self->cgroups, self->isolation);
            self->start_news = clock_deadline_after(START_NEWS_MS);
            break;
        case PROGRAM_ENDED:
            self->tree.main_ended = true;
            self->tree.main_wait_status = event.wait_status;
            break;
        case PROGRAM_LOST_INIT:
            // Nobody is left who would tell how the program ends.
            act(self, ending_ask(&self->ending, CAUSE_NONE, 0));
            break;
        case PROGRAM_FAILED:
            // A program whose end was asked for may go before its init could say that it ran.
            if (self->ending.cause != CAUSE_NONE)
                break;
            self->start_failed = true;
            self->start_exit_code = event.exit_code;
            break;
        }
    }
}

static void on_progress(struct supervision *self)
{
    char bytes[PROGRESS_READ_BYTES];
    ssize_t got = read(self->dir.progress_fd, bytes, sizeof bytes);
    if (got > 0 && progress_feed(&self->progress, bytes, (size_t)got))
        self->progress_changed = true;
}

static void on_link(struct supervision *self, struct link *link, short events)
{
    if (events & POLLOUT)
        link_flush(&self->links, link);
    struct link_cancel cancel;
    if (link->fd < 0 || !(events & ~POLLOUT))
        return;
    switch (link_receive(link, &cancel)) {
    case WISH_NONE:
        return;
    case WISH_FEED:
        // Answered also where nothing came of it: the server waits for that.
        feed_go_on(&self->feed);
        self->feed_changed = true;
        return;
    case WISH_CANCEL:
        if (self->ending.cause == CAUSE_NONE)
            snprintf(self->cancel_note, sizeof self->cancel_note, "%s", cancel.note);
        act(self, ending_ask(&self->ending, CAUSE_CANCEL, cancel.grace_ms));
        return;
    }
}

static void on_input(struct supervision *self, short events)
{
    if (events & POLLERR)
        feed_close(&self->feed);
    else
        feed_go_on(&self->feed);
    self->feed_changed = true;
}

static void dispatch(struct supervision *self, const struct pollfd set[AT_COUNT])
{
    if (set[AT_SIGNAL].revents)
        on_signals(self);
    if (set[AT_REPORT].revents)
        on_report(self);
    if (set[AT_STDOUT].revents)
        self->output_changed |= capture_read(&self->out);
    if (set[AT_STDERR].revents)
        self->output_changed |= capture_read(&self->err);
    if (set[AT_STDIN].revents)
        on_input(self, set[AT_STDIN].revents);
    if (set[AT_PROGRESS].revents)
        on_progress(self);
    if (set[AT_TIMER].revents)
        on_timer(self);
    for (int i = 0; i < LINK_COUNT_MAX; i++) {
        if (set[AT_LINKS + i].revents)
            on_link(self, &self->links.at[i], set[AT_LINKS + i].revents);
    }
    if (set[AT_CONTROL].revents)
        links_accept(&self->links, self->dir.control_fd);
}

// Limits that are looked after here.
static void check_limits(struct supervision *self)
{
    static const enum end_cause causes[] = {
        [METER_CPU] = CAUSE_CPU_TIME, [METER_MEMORY] = CAUSE_MEMORY, [METER_DISK] = CAUSE_DISK};
    bool sampled = false;
    enum meter_verdict verdict = meter_check(&self->meter, &self->tree, &sampled);
    if (sampled)
        links_announce(&self->links, NEWS_USE);
    // Whoever takes too much room cannot be given time.
    int64_t grace_ms = verdict == METER_CPU ? self->order.kill_grace_ms : 0;
    if (verdict != METER_FINE)
        act(self, ending_ask(&self->ending, causes[verdict], grace_ms));
    if (self->order.output_end && self->out.dropped_bytes + self->err.dropped_bytes > 0 &&
        self->ending.cause == CAUSE_NONE)
        act(self, ending_ask(&self->ending, CAUSE_OUTPUT, self->order.kill_grace_ms));
}

// The newest of each, but not more often than a server wants to hear it.
static void announce(struct supervision *self)
{
    struct mono_time now = clock_mono_now();
    if (self->start_news.ms <= now.ms) {
        self->start_news = MONO_NEVER;
        links_announce(&self->links, NEWS_STARTED);
        links_announce(&self->links, NEWS_ISOLATION);
    }
    if (!has_started_news(self))
        return;
    if ((self->output_changed || self->feed_changed) &&
        now.ms - self->output_since.ms >= OUTPUT_EVERY_MS) {
        if (self->output_changed)
            links_announce(&self->links, NEWS_OUTPUT);
        if (self->feed_changed)
            links_announce(&self->links, NEWS_FED);
        self->output_changed = self->feed_changed = false;
        self->output_since = now;
    }
    if (self->progress_changed && now.ms - self->reported_last.ms >= PROGRESS_EVERY_MS) {
        self->progress_changed = false;
        self->reported_last = now;
        links_announce(&self->links, NEWS_PROGRESS);
    }
}

static void announce_last(struct supervision *self)
{
    // A program that was over before anybody heard of it: the status says all.
    if (!has_started_news(self))
        return;
    links_announce(&self->links, NEWS_OUTPUT);
    if (self->progress.is_known)
        links_announce(&self->links, NEWS_PROGRESS);
}

static void finish(struct supervision *self)
{
    self->ended_mono = clock_mono_now();
    on_report(self);
    on_progress(self);
    feed_fini(&self->feed);
    capture_finish(&self->out);
    capture_finish(&self->err);
    log_index_end(&self->log);
    announce_last(self);
    capture_close(&self->out);
    capture_close(&self->err);
}

void supervise(struct supervision *self)
{
    while (self->ending.phase != PHASE_OVER) {
        announce(self);
        arm_timer(self);
        // A server that comes back finds us there. Tried again each second where it cannot be made.
        if (!links_are_open(&self->links))
            attempt_dir_open_control(&self->dir);
        struct pollfd set[AT_COUNT];
        fill_poll_set(self, set);
        // Cannot fail but by a signal, and none is delivered: then nothing is ready.
        poll(set, AT_COUNT, -1);
        dispatch(self, set);
        check_limits(self);
        // After every round: a child whose end came together with another's raises one signal only.
        tree_reap(&self->tree);
        ending_note_tree(&self->ending, self->tree.main_ended, self->tree.is_empty);
    }
    finish(self);
}
