#include "jobs/janitor.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "jobs/uploads.h"
#include "store/jobs.h"
#include "store/requests.h"

enum {
    QUEUE_MAX = 65536,
    STEP_JOBS = 64,
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
    if (directory_remove_all(janitor->config.root->fd, id, NULL, &err) != SOMA_OK)
        log_warning("JOB-FILES-LEFT", "cannot remove the files of job %s: %s", id, err.text);
}

// A directory is made only after its job's row is committed, so one without a row is garbage.
static enum soma_code sweep_step(struct janitor *janitor, DIR *directory, bool *ret_more,
                                 struct soma_error *err)
{
    struct store_txn *txn;
    enum soma_code code = store_read_begin(janitor->config.store, &txn, err);
    if (code != SOMA_OK)
        return code;
    struct arena arena;
    arena_init(&arena, STEP_BYTES);
    struct dirent *entry = NULL;
    for (int i = 0; i < SWEEP_STEP && (entry = readdir(directory)) != NULL; i++) {
        if (!id_is_valid(entry->d_name))
            continue;
        struct job_row row;
        struct soma_error lookup;
        if (job_store_get(txn, entry->d_name, false, &arena, &row, &lookup) == SOMA_NOT_FOUND)
            janitor_remove(janitor, entry->d_name);
        arena_reset(&arena, STEP_BYTES);
    }
    *ret_more = entry != NULL;
    arena_fini(&arena);
    store_read_end(txn);
    return SOMA_OK;
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

enum retention_rule {
    RULE_EXPIRED,  // the keep time is over
    RULE_TOO_MUCH, // over the total size: what ended first goes
};

struct retention_op {
    struct write_op op;
    struct janitor *janitor;
    enum retention_rule rule;
    struct arena arena;
    struct job_list list;
};

static enum soma_code choose(struct retention_op *op, struct store_txn *txn, struct soma_error *err)
{
    struct wall_time now = clock_wall_now();
    op->list = (struct job_list){0};
    if (op->rule == RULE_EXPIRED)
        return job_store_expired(txn, now, STEP_JOBS, &op->arena, &op->list, err);
    struct job_totals totals;
    enum soma_code code = job_store_totals(txn, &totals, err);
    int64_t max = op->janitor->config.output_bytes_max;
    if (code != SOMA_OK || max == 0 || totals.output_bytes <= max)
        return code;
    return job_store_ended(txn, &(struct job_filter){0}, now, STEP_JOBS, &op->arena, &op->list,
                           err);
}

static enum soma_code apply_retention(struct write_op *write_op, struct store_txn *txn,
                                      struct soma_error *err)
{
    struct retention_op *op = (struct retention_op *)write_op;
    enum soma_code code = choose(op, txn, err);
    int64_t over = 0;
    struct job_totals totals;
    if (code == SOMA_OK && op->rule == RULE_TOO_MUCH) {
        code = job_store_totals(txn, &totals, err);
        over = totals.output_bytes - op->janitor->config.output_bytes_max;
    }
    size_t i = 0;
    for (; code == SOMA_OK && i < op->list.count; i++) {
        if (op->rule == RULE_TOO_MUCH && over <= 0)
            break;
        const struct job *job = &op->list.rows[i]->job;
        over -= job_kept_bytes(&job->status);
        code = job_store_delete(txn, job->num, clock_wall_now(), err);
    }
    op->list.count = i;
    return code;
}

// How many jobs went; 0 also after a failure, which is logged.
static size_t retain(struct janitor *janitor, enum retention_rule rule)
{
    struct retention_op op = {.op = {.apply = apply_retention}, .janitor = janitor, .rule = rule};
    arena_init(&op.arena, STEP_BYTES);
    struct soma_error err;
    size_t count = 0;
    if (writer_run(janitor->config.writer, &op.op, &err) == SOMA_OK)
        count = op.list.count;
    else
        log_warning("JOB-RETENTION-FAILED", "cannot remove old jobs: %s", err.text);
    for (size_t i = 0; i < count; i++) {
        const struct job *job = &op.list.rows[i]->job;
        log_info("JOB-REMOVED", "job %s: %s", job->id,
                 rule == RULE_EXPIRED ? "its keep time is over"
                                      : "the output of all finished jobs is over its bound");
        if (janitor->config.on_change)
            janitor->config.on_change(janitor->config.user, job->num);
        janitor_remove(janitor, job->id);
    }
    arena_fini(&op.arena);
    return count;
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
    static const enum retention_rule rules[] = {RULE_EXPIRED, RULE_TOO_MUCH};
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
        while (!is_stopping(janitor) && retain(janitor, rules[i]) > 0)
            continue;
    }
    uploads_sweep(janitor->config.root, janitor->config.writer);
    struct write_op forget = {.apply = apply_forget};
    writer_run(janitor->config.writer, &forget, NULL);
    forget_requests(janitor);
}

// --- the thread

// The next directory to remove, or NULL at the deadline or the stop.
static struct garbage *take_garbage(struct janitor *janitor, const struct timespec *deadline)
{
    pthread_mutex_lock(&janitor->lock);
    int errnum = 0;
    while (!janitor->first && !janitor->stopping && errnum != ETIMEDOUT)
        errnum = pthread_cond_timedwait(&janitor->changed, &janitor->lock, deadline);
    struct garbage *garbage = janitor->stopping ? NULL : janitor->first;
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
