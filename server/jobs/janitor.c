#include "jobs/janitor.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/crash_point.h"
#include "base/file.h"
#include "base/log.h"
#include "jobs/retention.h"
#include "jobs/uploads.h"
#include "store/jobs.h"
#include "store/queues.h"
#include "store/requests.h"

enum {
    QUEUE_MAX = 65536,
    QUEUE_PAGE = 500,
    STEP_BYTES = 16 << 20,
    SWEEP_STEP = 256,
    REMOVED_STEP = 1000,
    HISTORY_MS = 86400000, // how long removals are remembered
};

struct garbage {
    struct garbage *next;
    char id[ID_SIZE];
};

struct janitor {
    struct janitor_config config;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool stopping;         // lock
    bool wants_look;       // lock: what is kept has changed
    struct garbage *first; // lock
    struct garbage *last;  // lock
    size_t count;          // lock
};

void janitor_remove(struct janitor *janitor, const char *id)
{
    struct garbage *garbage = malloc(sizeof *garbage);
    if (!garbage)
        return;
    garbage->next = NULL;
    memcpy(garbage->id, id, ID_SIZE);
    pthread_mutex_lock(&janitor->lock);
    bool fits = janitor->count < QUEUE_MAX && !janitor->stopping;
    if (fits) {
        if (janitor->first)
            janitor->last->next = garbage;
        else
            janitor->first = garbage;
        janitor->last = garbage;
        janitor->count++;
        pthread_cond_signal(&janitor->changed);
    }
    pthread_mutex_unlock(&janitor->lock);
    if (!fits)
        free(garbage);
}

void janitor_look(struct janitor *janitor)
{
    pthread_mutex_lock(&janitor->lock);
    janitor->wants_look = true;
    pthread_cond_signal(&janitor->changed);
    pthread_mutex_unlock(&janitor->lock);
}

static bool is_stopping(struct janitor *janitor)
{
    pthread_mutex_lock(&janitor->lock);
    bool stopping = janitor->stopping;
    pthread_mutex_unlock(&janitor->lock);
    return stopping;
}

// --- directories

static void remove_directory(struct janitor *janitor, const char *id)
{
    struct soma_error err;
    crash_point(CRASH_REMOVAL_COMMITTED);
    if (directory_remove_all(janitor->config.root->fd, id, NULL, &err) != SOMA_OK)
        log_warning("JOB-FILES-LEFT", "cannot remove the files of job %s: %s", id, err.text);
}

// Directories without a row, as far as one step of the sweep has seen.
struct orphans {
    struct write_op op;
    size_t count;
    char ids[SWEEP_STEP][ID_SIZE];
};

static bool has_no_row(struct store_txn *txn, const char *id, struct arena *arena)
{
    struct job_row row;
    struct soma_error lookup;
    bool is_missing = job_store_get(txn, id, false, arena, &row, &lookup) == SOMA_NOT_FOUND;
    arena_reset(arena, STEP_BYTES);
    return is_missing;
}

// A directory may be newer than what a reader sees: claims make it while their commit is on its
// way. On the writer thread, behind the claim that made it, its job's row is there.
static enum soma_code apply_orphans(struct write_op *op, struct store_txn *txn,
                                    struct soma_error *err)
{
    (void)err;
    struct orphans *orphans = (struct orphans *)op;
    struct arena arena;
    arena_init(&arena, STEP_BYTES);
    size_t count = 0;
    for (size_t i = 0; i < orphans->count; i++) {
        if (has_no_row(txn, orphans->ids[i], &arena))
            memmove(orphans->ids[count++], orphans->ids[i], ID_SIZE);
    }
    orphans->count = count;
    arena_fini(&arena);
    return SOMA_OK;
}

static enum soma_code find_orphans(struct janitor *janitor, DIR *directory, struct orphans *orphans,
                                   bool *ret_more, struct soma_error *err)
{
    struct store_txn *txn;
    enum soma_code code = store_read_begin(janitor->config.store, &txn, err);
    if (code != SOMA_OK)
        return code;
    struct arena arena;
    arena_init(&arena, STEP_BYTES);
    struct dirent *entry = NULL;
    for (int i = 0; i < SWEEP_STEP && (entry = readdir(directory)) != NULL; i++) {
        if (id_is_valid(entry->d_name) && has_no_row(txn, entry->d_name, &arena))
            memcpy(orphans->ids[orphans->count++], entry->d_name, ID_SIZE);
    }
    *ret_more = entry != NULL;
    arena_fini(&arena);
    store_read_end(txn);
    return SOMA_OK;
}

static enum soma_code sweep_step(struct janitor *janitor, DIR *directory, bool *ret_more,
                                 struct soma_error *err)
{
    struct orphans orphans = {.op = {.apply = apply_orphans}};
    enum soma_code code = find_orphans(janitor, directory, &orphans, ret_more, err);
    if (code == SOMA_OK && orphans.count > 0)
        code = writer_run(janitor->config.writer, &orphans.op, err);
    for (size_t i = 0; i < orphans.count && code == SOMA_OK; i++)
        janitor_remove(janitor, orphans.ids[i]);
    return code;
}

static void sweep(struct janitor *janitor)
{
    int fd = openat(janitor->config.root->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *directory = fd >= 0 ? fdopendir(fd) : NULL;
    if (!directory) {
        fd_close_at_exit(&fd);
        return;
    }
    struct soma_error err;
    bool more = true;
    while (more && !is_stopping(janitor)) {
        if (sweep_step(janitor, directory, &more, &err) != SOMA_OK) {
            log_warning("JOB-SWEEP-FAILED", "cannot look for files of removed jobs: %s", err.text);
            break;
        }
    }
    closedir(directory);
}

// --- retention

static void say_removed(struct janitor *janitor, const struct retention_step *step)
{
    for (size_t i = 0; i < step->list.count; i++) {
        const struct job *job = &step->list.rows[i]->job;
        log_info("JOB-REMOVED", "job %s of queue %s: %s", job->id, job->spec.queue,
                 retention_rule_text(step->rule));
        if (janitor->config.on_change)
            janitor->config.on_change(janitor->config.user, job->num);
        janitor_remove(janitor, job->id);
    }
}

// Until the rule lets all stay that is left. A failure is logged, and tried again at the next look.
static void retain(struct janitor *janitor, enum retention_rule rule, const char *queue)
{
    bool more = true;
    while (more && !is_stopping(janitor)) {
        struct retention_step step = {
            .rule = rule,
            .queue = queue,
            .output_bytes_max = janitor->config.output_bytes_max,
        };
        struct soma_error err;
        more = retention_step_run(&step, janitor->config.writer, &err) == SOMA_OK;
        if (more)
            say_removed(janitor, &step);
        else
            log_warning("JOB-RETENTION-FAILED", "cannot remove old jobs: %s", err.text);
        more = more && step.list.count > 0;
        retention_step_fini(&step);
    }
}

static enum soma_code list_queues(struct janitor *janitor, const char *after, struct arena *arena,
                                  struct queue_list *ret_list, struct soma_error *err)
{
    struct store_txn *txn;
    enum soma_code code = store_read_begin(janitor->config.store, &txn, err);
    if (code != SOMA_OK)
        return code;
    struct name_range range;
    name_range_init(&range, NULL, after);
    code = queue_store_list(txn, &range, QUEUE_PAGE, arena, ret_list, err);
    store_read_end(txn);
    return code;
}

static void retain_queue(struct janitor *janitor, const struct queue *queue)
{
    if (queue->settings.keep_ms > 0)
        retain(janitor, RETENTION_QUEUE_AGE, queue->name);
    if (queue->settings.keep_jobs > 0)
        retain(janitor, RETENTION_QUEUE_JOBS, queue->name);
    if (queue->settings.keep_bytes > 0)
        retain(janitor, RETENTION_QUEUE_SIZE, queue->name);
}

static void retain_queues(struct janitor *janitor)
{
    struct arena arena;
    struct queue_list list = {.more = true};
    struct soma_error err;
    char after[QUEUE_NAME_BYTES + 1] = "";
    arena_init(&arena, STEP_BYTES);
    while (list.more && !is_stopping(janitor)) {
        arena_reset(&arena, STEP_BYTES);
        if (list_queues(janitor, after, &arena, &list, &err) != SOMA_OK) {
            log_warning("JOB-RETENTION-FAILED", "cannot list queues: %s", err.text);
            break;
        }
        for (size_t i = 0; i < list.count && !is_stopping(janitor); i++)
            retain_queue(janitor, &list.rows[i]);
        if (list.count > 0)
            snprintf(after, sizeof after, "%s", list.rows[list.count - 1].name);
    }
    arena_fini(&arena);
}

static enum soma_code apply_forget(struct write_op *op, struct store_txn *txn,
                                   struct soma_error *err)
{
    (void)op;
    struct wall_time before = {clock_wall_now().ms - HISTORY_MS};
    return job_store_forget_removed(txn, before, REMOVED_STEP, err);
}

struct requests_op {
    struct write_op op;
    size_t count;
};

static enum soma_code apply_requests(struct write_op *write_op, struct store_txn *txn,
                                     struct soma_error *err)
{
    struct requests_op *op = (struct requests_op *)write_op;
    return request_store_forget(txn, clock_wall_now(), REMOVED_STEP, &op->count, err);
}

// In steps between other work.
static void forget_requests(struct janitor *janitor)
{
    struct requests_op op = {.op = {.apply = apply_requests}, .count = REMOVED_STEP};
    while (!is_stopping(janitor) && op.count == REMOVED_STEP) {
        if (writer_run(janitor->config.writer, &op.op, NULL) != SOMA_OK)
            return;
    }
}

static void look(struct janitor *janitor)
{
    retain(janitor, RETENTION_EXPIRED, NULL);
    retain_queues(janitor);
    retain(janitor, RETENTION_TOTAL_SIZE, NULL);
    uploads_sweep(janitor->config.root, janitor->config.writer);
    struct write_op forget = {.apply = apply_forget};
    writer_run(janitor->config.writer, &forget, NULL);
    forget_requests(janitor);
}

// --- the thread

static bool has_come(const struct timespec *time)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec > time->tv_sec ||
           (now.tv_sec == time->tv_sec && now.tv_nsec >= time->tv_nsec);
}

// The next directory to remove, or NULL when it is time to look, whatever is left, or to stop.
static struct garbage *take_garbage(struct janitor *janitor, const struct timespec *deadline)
{
    pthread_mutex_lock(&janitor->lock);
    int errnum = 0;
    while (!janitor->first && !janitor->stopping && !janitor->wants_look && errnum != ETIMEDOUT)
        errnum = pthread_cond_timedwait(&janitor->changed, &janitor->lock, deadline);
    bool is_over = janitor->stopping || janitor->wants_look || has_come(deadline);
    struct garbage *garbage = is_over ? NULL : janitor->first;
    janitor->wants_look = false;
    if (garbage) {
        janitor->first = garbage->next;
        janitor->count--;
    }
    pthread_mutex_unlock(&janitor->lock);
    return garbage;
}

static struct timespec after_ms(int64_t ms)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    time.tv_sec += ms / 1000;
    time.tv_nsec += ms % 1000 * 1000000;
    if (time.tv_nsec >= 1000000000) {
        time.tv_sec++;
        time.tv_nsec -= 1000000000;
    }
    return time;
}

static void *janitor_main(void *user)
{
    struct janitor *janitor = user;
    pthread_setname_np(pthread_self(), "janitor");
    sweep(janitor);
    while (!is_stopping(janitor)) {
        look(janitor);
        struct timespec deadline = after_ms(janitor->config.period_ms);
        struct garbage *garbage;
        while ((garbage = take_garbage(janitor, &deadline)) != NULL) {
            remove_directory(janitor, garbage->id);
            free(garbage);
        }
    }
    return NULL;
}

void janitor_free(struct janitor *janitor)
{
    if (!janitor)
        return;
    while (janitor->first) {
        struct garbage *next = janitor->first->next;
        free(janitor->first);
        janitor->first = next;
    }
    pthread_cond_destroy(&janitor->changed);
    pthread_mutex_destroy(&janitor->lock);
    free(janitor);
}

enum soma_code janitor_start(const struct janitor_config *config, struct janitor **ret_janitor,
                             struct soma_error *err)
{
    struct janitor *janitor = calloc(1, sizeof *janitor);
    if (!janitor)
        return error_set_no_memory(err);
    janitor->config = *config;
    pthread_mutex_init(&janitor->lock, NULL);
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&janitor->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    int errnum = pthread_create(&janitor->thread, NULL, janitor_main, janitor);
    if (errnum) {
        janitor_free(janitor);
        return error_set_errno(err, errnum, "cannot start the janitor's thread");
    }
    *ret_janitor = janitor;
    return SOMA_OK;
}

void janitor_stop(struct janitor *janitor)
{
    if (!janitor)
        return;
    pthread_mutex_lock(&janitor->lock);
    janitor->stopping = true;
    pthread_cond_signal(&janitor->changed);
    pthread_mutex_unlock(&janitor->lock);
    pthread_join(janitor->thread, NULL);
}
