// One attempt in the engine's hands: order, spawn, link, and what its directory says at the end.
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/crash_point.h"
#include "base/file.h"
#include "base/log.h"
#include "jobs/engine_private.h"
#include "jobs/outcome.h"
#include "measures/measures.h"

enum {
    SPAWNER_PAUSE_MS = 1000, // between two starts of the spawner
    SPAWN_RETRY_MS = 5,
};

static void end_with(struct engine *engine, struct running *running,
                     const struct job_outcome *outcome)
{
    running->outcome = *outcome;
    running->gives_back = false;
    engine_write_end(engine, running);
}

static void fail_start(struct engine *engine, struct running *running, const char *why)
{
    struct job_outcome outcome;
    outcome_state(&outcome, JOB_REASON_START_FAILED, "%s", why);
    end_with(engine, running, &outcome);
}

// The machine is short of something for now: the job waits in the queue, and claims wait too.
static void start_later(struct engine *engine, struct running *running, const char *why)
{
    log_warning("JOB-START-DELAYED", "job %s: %s", running->id, why);
    engine->claim_after = clock_deadline_after(WRITE_RETRY_MS);
    engine_give_back(engine, running);
}

static void close_link(struct running *running)
{
    fd_close_at_exit(&running->link_fd);
    running->link_fd = -1;
    running->cancel_is_sent = false;
}

// --- start

void engine_begin(struct engine *engine, const struct job *job, bool is_prepared)
{
    struct running *running = engine_add(engine, job);
    if (!running) {
        // Left RUNNING without a record: the next start of the server queues it again.
        log_error("JOB-START-FAILED", "job %s: out of memory", job->id);
        return;
    }
    running->begun_us = clock_mono_us();
    // Input may have come since the directory was made, and nobody followed the job to be told.
    running->feed_is_owed = job->spec.interactive;
    if (atomic_load(&engine->stopping)) {
        engine_give_back(engine, running);
        return;
    }
    struct soma_error err;
    enum soma_code code =
        is_prepared ? SOMA_OK
                    : attempt_prepare(engine->config.root, &engine->config.order, job, &err);
    if (code == SOMA_RESOURCE_EXHAUSTED) {
        start_later(engine, running, err.text);
        return;
    }
    if (code != SOMA_OK) {
        log_warning("JOB-START-FAILED", "job %s: %s", job->id, err.text);
        fail_start(engine, running, err.text);
        return;
    }
    running_due_after(running, PHASE_SPAWN, 0);
    engine_step(engine, running);
}

static void restart_spawner(struct engine *engine)
{
    struct soma_error err;
    spawner_stop(&engine->config.spawner);
    if (clock_left_ms(engine->spawner_after) > 0)
        return;
    engine->spawner_after = clock_deadline_after(SPAWNER_PAUSE_MS);
    enum soma_code code = spawner_start(&engine->config.spawner, engine->config.runner_path, &err);
    if (code == SOMA_OK)
        code = engine_watch(engine, engine->config.spawner.fd, &engine->config.spawner, &err);
    if (code == SOMA_OK)
        log_warning("SPAWNER-RESTARTED", "the spawner ended; another one runs");
    else
        log_error("SPAWNER-FAILED", "cannot start the spawner: %s", err.text);
}

static enum soma_code make_link(struct engine *engine, struct running *running, int *ret_other,
                                struct soma_error *err)
{
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair))
        return error_set_errno(err, errno, "cannot make the runner's link");
    running->link_fd = pair[0];
    *ret_other = pair[1];
    return engine_watch(engine, running->link_fd, running, err);
}

static void spawn(struct engine *engine, struct running *running)
{
    if (engine->config.spawner.fd == SPAWNER_CLOSED)
        restart_spawner(engine);
    if (engine->config.spawner.fd == SPAWNER_CLOSED) {
        running->due = clock_deadline_after(SPAWNER_PAUSE_MS);
        return;
    }
    struct soma_error err;
    FD_CLEANUP int other = -1;
    if (make_link(engine, running, &other, &err) != SOMA_OK) {
        close_link(running);
        start_later(engine, running, err.text);
        return;
    }
    char path[PATH_MAX];
    attempt_path(engine->config.root, running->id, running->attempt, path);
    enum soma_code code = spawner_spawn(&engine->config.spawner, running->num, path, other, &err);
    if (code == SOMA_OK) {
        crash_point(CRASH_SPAWN_ASKED);
        running->phase = PHASE_LINKED;
        running->due = MONO_NEVER;
        running->feed_is_answered = true;
        engine_send_cancel(running);
        engine_send_feed(running);
        return;
    }
    close_link(running);
    if (code != SOMA_RESOURCE_EXHAUSTED)
        restart_spawner(engine);
    running->due = clock_deadline_after(SPAWN_RETRY_MS);
}

static void take_reply(struct engine *engine, const struct spawner_reply *reply)
{
    struct running *running = engine_find(engine, reply->tag);
    if (!running || running->is_recovered)
        return;
    if (reply->runner_pid > 0) {
        running->is_spawned = true;
        pthread_mutex_lock(&engine->lock);
        running->live.runner_pid = reply->runner_pid;
        pthread_mutex_unlock(&engine->lock);
        return;
    }
    char why[128];
    snprintf(why, sizeof why, "cannot fork a supervisor: %s", strerror(reply->errnum));
    if (running->phase == PHASE_LINKED || running->phase == PHASE_EXAMINE) {
        close_link(running);
        start_later(engine, running, why);
    }
}

void engine_read_spawner(struct engine *engine)
{
    struct spawner_reply reply;
    while (engine->config.spawner.fd != SPAWNER_CLOSED) {
        switch (spawner_read(&engine->config.spawner, &reply)) {
        case SPAWNER_REPLY:
            take_reply(engine, &reply);
            break;
        case SPAWNER_EMPTY:
            return;
        case SPAWNER_GONE:
            restart_spawner(engine);
            return;
        }
    }
}

// --- the link

void engine_send_cancel(struct running *running)
{
    if (!running->is_cancelled || running->cancel_is_sent || running->link_fd < 0)
        return;
    char message[LINK_MESSAGE_BYTES];
    int64_t grace_ms = running->cancel_force ? 0 : running->kill_grace_ms;
    int length =
        snprintf(message, sizeof message, "cancel %" PRId64 " %s", grace_ms, running->cancel_note);
    // A full socket cannot be: at most two cancels go over one link.
    running->cancel_is_sent =
        send(running->link_fd, message, (size_t)length, MSG_NOSIGNAL | MSG_DONTWAIT) == length;
}

// One at a time: the runner answers each, and a word that it has not answered covers all before.
void engine_send_feed(struct running *running)
{
    static const char message[] = "feed";
    if (!running->feed_is_owed || !running->feed_is_answered || running->link_fd < 0)
        return;
    ssize_t sent = send(running->link_fd, message, sizeof message - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
    running->feed_is_owed = running->feed_is_answered = sent < 0;
}

// The first count words as whole numbers; false where there are fewer.
static bool read_numbers(const char *words, int64_t *ret_numbers, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char *end;
        ret_numbers[i] = strtoll(words, &end, 10);
        if (end == words)
            return false;
        words = end;
    }
    return true;
}

static void take_output(struct engine *engine, struct running *running, const char *words)
{
    int64_t sizes[4];
    if (!read_numbers(words, sizes, 4))
        return;
    pthread_mutex_lock(&engine->lock);
    running->live.stdout_size = (struct job_output_size){sizes[0], sizes[1]};
    running->live.stderr_size = (struct job_output_size){sizes[2], sizes[3]};
    pthread_mutex_unlock(&engine->lock);
    engine_changed(engine, running->num);
}

static void take_started(struct engine *engine, struct running *running, const char *words)
{
    int64_t pid;
    if (!read_numbers(words, &pid, 1))
        return;
    crash_point(CRASH_JOB_STARTED);
    pthread_mutex_lock(&engine->lock);
    running->live.runner_pid = pid;
    pthread_mutex_unlock(&engine->lock);
    // Said again to a server that comes back, which did not see the begin.
    if (running->begun_us > 0)
        measure_observe(MEASURE_JOB_START, clock_mono_us() - running->begun_us);
    running->begun_us = 0;
}

static void take_isolation(struct engine *engine, struct running *running, const char *words)
{
    pthread_mutex_lock(&engine->lock);
    isolation_take(running->live.isolation, words, strlen(words));
    pthread_mutex_unlock(&engine->lock);
}

static void take_use(struct engine *engine, struct running *running, const char *words)
{
    int64_t numbers[6];
    if (!read_numbers(words, numbers, 6))
        return;
    pthread_mutex_lock(&engine->lock);
    running->live.has_use = true;
    running->live.use = (struct job_resources){.user_time_ms = numbers[0],
                                               .system_time_ms = numbers[1],
                                               .memory_bytes = numbers[2],
                                               .peak_memory_bytes = numbers[3],
                                               .processes = numbers[4],
                                               .disk_bytes = numbers[5]};
    pthread_mutex_unlock(&engine->lock);
}

static void take_progress(struct engine *engine, struct running *running, const char *words)
{
    if (!progress_read(words, strlen(words), &running->report_percent, running->report_message))
        return;
    running->has_report = true;
    engine_write_report(engine, running);
}

static void take_fed(struct engine *engine, struct running *running, const char *words)
{
    int64_t numbers[2];
    if (!read_numbers(words, numbers, 2))
        return;
    pthread_mutex_lock(&engine->lock);
    running->live.input_fed = numbers[0];
    running->live.input_closed = numbers[1] != 0;
    pthread_mutex_unlock(&engine->lock);
    running->feed_is_answered = true;
    engine_send_feed(running);
    engine_changed(engine, running->num);
}

static const struct {
    const char *word;
    void (*take)(struct engine *engine, struct running *running, const char *words);
} link_messages[] = {
    {"started ", take_started},     {"output ", take_output}, {"progress ", take_progress},
    {"isolation ", take_isolation}, {"use ", take_use},       {"fed ", take_fed},
};

static void take_message(struct engine *engine, struct running *running, const char *message)
{
    for (size_t i = 0; i < sizeof link_messages / sizeof link_messages[0]; i++) {
        size_t length = strlen(link_messages[i].word);
        if (strncmp(message, link_messages[i].word, length) == 0)
            link_messages[i].take(engine, running, message + length);
    }
}

void engine_read_link(struct engine *engine, struct running *running)
{
    char message[LINK_MESSAGE_BYTES + 1];
    while (running->link_fd >= 0) {
        ssize_t length = recv(running->link_fd, message, LINK_MESSAGE_BYTES, MSG_DONTWAIT);
        if (length < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        if (length > 0) {
            message[length] = '\0';
            take_message(engine, running, message);
            continue;
        }
        close_link(running);
        running->retry_ms = 0;
        running_due_after(running, PHASE_EXAMINE, 0);
    }
}

// --- the directory

static void reconnect(struct engine *engine, struct running *running)
{
    struct soma_error err;
    running->link_fd = attempt_connect(engine->config.root, running->id, running->attempt);
    if (running->link_fd < 0 || engine_watch(engine, running->link_fd, running, &err) != SOMA_OK) {
        // It is about to open its socket, or about to go.
        close_link(running);
        running_back_off(running);
        return;
    }
    running->phase = PHASE_LINKED;
    running->due = MONO_NEVER;
    running->is_recovered = true;
    // What a server before this one wrote may not have been told.
    running->feed_is_owed = running->feed_is_answered = true;
    engine_send_cancel(running);
    engine_send_feed(running);
}

static void never_ran(struct engine *engine, struct running *running)
{
    // With the link of a spawner that died the request may have died too: nobody's fault.
    engine_read_spawner(engine);
    if (running->phase != PHASE_EXAMINE)
        return;
    if (running->is_spawned && !running->is_recovered) {
        fail_start(engine, running, "the supervisor ended before it started the program");
        return;
    }
    if (running->is_of_last_boot) {
        struct job_outcome outcome;
        outcome_state(&outcome, JOB_REASON_LOST,
                      "after this attempt was claimed the machine went down, or the data was "
                      "restored; whether its program began is unknown");
        end_with(engine, running, &outcome);
        return;
    }
    engine_give_back(engine, running);
}

static void examine(struct engine *engine, struct running *running)
{
    enum attempt_fate fate;
    struct soma_error err;
    struct job_outcome outcome = {0};
    if (attempt_examine(engine->config.root, running->id, running->attempt, &fate, &outcome,
                        &err) != SOMA_OK) {
        log_warning("JOB-NOT-EXAMINED", "job %s: %s", running->id, err.text);
        running_due_after(running, PHASE_EXAMINE, RETRY_LAST_MS);
        return;
    }
    switch (fate) {
    case ATTEMPT_RUNS:
        reconnect(engine, running);
        return;
    case ATTEMPT_NEVER_RAN:
        never_ran(engine, running);
        return;
    case ATTEMPT_ENDED:
    case ATTEMPT_GONE:
        crash_point(CRASH_END_SEEN);
        end_with(engine, running, &outcome);
        return;
    }
}

void engine_step(struct engine *engine, struct running *running)
{
    switch (running->phase) {
    case PHASE_SPAWN:
        spawn(engine, running);
        return;
    case PHASE_EXAMINE:
        examine(engine, running);
        return;
    case PHASE_END:
        engine_write_end(engine, running);
        return;
    case PHASE_LINKED:
    case PHASE_ENDING:
        running->due = MONO_NEVER;
        return;
    }
}
