#include "jobs/settle.h"

#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "jobs/changes.h"
#include "store/job_after.h"
#include "store/job_family.h"
#include "store/job_ready.h"

enum {
    ROW_BYTES = 4 << 20, // a row with its specification's head
    WAITERS_PAGE = 64,
};

static enum soma_code read_row(struct store_txn *txn, int64_t num, struct arena *arena,
                               struct job_row *ret_row, struct soma_error *err)
{
    enum soma_code code = job_store_get_num(txn, num, false, arena, ret_row, err);
    return code == SOMA_OK ? job_row_complete(ret_row, arena, err) : code;
}

static enum soma_code expire_overdue(struct store_txn *txn, struct settle_step *step,
                                     struct arena *arena, struct soma_error *err)
{
    while (step->count < step->max) {
        int64_t num = 0;
        struct job_row row;
        enum soma_code code = job_ready_overdue(txn, clock_wall_now(), &num, err);
        if (code != SOMA_OK || num == 0)
            return code;
        code = job_store_get_num(txn, num, false, arena, &row, err);
        if (code == SOMA_OK)
            code = job_expire(txn, &row, err);
        if (code != SOMA_OK)
            return code;
        step->nums[step->count++] = num;
        arena_reset(arena, ROW_BYTES);
    }
    return SOMA_OK;
}

// One waiter less: it goes on, waits for others, or ends.
static enum soma_code tell_waiter(struct store_txn *txn, const struct job_settled *settled,
                                  int64_t num, struct arena *arena, struct soma_error *err)
{
    struct job_row row;
    bool waits_on = false;
    enum soma_code code = read_row(txn, num, arena, &row, err);
    if (code != SOMA_OK && code != SOMA_DATA_LOSS)
        return code;
    // A specification that cannot be read any more does not say that it may run.
    int32_t policy = code == SOMA_OK ? row.job.spec.after_policy : JOB_AFTER_FAIL;
    if (!settled->succeeded && policy != JOB_AFTER_RUN) {
        enum job_event event = policy == JOB_AFTER_FAIL ? JOB_EVENT_FAIL : JOB_EVENT_CANCEL;
        return job_depend(txn, &row, event, settled->id, arena, err);
    }
    code = job_after_remove(txn, settled->num, num, err);
    if (code == SOMA_OK)
        code = job_after_any(txn, num, &waits_on, err);
    return code == SOMA_OK && !waits_on ? job_unblock(txn, &row, err) : code;
}

static enum soma_code tell_waiters(struct store_txn *txn, const struct job_settled *settled,
                                   struct settle_step *step, struct arena *arena,
                                   struct soma_error *err)
{
    int64_t nums[WAITERS_PAGE];
    size_t count = 0, left = step->max - step->count;
    enum soma_code code = job_after_waiters(
        txn, settled->num, left < WAITERS_PAGE ? left : WAITERS_PAGE, nums, &count, err);
    for (size_t i = 0; i < count && code == SOMA_OK; i++) {
        code = tell_waiter(txn, settled, nums[i], arena, err);
        step->nums[step->count++] = nums[i];
        arena_reset(arena, ROW_BYTES);
    }
    if (code == SOMA_OK && count == 0)
        code = job_settle_remove(txn, settled->num, err);
    return code;
}

static enum soma_code add_cancel(struct settle_step *step, const struct job *job,
                                 struct soma_error *err)
{
    struct settle_cancel *cancel = arena_calloc(step->arena, 1, sizeof *cancel);
    if (!cancel)
        return error_set_no_memory(err);
    cancel->num = job->num;
    cancel->force = job->status.cancel_force;
    snprintf(cancel->note, sizeof cancel->note, "%s", job->status.cancel_note);
    cancel->next = step->cancels;
    step->cancels = cancel;
    return SOMA_OK;
}

// The parent's own parent is left out, so that who asked is not cut off however long the line is.
static void note_parent(char ret_note[JOB_NOTE_BYTES + 1], const struct job_family *family)
{
    static const char with[] = "with its parent ";
    const char *why = family->note;
    if (strncmp(why, with, strlen(with)) == 0) {
        why = strstr(why, ": ");
        why = why ? why + strlen(": ") : "";
    }
    snprintf(ret_note, JOB_NOTE_BYTES + 1, "%s%s%s%.200s", with, family->id, *why ? ": " : "", why);
    text_repair(ret_note);
}

static enum soma_code cancel_child(struct store_txn *txn, const struct job_family *family,
                                   int64_t num, struct settle_step *step, struct arena *arena,
                                   struct soma_error *err)
{
    struct job_row row;
    bool was_final = false;
    char note[JOB_NOTE_BYTES + 1];
    enum soma_code code = read_row(txn, num, arena, &row, err);
    // A specification that cannot be read any more does not say that it is detached.
    if ((code != SOMA_OK && code != SOMA_DATA_LOSS) || row.job.spec.detached)
        return code;
    note_parent(note, family);
    code = job_cancel(txn, &row, note, family->force, arena, &was_final, err);
    if (code != SOMA_OK || was_final)
        return code;
    return row.job.status.state == JOB_RUNNING ? add_cancel(step, &row.job, err) : SOMA_OK;
}

// Each child that is looked at counts, changed or not.
static enum soma_code cancel_children(struct store_txn *txn, struct settle_step *step,
                                      struct arena *arena, struct soma_error *err)
{
    while (step->count < step->max) {
        struct job_family family;
        int64_t num = 0;
        enum soma_code code = job_family_first(txn, &family, err);
        if (code != SOMA_OK || !family.id[0])
            return code;
        code = job_family_next(txn, &family, &num, err);
        if (code == SOMA_OK && num > 0) {
            step->nums[step->count] = num;
            code = cancel_child(txn, &family, num, step, arena, err);
            step->count++;
        }
        if (code == SOMA_OK)
            code = job_family_advance(txn, family.id, num, err);
        if (code != SOMA_OK)
            return code;
        arena_reset(arena, ROW_BYTES);
    }
    return SOMA_OK;
}

enum soma_code settle_some(struct store_txn *txn, struct settle_step *step, struct soma_error *err)
{
    struct arena arena;
    arena_init(&arena, ROW_BYTES);
    struct job_settled settled = {.num = 1};
    enum soma_code code = expire_overdue(txn, step, &arena, err);
    while (code == SOMA_OK && step->count < step->max && settled.num > 0) {
        code = job_settle_first(txn, &settled, err);
        if (code == SOMA_OK && settled.num > 0)
            code = tell_waiters(txn, &settled, step, &arena, err);
    }
    if (code == SOMA_OK)
        code = cancel_children(txn, step, &arena, err);
    arena_fini(&arena);
    return code;
}
