#include "jobs/engine.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "jobs/engine_private.h"
#include "jobs/last_boot.h"
#include "wire/limits.h"

enum {
    EVENTS_AT_ONCE = 64,
    RECOVERY_PAGE = 64,
    RECOVERY_BYTES = 64 << 20,
};

// However long the specifications are: a server that cannot take up what runs does not start. A row
// has its head as it is stored and decoded; what is left is for the arena's own blocks.
_Static_assert(RECOVERY_PAGE * 3 * SPEC_HEAD_BYTES_MAX <= RECOVERY_BYTES / 4 * 3,
               "a page of running jobs");

// --- the list of what runs

struct running *engine_find(struct engine *engine, int64_t num)
{
    struct running *running = engine->running;
    while (running && running->num != num)
        running = running->next;
    return running;
}

struct running *engine_add(struct engine *engine, const struct job *job)
{
    struct running *running = calloc(1, sizeof *running);
    if (!running)
        return NULL;
    running->num = job->num;
    memcpy(running->id, job->id, sizeof running->id);
    running->attempt = job->status.attempt;
    running->withheld = (uint32_t)job->spec.withheld;
    namespace_of(job->spec.queue, running->space);
    running->kill_grace_ms = job->spec.limits.kill_grace_ms;
    running->link_fd = -1;
    running->is_cancelled = job->status.cancel_requested.ms > 0;
    running->cancel_force = job->status.cancel_force;
    if (job->status.cancel_note)
        strncpy(running->cancel_note, job->status.cancel_note, sizeof running->cancel_note - 1);
    pthread_mutex_lock(&engine->lock);
    running->next = engine->running;
    engine->running = running;
    pthread_mutex_unlock(&engine->lock);
    engine->running_count++;
    return running;
}

void engine_drop(struct engine *engine, struct running *running)
{
    pthread_mutex_lock(&engine->lock);
    struct running **at = &engine->running;
    while (*at != running)
        at = &(*at)->next;
    *at = running->next;
    pthread_mutex_unlock(&engine->lock);
    engine->running_count--;
    fd_close_at_exit(&running->link_fd);
    free(running);
}

void running_due_after(struct running *running, enum attempt_phase phase, int64_t ms)
{
    running->phase = phase;
    running->due = clock_deadline_after(ms);
}

void running_back_off(struct running *running)
{
    int64_t ms = running->retry_ms ? running->retry_ms * 2 : RETRY_FIRST_MS;
    running->retry_ms = ms < RETRY_LAST_MS ? ms : RETRY_LAST_MS;
    running->due = clock_deadline_after(running->retry_ms);
}

// --- the thread

enum soma_code engine_watch(struct engine *engine, int fd, void *about, struct soma_error *err)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = about};
    if (epoll_ctl(engine->epoll_fd, EPOLL_CTL_ADD, fd, &event))
        return error_set_errno(err, errno, "cannot watch a descriptor");
    return SOMA_OK;
}

static void deliver_mail(struct engine *engine)
{
    pthread_mutex_lock(&engine->lock);
    struct engine_mail *mail = engine->mail_first;
    engine->mail_first = engine->mail_last = NULL;
    pthread_mutex_unlock(&engine->lock);
    while (mail) {
        struct engine_mail *next = mail->next;
        mail->deliver(engine, mail->owner);
        mail = next;
    }
}

static void step_all(struct engine *engine)
{
    struct running *next;
    for (struct running *running = engine->running; running; running = next) {
        next = running->next;
        if (clock_left_ms(running->due) == 0)
            engine_step(engine, running);
    }
}

static bool has_place(const struct engine *engine)
{
    return engine->running_count < engine->config.running_max;
}

static void claim_if_due(struct engine *engine)
{
    if (!engine->may_claim)
        return;
    if (clock_left_ms(engine->claim_after) > 0) {
        engine_withdraw(engine);
        return;
    }
    unsigned places = has_place(engine) ? engine->config.running_max - engine->running_count : 0;
    if (places > CLAIM_BATCH)
        places = CLAIM_BATCH;
    bool is_due = engine->next_due.ms > 0 && clock_wall_now().ms >= engine->next_due.ms;
    bool is_wanted = places > 0 && atomic_load(&engine->wanted);
    if (!is_due && !is_wanted && !atomic_load(&engine->unsettled)) {
        if (!engine->claim_is_out)
            engine_stand_by(engine, places);
        return;
    }
    if (engine->claim_is_out && !engine_withdraw(engine))
        return;
    if (is_wanted)
        atomic_store(&engine->wanted, false);
    atomic_store(&engine->unsettled, false);
    engine->next_due.ms = 0;
    engine_claim(engine, places);
}

static void shorten(int64_t *wait_ms, int64_t ms)
{
    if (ms < *wait_ms)
        *wait_ms = ms > 0 ? ms : 0;
}

// Until the next claim is due.
static int64_t claim_wait_ms(struct engine *engine)
{
    int64_t wait_ms = IDLE_MS;
    if (!engine->may_claim || (engine->claim_is_out && !atomic_load(&engine->standing)))
        return wait_ms;
    if (engine->next_due.ms > 0) {
        shorten(&wait_ms, WALL_LOOK_MS);
        shorten(&wait_ms, engine->next_due.ms - clock_wall_now().ms);
    }
    if (atomic_load(&engine->unsettled) || (has_place(engine) && atomic_load(&engine->wanted)))
        wait_ms = 0;
    int64_t after_ms = clock_left_ms(engine->claim_after);
    return wait_ms > after_ms ? wait_ms : after_ms;
}

static int wait_ms(struct engine *engine)
{
    int64_t wait_ms = IDLE_MS;
    for (struct running *running = engine->running; running; running = running->next)
        shorten(&wait_ms, clock_left_ms(running->due));
    shorten(&wait_ms, claim_wait_ms(engine));
    return (int)wait_ms;
}

static void take_event(struct engine *engine, void *about)
{
    if (about == &engine->wake_fd) {
        uint64_t count;
        ssize_t got = read(engine->wake_fd, &count, sizeof count);
        (void)got;
    } else if (about == &engine->config.spawner) {
        engine_read_spawner(engine);
    } else {
        engine_read_link(engine, about);
    }
}

static void *engine_main(void *user)
{
    struct engine *engine = user;
    pthread_setname_np(pthread_self(), "engine");
    struct epoll_event events[EVENTS_AT_ONCE];
    while (!atomic_load(&engine->stopping)) {
        int count = epoll_wait(engine->epoll_fd, events, EVENTS_AT_ONCE, wait_ms(engine));
        // No step below frees a running job, so an event's pointer lives until deliver_mail.
        for (int i = 0; i < count; i++)
            take_event(engine, events[i].data.ptr);
        deliver_mail(engine);
        step_all(engine);
        claim_if_due(engine);
    }
    return NULL;
}

// --- start and stop

// One whose specification cannot be read any more is followed by its row's columns alone: neither
// it nor the others may be without a server for that.
static enum soma_code take_up_row(struct engine *engine, struct job_row *row, struct arena *arena,
                                  bool is_of_last_boot, struct soma_error *err)
{
    struct soma_error why;
    enum soma_code code = job_row_complete(row, arena, &why);
    if (code == SOMA_DATA_LOSS) {
        log_warning("JOB-UNREADABLE", "job %s: %s", row->job.id, why.text);
        row->job.spec.limits.kill_grace_ms = LIMIT_JOB_DEFAULT_KILL_GRACE_MS;
        code = SOMA_OK;
    }
    struct running *running = code == SOMA_OK ? engine_add(engine, &row->job) : NULL;
    if (!running)
        return error_set_no_memory(err);
    running->is_recovered = true;
    running->is_of_last_boot = is_of_last_boot;
    engine->last_boot_count += is_of_last_boot;
    running_due_after(running, PHASE_EXAMINE, 0);
    return SOMA_OK;
}

static enum soma_code take_up_page(struct engine *engine, struct store_txn *txn,
                                   struct arena *arena, bool is_of_last_boot, int64_t *after,
                                   bool *ret_more, struct soma_error *err)
{
    struct job_list list;
    enum soma_code code = job_store_running(txn, *after, RECOVERY_PAGE, arena, &list, err);
    for (size_t i = 0; i < list.count && code == SOMA_OK; i++)
        code = take_up_row(engine, list.rows[i], arena, is_of_last_boot, err);
    if (code == SOMA_OK) {
        *after = list.after;
        *ret_more = list.more;
    }
    return code;
}

// Every job that the database calls RUNNING is looked at by the thread's first round.
static enum soma_code take_up(struct engine *engine, struct soma_error *err)
{
    struct store_txn *txn;
    enum soma_code code = store_read_begin(engine->config.store, &txn, err);
    if (code != SOMA_OK)
        return code;
    struct arena arena;
    arena_init(&arena, RECOVERY_BYTES);
    int64_t after = 0;
    bool more = true, is_of_last_boot = last_boot_is_over(engine->config.root);
    while (code == SOMA_OK && more) {
        code = take_up_page(engine, txn, &arena, is_of_last_boot, &after, &more, err);
        arena_reset(&arena, RECOVERY_BYTES);
    }
    arena_fini(&arena);
    store_read_end(txn);
    if (code == SOMA_OK && engine->last_boot_count == 0)
        last_boot_note(engine->config.root);
    if (code == SOMA_OK && engine->running_count > 0)
        log_info("JOBS-FOUND-RUNNING", "%u jobs were running: looking after them",
                 engine->running_count);
    return code;
}

static enum soma_code open_descriptors(struct engine *engine, struct soma_error *err)
{
    engine->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    engine->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (engine->epoll_fd < 0 || engine->wake_fd < 0)
        return error_set_errno(err, errno, "cannot make the engine's descriptors");
    enum soma_code code = engine_watch(engine, engine->wake_fd, &engine->wake_fd, err);
    if (code == SOMA_OK)
        code = engine_watch(engine, engine->config.spawner.fd, &engine->config.spawner, err);
    return code;
}

enum soma_code engine_start(const struct engine_config *config, struct engine **ret_engine,
                            struct soma_error *err)
{
    struct engine *engine = calloc(1, sizeof *engine);
    if (!engine)
        return error_set_no_memory(err);
    engine->config = *config;
    engine->epoll_fd = engine->wake_fd = -1;
    pthread_mutex_init(&engine->lock, NULL);
    atomic_store(&engine->wanted, true);
    atomic_store(&engine->unsettled, true);
    enum soma_code code = open_descriptors(engine, err);
    if (code == SOMA_OK)
        code = take_up(engine, err);
    if (code == SOMA_OK) {
        int errnum = pthread_create(&engine->thread, NULL, engine_main, engine);
        engine->has_thread = errnum == 0;
        if (errnum)
            code = error_set_errno(err, errnum, "cannot start the engine's thread");
    }
    if (code != SOMA_OK) {
        engine_stop(engine);
        engine_free(engine);
        return code;
    }
    *ret_engine = engine;
    return SOMA_OK;
}

static enum soma_code apply_nothing(struct write_op *op, struct store_txn *txn,
                                    struct soma_error *err)
{
    (void)op, (void)txn, (void)err;
    return SOMA_OK;
}

// What was claimed and not yet handed to the spawner goes back to the queue: should the machine
// start anew, nobody could tell that it never ran. The thread is gone.
static void give_back_unbegun(struct engine *engine)
{
    struct write_op last = {.apply = apply_nothing};
    // A claim that is with the writer comes back before this does.
    writer_run(engine->config.writer, &last, NULL);
    deliver_mail(engine);
    for (struct running *running = engine->running; running; running = running->next) {
        if (running->phase == PHASE_SPAWN)
            engine_give_back(engine, running);
    }
}

void engine_stop(struct engine *engine)
{
    if (!engine)
        return;
    atomic_store(&engine->stopping, true);
    if (engine->has_thread) {
        engine_ring(engine);
        pthread_join(engine->thread, NULL);
        engine->has_thread = false;
        give_back_unbegun(engine);
    }
    spawner_stop(&engine->config.spawner);
}

void engine_free(struct engine *engine)
{
    if (!engine)
        return;
    struct engine_mail *mail = engine->mail_first;
    while (mail) {
        struct engine_mail *next = mail->next;
        mail->drop(mail->owner);
        mail = next;
    }
    engine_withdraw(engine);
    while (engine->running)
        engine_drop(engine, engine->running);
    fd_close_at_exit(&engine->epoll_fd);
    fd_close_at_exit(&engine->wake_fd);
    pthread_mutex_destroy(&engine->lock);
    free(engine);
}
