#include "jobs/changes.h"

#include "jobs/outcome.h"
#include "jobs/retry.h"
#include "store/job_after.h"
#include "store/job_family.h"
#include "store/queues.h"

enum soma_code job_row_complete(struct job_row *row, struct arena *arena, struct soma_error *err)
{
    return spec_decode(&row->spec, arena, &row->job.spec, err);
}

static enum soma_code enter(struct job_row *row, enum job_event event, struct soma_error *err)
{
    enum job_state from = row->job.status.state;
    if (job_transition(from, event, &row->job.status.state))
        return SOMA_OK;
    if (event == JOB_EVENT_RETRY)
        return error_set(err, REASON_JOB_NOT_FINAL, "job_id", "job %s is %s", row->job.id,
                         job_state_name(from));
    return error_set(err, REASON_INTERNAL, NULL, "job %s is %s: event %d cannot happen",
                     row->job.id, job_state_name(from), (int)event);
}

// What an attempt leaves in the status, gone; what belongs to the job stays.
static void forget_attempt(struct job_status *status)
{
    *status = (struct job_status){
        .state = status->state,
        .revision = status->revision,
        .created = status->created,
        .attempt = status->attempt,
        .wait = status->state == JOB_QUEUED ? JOB_WAIT_PLACE : JOB_WAIT_NONE,
        .start_by = status->start_by,
        .tries_from = status->tries_from,
        .is_awaited = status->is_awaited,
    };
}

// Over without having been started (again).
static enum soma_code end_queued(struct store_txn *txn, struct job_row *row, enum job_event event,
                                 enum job_reason reason, const char *message,
                                 struct soma_error *err)
{
    enum soma_code code = enter(row, event, err);
    if (code != SOMA_OK)
        return code;
    struct job_status *status = &row->job.status;
    status->reason = reason;
    status->message = message;
    status->finished = clock_wall_now();
    status->wait = JOB_WAIT_NONE;
    status->due.ms = 0;
    return job_store_update(txn, row, err);
}

enum soma_code job_expire(struct store_txn *txn, struct job_row *row, struct soma_error *err)
{
    return end_queued(txn, row, JOB_EVENT_EXPIRE, JOB_REASON_EXPIRED,
                      "not started by its deadline for starting", err);
}

enum soma_code job_depend(struct store_txn *txn, struct job_row *row, enum job_event event,
                          const char *after_id, struct arena *arena, struct soma_error *err)
{
    const char *message =
        arena_printf(arena, "job %s, which it waited for, did not succeed", after_id);
    if (!message)
        return error_set_no_memory(err);
    return end_queued(txn, row, event, JOB_REASON_DEPENDENCY, message, err);
}

enum soma_code job_unblock(struct store_txn *txn, struct job_row *row, struct soma_error *err)
{
    struct job_status *status = &row->job.status;
    bool is_early = status->due.ms > clock_wall_now().ms;
    status->wait = is_early ? JOB_WAIT_TIME : JOB_WAIT_PLACE;
    return job_store_update(txn, row, err);
}

enum soma_code job_claim(struct store_txn *txn, struct job_row *row, struct soma_error *err)
{
    struct job_status *status = &row->job.status;
    struct wall_time now = clock_wall_now();
    if (status->start_by.ms > 0 && status->start_by.ms <= now.ms)
        return job_expire(txn, row, err);
    enum soma_code code = enter(row, JOB_EVENT_CLAIM, err);
    if (code != SOMA_OK)
        return code;
    forget_attempt(status);
    status->attempt++;
    status->started = now;
    return job_store_update(txn, row, err);
}

static void take_outcome(struct job_status *status, const struct job_outcome *outcome)
{
    status->reason = outcome->reason;
    status->exit_code = outcome->exit_code;
    status->signal = outcome->signal;
    status->message = outcome->message;
    if (outcome->started.ms > 0)
        status->started = outcome->started;
    status->finished = outcome->finished.ms > 0 ? outcome->finished : clock_wall_now();
    status->has_resources = outcome->has_resources;
    status->resources = outcome->resources;
    status->asked_count = outcome->asked_count;
    status->killed_count = outcome->killed_count;
    status->isolation = outcome->isolation;
    status->stdout_size = outcome->stdout_size;
    status->stderr_size = outcome->stderr_size;
    status->artifacts = outcome->artifacts;
    status->runner_pid = 0;
    if (outcome->has_progress) {
        status->has_progress = true;
        status->progress.percent = outcome->progress_percent;
        status->progress.message = outcome->progress_message;
        status->progress.reported = status->finished;
    }
}

// The attempt is history, the job waits for the next one.
static enum soma_code wait_for_next(struct store_txn *txn, struct job_row *row,
                                    struct soma_error *err)
{
    struct job_status *status = &row->job.status;
    enum soma_code code = job_store_keep_attempt(txn, row->job.num, status, err);
    uint32_t chance;
    random_bytes(&chance, sizeof chance);
    int64_t wait_ms =
        retry_wait_ms(&row->job.spec.retry, status->attempt - status->tries_from, chance);
    status->wait = wait_ms > 0 ? JOB_WAIT_BACKOFF : JOB_WAIT_PLACE;
    status->due.ms = wait_ms > 0 ? clock_wall_now().ms + wait_ms : 0;
    // It was started in time.
    status->start_by.ms = 0;
    status->finished.ms = 0;
    return code;
}

enum soma_code job_end(struct store_txn *txn, struct job_row *row,
                       const struct job_outcome *outcome, struct soma_error *err)
{
    struct job_status *status = &row->job.status;
    enum soma_code code = enter(row, job_event_of(outcome, &row->job.spec, status), err);
    if (code != SOMA_OK)
        return code;
    take_outcome(status, outcome);
    if (!job_state_is_final(status->state))
        code = wait_for_next(txn, row, err);
    return code == SOMA_OK ? job_store_update(txn, row, err) : code;
}

enum soma_code job_give_back(struct store_txn *txn, struct job_row *row, struct soma_error *err)
{
    struct job_status *status = &row->job.status;
    struct job_outcome never;
    if (status->cancel_requested.ms > 0) {
        outcome_state(&never, JOB_REASON_CANCELLED, "cancelled before it was started%s%s",
                      status->cancel_note && status->cancel_note[0] ? ": " : "",
                      status->cancel_note ? status->cancel_note : "");
        status->started.ms = 0;
        return job_end(txn, row, &never, err);
    }
    enum soma_code code = enter(row, JOB_EVENT_GIVE_BACK, err);
    if (code != SOMA_OK)
        return code;
    forget_attempt(status);
    status->attempt--;
    return job_store_update(txn, row, err);
}

static enum soma_code cancel_queued(struct store_txn *txn, struct job_row *row, const char *note,
                                    struct arena *arena, struct soma_error *err)
{
    const char *when = row->job.status.attempt > row->job.status.tries_from
                           ? "cancelled before it was tried again"
                           : "cancelled before it was started";
    const char *message = arena_printf(arena, "%s%s%s", when, note[0] ? ": " : "", note);
    if (!message)
        return error_set_no_memory(err);
    return end_queued(txn, row, JOB_EVENT_CANCEL, JOB_REASON_CANCELLED, message, err);
}

enum soma_code job_cancel(struct store_txn *txn, struct job_row *row, const char *note, bool force,
                          struct arena *arena, bool *ret_was_final, struct soma_error *err)
{
    struct job_status *status = &row->job.status;
    *ret_was_final = job_state_is_final(status->state);
    enum soma_code code = job_family_cancel(txn, row->job.id, note, force, err);
    if (code != SOMA_OK || *ret_was_final)
        return code;
    // A second wish only adds force; who asked first stays.
    if (status->cancel_requested.ms == 0) {
        status->cancel_requested = clock_wall_now();
        status->cancel_note = note;
    }
    status->cancel_force |= force;
    if (status->state == JOB_QUEUED)
        return cancel_queued(txn, row, note, arena, err);
    return job_store_update(txn, row, err);
}

enum {
    SETTLE_WAIT_MS = 100 // a guess: claims tell some waiters each
};

// Who waits for a job learns how it ended, however many do. Only then may it begin anew: it would
// be queued while its end is still told, also to who has come to wait for the next one.
static enum soma_code check_settled(struct store_txn *txn, const struct job *job,
                                    struct soma_error *err)
{
    bool is_unsettled = false;
    enum soma_code code = job_settle_has(txn, job->num, &is_unsettled, err);
    if (code != SOMA_OK || !is_unsettled)
        return code;
    code = error_set(err, REASON_SERVER_BUSY, NULL,
                     "jobs that waited for job %s are still being told how it ended", job->id);
    if (err)
        err->retry_after_ms = SETTLE_WAIT_MS;
    return code;
}

static enum soma_code check_retry(struct store_txn *txn, const struct job_row *row,
                                  const struct job_room *room, struct soma_error *err)
{
    static const uint8_t no_print[DEDUPE_PRINT_BYTES];
    const struct job_spec *spec = &row->job.spec;
    int64_t other = 0;
    bool is_same;
    const char *key = spec->dedupe_key;
    enum soma_code code = check_settled(txn, &row->job, err);
    if (code == SOMA_OK)
        code = queue_store_check_room(txn, spec->queue, room, err);
    if (code == SOMA_OK && key)
        code = job_store_find_dedupe(txn, key, spec->queue, no_print, &other, &is_same, err);
    if (code == SOMA_OK && other > 0)
        return error_set(err, REASON_DEDUPE_KEY_IN_USE, "job_id",
                         "another job is queued or running under the key '%s'", key);
    return code;
}

enum soma_code job_retry(struct store_txn *txn, struct job_row *row, const struct job_room *room,
                         struct soma_error *err)
{
    struct job_status *status = &row->job.status;
    const struct job_status ended = *status;
    enum soma_code code = enter(row, JOB_EVENT_RETRY, err);
    if (code == SOMA_OK)
        code = check_retry(txn, row, room, err);
    if (code == SOMA_OK && ended.attempt > 0)
        code = job_store_keep_attempt(txn, row->job.num, &ended, err);
    if (code != SOMA_OK)
        return code;
    forget_attempt(status);
    status->tries_from = status->attempt;
    status->start_by.ms = 0;
    return job_store_update(txn, row, err);
}

enum soma_code job_report(struct store_txn *txn, struct job_row *row, double percent,
                          const char *message, struct soma_error *err)
{
    struct job_status *status = &row->job.status;
    if (status->state != JOB_RUNNING)
        return error_set(err, REASON_JOB_NOT_RUNNING, "job_id", "job %s is %s", row->job.id,
                         job_state_name(status->state));
    status->has_progress = true;
    status->progress =
        (struct job_progress){.percent = percent, .message = message, .reported = clock_wall_now()};
    return job_store_update(txn, row, err);
}
