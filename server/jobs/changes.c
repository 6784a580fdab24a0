#include "jobs/changes.h"

#include "jobs/outcome.h"
#include "jobs/transitions.h"

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
    };
}

enum soma_code job_claim(struct store_txn *txn, struct job_row *row, struct soma_error *err)
{
    enum soma_code code = enter(row, JOB_EVENT_CLAIM, err);
    if (code != SOMA_OK)
        return code;
    struct job_status *status = &row->job.status;
    forget_attempt(status);
    status->attempt++;
    status->started = clock_wall_now();
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
    status->stdout_size = outcome->stdout_size;
    status->stderr_size = outcome->stderr_size;
    status->runner_pid = 0;
    if (outcome->has_progress) {
        status->has_progress = true;
        status->progress.percent = outcome->progress_percent;
        status->progress.message = outcome->progress_message;
        status->progress.reported = status->finished;
    }
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
        status->finished.ms = 0;
    return job_store_update(txn, row, err);
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

static enum soma_code cancel_queued(struct job_row *row, const char *note, struct arena *arena,
                                    struct soma_error *err)
{
    enum soma_code code = enter(row, JOB_EVENT_CANCEL, err);
    if (code != SOMA_OK)
        return code;
    struct job_status *status = &row->job.status;
    status->reason = JOB_REASON_CANCELLED;
    status->message =
        arena_printf(arena, "cancelled before it was started%s%s", note[0] ? ": " : "", note);
    status->finished = status->cancel_requested;
    return status->message ? SOMA_OK : error_set_no_memory(err);
}

enum soma_code job_cancel(struct store_txn *txn, struct job_row *row, const char *note, bool force,
                          struct arena *arena, bool *ret_was_final, struct soma_error *err)
{
    struct job_status *status = &row->job.status;
    *ret_was_final = job_state_is_final(status->state);
    if (*ret_was_final)
        return SOMA_OK;
    // A second wish only adds force; who asked first stays.
    if (status->cancel_requested.ms == 0) {
        status->cancel_requested = clock_wall_now();
        status->cancel_note = note;
    }
    status->cancel_force |= force;
    enum soma_code code = SOMA_OK;
    if (status->state == JOB_QUEUED)
        code = cancel_queued(row, note, arena, err);
    return code == SOMA_OK ? job_store_update(txn, row, err) : code;
}

enum soma_code job_retry(struct store_txn *txn, struct job_row *row, int64_t unfinished_max,
                         struct soma_error *err)
{
    enum soma_code code = enter(row, JOB_EVENT_RETRY, err);
    struct job_totals totals;
    if (code == SOMA_OK)
        code = job_store_totals(txn, &totals, err);
    if (code != SOMA_OK)
        return code;
    int64_t unfinished = totals.count_of[JOB_QUEUED] + totals.count_of[JOB_RUNNING];
    if (unfinished >= unfinished_max)
        return error_set(err, REASON_QUEUE_FULL, NULL, "%lld jobs are queued or running",
                         (long long)unfinished);
    forget_attempt(&row->job.status);
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
