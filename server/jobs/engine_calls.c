// What other threads may ask of the engine: each becomes a flag or a mail, and wakes its thread.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "jobs/engine_private.h"

void engine_ring(struct engine *engine)
{
    uint64_t one = 1;
    // Fails only where the counter is full, and then the thread is awake anyway.
    ssize_t written = write(engine->wake_fd, &one, sizeof one);
    (void)written;
}

void engine_wake(struct engine *engine)
{
    if (!atomic_exchange(&engine->wanted, true))
        engine_ring(engine);
}

void engine_settle(struct engine *engine)
{
    atomic_store(&engine->wanted, true);
    if (!atomic_exchange(&engine->unsettled, true))
        engine_ring(engine);
}

void engine_post(struct engine *engine, struct engine_mail *mail)
{
    mail->next = NULL;
    pthread_mutex_lock(&engine->lock);
    bool was_empty = engine->mail_first == NULL;
    if (was_empty)
        engine->mail_first = mail;
    else
        engine->mail_last->next = mail;
    engine->mail_last = mail;
    pthread_mutex_unlock(&engine->lock);
    if (was_empty)
        engine_ring(engine);
}

void engine_changed(struct engine *engine, int64_t num)
{
    if (engine->config.on_change)
        engine->config.on_change(engine->config.user, num);
}

bool engine_peek_live(struct engine *engine, int64_t num, uint32_t attempt,
                      struct job_live *ret_live)
{
    pthread_mutex_lock(&engine->lock);
    // For a moment it may still be the attempt before.
    struct running *running = engine_find(engine, num);
    bool is_known = running && running->attempt == attempt;
    if (is_known)
        *ret_live = running->live;
    pthread_mutex_unlock(&engine->lock);
    return is_known;
}

bool engine_follows(struct engine *engine, const char *id, uint32_t attempt, uint32_t *ret_withheld,
                    char ret_space[NAMESPACE_SIZE])
{
    pthread_mutex_lock(&engine->lock);
    const struct running *running = engine->running;
    while (running && (running->attempt != attempt || strcmp(running->id, id) != 0))
        running = running->next;
    if (running) {
        *ret_withheld = running->withheld;
        memcpy(ret_space, running->space, sizeof running->space);
    }
    pthread_mutex_unlock(&engine->lock);
    return running != NULL;
}

static void deliver_claims(struct engine *engine, void *owner)
{
    (void)owner;
    engine->may_claim = true;
}

static void drop_claims(void *owner)
{
    (void)owner;
}

void engine_begin_claims(struct engine *engine)
{
    engine->claims_mail = (struct engine_mail){.deliver = deliver_claims, .drop = drop_claims};
    engine_post(engine, &engine->claims_mail);
}

struct cancel_mail {
    struct engine_mail mail;
    int64_t num;
    bool force;
    char note[JOB_NOTE_BYTES + 1];
};

void engine_take_cancel(struct engine *engine, int64_t num, const char *note, bool force)
{
    struct running *running = engine_find(engine, num);
    if (!running)
        return;
    // A first wish's note stays; force is news to the runner even after it.
    if (!running->is_cancelled)
        snprintf(running->cancel_note, sizeof running->cancel_note, "%s", note);
    if (force && !running->cancel_force)
        running->cancel_is_sent = false;
    running->is_cancelled = true;
    running->cancel_force |= force;
    engine_send_cancel(running);
}

static void deliver_cancel(struct engine *engine, void *owner)
{
    struct cancel_mail *cancel = owner;
    engine_take_cancel(engine, cancel->num, cancel->note, cancel->force);
    free(cancel);
}

void engine_cancel(struct engine *engine, int64_t num, const char *note, bool force)
{
    struct cancel_mail *cancel = calloc(1, sizeof *cancel);
    if (!cancel) {
        log_error("JOB-CANCEL-LOST", "out of memory: job %lld is told at the next start",
                  (long long)num);
        return;
    }
    cancel->mail = (struct engine_mail){
        .deliver = deliver_cancel,
        .drop = free,
        .owner = cancel,
    };
    cancel->num = num;
    cancel->force = force;
    strncpy(cancel->note, note, sizeof cancel->note - 1);
    engine_post(engine, &cancel->mail);
}

struct feed_mail {
    struct engine_mail mail;
    int64_t num;
};

static void deliver_feed(struct engine *engine, void *owner)
{
    struct feed_mail *feed = owner;
    struct running *running = engine_find(engine, feed->num);
    if (running) {
        running->feed_is_owed = true;
        engine_send_feed(running);
    }
    free(feed);
}

void engine_feed(struct engine *engine, int64_t num)
{
    struct feed_mail *feed = calloc(1, sizeof *feed);
    if (!feed) {
        log_error("JOB-FEED-LOST", "out of memory: job %lld is told with the next input",
                  (long long)num);
        return;
    }
    feed->mail = (struct engine_mail){.deliver = deliver_feed, .drop = free, .owner = feed};
    feed->num = num;
    engine_post(engine, &feed->mail);
}
