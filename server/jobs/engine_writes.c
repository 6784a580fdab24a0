// The engine's write operations: claims, ends, reports. Each lives on the heap, goes to the writer
// and comes back as mail.
#include <stdlib.h>
#include <string.h>

#include "base/crash_point.h"
#include "base/log.h"
#include "jobs/engine_private.h"
#include "jobs/last_boot.h"
#include "jobs/outcome.h"
#include "jobs/settle.h"
#include "store/job_ready.h"

enum {
    ROW_BYTES = 4 << 20, // a row with its specification's head
    SETTLE_MAX = 64,     // jobs that one claim ends or lets go on beside those that it starts
    WAKE_MAX = 20000,    // jobs whose time has come that one claim makes ready
};

// --- claims

struct claim_op {
    struct write_op op;
    struct engine_mail mail;
    struct engine_mail ahead; // before the commit
    struct engine *engine;
    struct arena arena;
    unsigned wanted; // places
    bool follows;    // another operation, in its transaction
    bool is_idle;    // and found no place to fill
    struct job_row rows[CLAIM_BATCH];
    unsigned count;
    bool is_prepared[CLAIM_BATCH];             // the engine thread's
    int64_t changed[SETTLE_MAX + CLAIM_BATCH]; // jobs that changed without being started
    size_t changed_count;
    struct settle_cancel *cancels; // in the arena
    bool more;
    struct wall_time next_due;
    struct soma_error error; // code SOMA_OK: committed
};

static void free_claim(void *owner)
{
    struct claim_op *claim = owner;
    arena_fini(&claim->arena);
    free(claim);
}

// A specification that cannot be read any more must not hold up all others.
static enum soma_code fail_unreadable(struct store_txn *txn, struct job_row *row,
                                      const struct soma_error *why, struct soma_error *err)
{
    struct job_outcome outcome;
    outcome_state(&outcome, JOB_REASON_START_FAILED, "the job cannot be read: %s", why->text);
    enum soma_code code = job_claim(txn, row, err);
    bool is_claimed = code == SOMA_OK && row->job.status.state == JOB_RUNNING;
    return is_claimed ? job_end(txn, row, &outcome, err) : code;
}

static enum soma_code claim_one(struct claim_op *claim, struct store_txn *txn, int64_t num,
                                struct soma_error *err)
{
    struct job_row *row = &claim->rows[claim->count];
    enum soma_code code = job_store_get_num(txn, num, true, &claim->arena, row, err);
    if (code != SOMA_OK)
        return code;
    struct soma_error why;
    code = job_row_complete(row, &claim->arena, &why);
    if (code == SOMA_DATA_LOSS)
        code = fail_unreadable(txn, row, &why, err);
    else if (code == SOMA_OK)
        code = job_claim(txn, row, err);
    else
        code = error_set_no_memory(err);
    if (code == SOMA_OK && row->job.status.state == JOB_RUNNING)
        claim->count++;
    else
        claim->changed[claim->changed_count++] = num;
    return code;
}

static enum soma_code settle(struct claim_op *claim, struct store_txn *txn, struct soma_error *err)
{
    struct settle_step step = {.nums = claim->changed, .max = SETTLE_MAX, .arena = &claim->arena};
    enum soma_code code = settle_some(txn, &step, err);
    claim->changed_count = step.count;
    claim->cancels = step.cancels;
    claim->more = step.count == step.max;
    return code == SOMA_OK ? job_ready_wake(txn, clock_wall_now(), WAKE_MAX, err) : code;
}

static enum soma_code apply_claim(struct write_op *op, struct store_txn *txn,
                                  struct soma_error *err)
{
    struct claim_op *claim = (struct claim_op *)op;
    claim->engine->following = NULL;
    claim->is_idle = claim->follows && claim->wanted == 0;
    if (claim->is_idle)
        return SOMA_OK;
    enum soma_code code = settle(claim, txn, err);
    bool found = !atomic_load(&claim->engine->stopping);
    for (unsigned i = 0; code == SOMA_OK && found && i < claim->wanted; i++) {
        int64_t num = 0;
        // The rest waits for the next claim: memory is bounded.
        if (claim->arena.held > CLAIM_BYTES / 3)
            break;
        code = job_ready_first(txn, &num, err);
        found = code == SOMA_OK && num > 0;
        if (found)
            code = claim_one(claim, txn, num, err);
    }
    claim->more |= found && claim->wanted > 0;
    if (code == SOMA_OK)
        code = job_ready_next(txn, &claim->next_due, err);
    // From here on only read, until finish.
    if (code == SOMA_OK && claim->count > 0)
        engine_post(claim->engine, &claim->ahead);
    return code;
}

// While the commit is on its way the directories are made: should it fail, they wait for the next
// claim, or for the janitor. Not where files would have to be moved: those stay where a submit that
// is tried again finds them.
static void deliver_ahead(struct engine *engine, void *owner)
{
    struct claim_op *claim = owner;
    for (unsigned i = 0; i < claim->count && !atomic_load(&engine->stopping); i++) {
        const struct job *job = &claim->rows[i].job;
        claim->is_prepared[i] =
            job->spec.file_count == 0 &&
            attempt_prepare(engine->config.root, &engine->config.order, job, NULL) == SOMA_OK;
    }
    crash_point(CRASH_CLAIM_PREPARED);
}

static void drop_ahead(void *owner)
{
    (void)owner; // the claim's own mail is still to come
}

static void finish_claim(struct write_op *op, const struct soma_error *err)
{
    struct claim_op *claim = (struct claim_op *)op;
    if (err)
        claim->error = *err;
    // The group may have ended before its turn.
    if (claim->follows)
        claim->engine->following = NULL;
    for (unsigned i = 0; i < claim->count && !err; i++)
        engine_changed(claim->engine, claim->rows[i].job.num);
    for (size_t i = 0; i < claim->changed_count && !err; i++)
        engine_changed(claim->engine, claim->changed[i]);
    engine_post(claim->engine, &claim->mail);
}

// After a failure; also what is due without a free place.
static void claim_later(struct engine *engine)
{
    engine->claim_after = clock_deadline_after(WRITE_RETRY_MS);
    atomic_store(&engine->wanted, true);
    atomic_store(&engine->unsettled, true);
}

static void deliver_claim(struct engine *engine, void *owner)
{
    struct claim_op *claim = owner;
    engine->claim_is_out = false;
    if (claim->error.code != SOMA_OK) {
        // Who was followed says it itself.
        if (!claim->follows)
            log_warning("JOB-CLAIM-FAILED", "cannot claim jobs: %s", claim->error.text);
        claim_later(engine);
        free_claim(claim);
        return;
    }
    if (claim->is_idle) {
        free_claim(claim);
        return;
    }
    for (struct settle_cancel *cancel = claim->cancels; cancel; cancel = cancel->next)
        engine_take_cancel(engine, cancel->num, cancel->note, cancel->force);
    if (claim->count > 0)
        crash_point(CRASH_CLAIM_COMMITTED);
    for (unsigned i = 0; i < claim->count; i++)
        engine_begin(engine, &claim->rows[i].job, claim->is_prepared[i]);
    engine->next_due = claim->next_due;
    if (claim->more) {
        atomic_store(&engine->wanted, true);
        atomic_store(&engine->unsettled, true);
    }
    free_claim(claim);
}

static struct claim_op *claim_new(struct engine *engine, unsigned count)
{
    struct claim_op *claim = calloc(1, sizeof *claim);
    if (!claim)
        return NULL;
    claim->op = (struct write_op){.apply = apply_claim, .finish = finish_claim};
    claim->mail =
        (struct engine_mail){.deliver = deliver_claim, .drop = free_claim, .owner = claim};
    claim->ahead =
        (struct engine_mail){.deliver = deliver_ahead, .drop = drop_ahead, .owner = claim};
    claim->engine = engine;
    claim->wanted = count;
    arena_init(&claim->arena, CLAIM_BYTES);
    engine->claim_is_out = true;
    return claim;
}

void engine_claim(struct engine *engine, unsigned count)
{
    struct claim_op *claim = claim_new(engine, count);
    if (claim)
        writer_submit(engine->config.writer, &claim->op);
    else
        claim_later(engine);
}

void engine_stand_by(struct engine *engine, unsigned count)
{
    struct claim_op *claim = claim_new(engine, count);
    if (claim)
        atomic_store(&engine->standing, claim);
}

bool engine_withdraw(struct engine *engine)
{
    struct claim_op *claim = atomic_exchange(&engine->standing, NULL);
    if (!claim)
        return false;
    free_claim(claim);
    engine->claim_is_out = false;
    return true;
}

// The claim that goes with the group which is being written, to be filled in; NULL: none is at
// hand.
static struct claim_op *follow(struct engine *engine)
{
    struct claim_op *claim = engine->following;
    if (claim || !(claim = atomic_exchange(&engine->standing, NULL)))
        return claim;
    if (!writer_follow(engine->config.writer, &claim->op)) {
        writer_submit(engine->config.writer, &claim->op);
        return NULL;
    }
    claim->follows = true;
    engine->following = claim;
    return claim;
}

bool engine_follow(struct engine *engine)
{
    return follow(engine) != NULL;
}

// The same for an end: its place is free with the commit.
static bool follow_end(struct engine *engine)
{
    struct claim_op *claim = follow(engine);
    if (claim && claim->wanted < CLAIM_BATCH)
        claim->wanted++;
    return claim != NULL;
}

// --- ends and reports

struct row_op {
    struct write_op op;
    struct engine_mail mail;
    struct engine *engine;
    int64_t num;
    uint32_t attempt;
    bool gives_back;
    bool was_changed;
    bool is_followed;                 // a claim for its place goes with it
    struct job_outcome outcome;       // of an end
    double percent;                   // of a report
    char message[JOB_NOTE_BYTES + 1]; //
    struct soma_error error;          // code SOMA_OK: committed
    enum job_state state;             // after the end
    enum soma_code (*change)(struct row_op *row_op, struct store_txn *txn, struct job_row *row,
                             struct soma_error *err);
};

static enum soma_code change_end(struct row_op *row_op, struct store_txn *txn, struct job_row *row,
                                 struct soma_error *err)
{
    if (row_op->gives_back)
        return job_give_back(txn, row, err);
    enum soma_code code = job_end(txn, row, &row_op->outcome, err);
    row_op->is_followed = code == SOMA_OK && follow_end(row_op->engine);
    return code;
}

static enum soma_code change_report(struct row_op *row_op, struct store_txn *txn,
                                    struct job_row *row, struct soma_error *err)
{
    return job_report(txn, row, row_op->percent, row_op->message, err);
}

static enum soma_code apply_to_row(struct row_op *row_op, struct store_txn *txn,
                                   struct arena *arena, struct soma_error *err)
{
    struct job_row row;
    enum soma_code code = job_store_get_num(txn, row_op->num, false, arena, &row, err);
    if (code == SOMA_OK)
        code = job_row_complete(&row, arena, err);
    // What a specification that cannot be read any more said of further tries is not known: the
    // attempt's end is the job's.
    if (code != SOMA_OK && code != SOMA_DATA_LOSS)
        return code;
    // A late word about an attempt that is not the job's any more changes nothing.
    bool is_current =
        row.job.status.state == JOB_RUNNING && row.job.status.attempt == row_op->attempt;
    if (!is_current)
        return SOMA_OK;
    code = row_op->change(row_op, txn, &row, err);
    row_op->was_changed = code == SOMA_OK;
    row_op->state = row.job.status.state;
    return code;
}

static enum soma_code apply_row_op(struct write_op *op, struct store_txn *txn,
                                   struct soma_error *err)
{
    struct arena arena;
    arena_init(&arena, ROW_BYTES);
    enum soma_code code = apply_to_row((struct row_op *)op, txn, &arena, err);
    arena_fini(&arena);
    return code;
}

static void finish_row_op(struct write_op *op, const struct soma_error *err)
{
    struct row_op *row_op = (struct row_op *)op;
    if (err)
        row_op->error = *err;
    else if (row_op->was_changed)
        engine_changed(row_op->engine, row_op->num);
    engine_post(row_op->engine, &row_op->mail);
}

static struct row_op *row_op_new(struct engine *engine, const struct running *running,
                                 void (*deliver)(struct engine *engine, void *owner))
{
    struct row_op *row_op = calloc(1, sizeof *row_op);
    if (!row_op)
        return NULL;
    row_op->op = (struct write_op){.apply = apply_row_op, .finish = finish_row_op};
    row_op->mail = (struct engine_mail){.deliver = deliver, .drop = free, .owner = row_op};
    row_op->engine = engine;
    row_op->num = running->num;
    row_op->attempt = running->attempt;
    return row_op;
}

static void log_end(const struct row_op *row_op, const char *id)
{
    if (row_op->state == JOB_LOST)
        log_warning("JOB-LOST", "job %s attempt %u: %s", id, row_op->attempt,
                    row_op->outcome.message);
    else if (row_op->gives_back && row_op->state == JOB_QUEUED)
        log_info("JOB-QUEUED-AGAIN", "job %s attempt %u had not begun", id, row_op->attempt);
    else
        log_debug("JOB-ENDED", "job %s attempt %u: %s", id, row_op->attempt,
                  job_state_name(row_op->state));
}

static void deliver_end(struct engine *engine, void *owner)
{
    struct row_op *row_op = owner;
    struct running *running = engine_find(engine, row_op->num);
    crash_point(CRASH_END_COMMITTED);
    if (running && row_op->error.code != SOMA_OK) {
        // The truth is in the directory; the database hears it as soon as it can write.
        log_warning("JOB-END-NOT-WRITTEN", "job %s: %s", running->id, row_op->error.text);
        running_due_after(running, PHASE_END, WRITE_RETRY_MS);
    } else if (running) {
        if (row_op->was_changed)
            log_end(row_op, running->id);
        if (running->is_of_last_boot && --engine->last_boot_count == 0)
            last_boot_note(engine->config.root);
        engine_drop(engine, running);
        if (!row_op->is_followed)
            atomic_store(&engine->wanted, true);
    }
    free(row_op);
}

void engine_write_end(struct engine *engine, struct running *running)
{
    struct row_op *row_op = row_op_new(engine, running, deliver_end);
    if (!row_op) {
        running_due_after(running, PHASE_END, WRITE_RETRY_MS);
        return;
    }
    row_op->change = change_end;
    row_op->gives_back = running->gives_back;
    row_op->outcome = running->outcome;
    running->phase = PHASE_ENDING;
    running->due = MONO_NEVER;
    writer_submit(engine->config.writer, &row_op->op);
}

void engine_give_back(struct engine *engine, struct running *running)
{
    running->gives_back = true;
    engine_write_end(engine, running);
}

static void deliver_report(struct engine *engine, void *owner)
{
    struct row_op *row_op = owner;
    struct running *running = engine_find(engine, row_op->num);
    if (running && running->attempt == row_op->attempt) {
        running->report_is_written = false;
        if (running->has_report)
            engine_write_report(engine, running);
    }
    free(row_op);
}

// One at a time for each job: what comes meanwhile replaces what waits.
void engine_write_report(struct engine *engine, struct running *running)
{
    if (running->report_is_written)
        return;
    struct row_op *row_op = row_op_new(engine, running, deliver_report);
    if (!row_op)
        return;
    row_op->change = change_report;
    row_op->percent = running->report_percent;
    memcpy(row_op->message, running->report_message, sizeof row_op->message);
    running->has_report = false;
    running->report_is_written = true;
    writer_submit(engine->config.writer, &row_op->op);
}
