#include "jobs/submit.h"

#include <stdio.h>

#include "store/job_after.h"

// The jobs of the specification's after that do not let this one start yet.
struct awaited {
    struct job_row *rows;
    size_t count;
};

// One that succeeded, or ended however where the policy is to run, is waited for no more.
static bool is_past(const struct job_row *row, const struct job_spec *spec)
{
    enum job_state state = row->job.status.state;
    return state == JOB_SUCCEEDED ||
           (job_state_is_final(state) && spec->after_policy == JOB_AFTER_RUN);
}

static enum soma_code find_awaited(struct store_txn *txn, const struct job_spec *spec,
                                   struct arena *arena, struct awaited *ret_awaited,
                                   struct soma_error *err)
{
    struct awaited awaited = {0};
    if (spec->after_count > 0) {
        awaited.rows = arena_calloc(arena, spec->after_count, sizeof *awaited.rows);
        if (!awaited.rows)
            return error_set_no_memory(err);
    }
    for (size_t i = 0; i < spec->after_count; i++) {
        struct job_row *row = &awaited.rows[awaited.count];
        enum soma_code code = job_store_get(txn, spec->after[i], false, arena, row, err);
        if (code == SOMA_NOT_FOUND) {
            char field[SOMA_FIELD_SIZE];
            snprintf(field, sizeof field, "spec.after[%zu]", i);
            return error_set(err, REASON_JOB_NOT_FOUND, field,
                             "there is no job '%s' to wait for, or it was removed", spec->after[i]);
        }
        if (code != SOMA_OK)
            return code;
        awaited.count += !is_past(row, spec);
    }
    *ret_awaited = awaited;
    return SOMA_OK;
}

static enum soma_code await_one(struct store_txn *txn, int64_t num, const struct job *after,
                                struct soma_error *err)
{
    enum soma_code code = job_after_add(txn, after->num, num, err);
    // It has failed already: the new job learns it as all others do.
    if (code == SOMA_OK && job_state_is_final(after->status.state))
        code = job_settle_add(txn, after->num, after->id, false, err);
    return code;
}

static enum soma_code find_existing(struct store_txn *txn, const struct job_new *job,
                                    struct arena *arena, struct submit_result *result,
                                    struct soma_error *err)
{
    if (!job->spec->dedupe_key)
        return SOMA_OK;
    int64_t num = 0;
    enum soma_code code = job_store_find_dedupe(txn, job->spec->dedupe_key, job->dedupe_print, &num,
                                                &result->is_same, err);
    if (code != SOMA_OK || num == 0)
        return code;
    result->is_existing = true;
    return job_store_get_num(txn, num, false, arena, &result->row, err);
}

enum soma_code job_submit(struct store_txn *txn, const struct job_new *job, struct arena *arena,
                          struct submit_result *ret_result, struct soma_error *err)
{
    struct submit_result result = {0};
    struct awaited awaited = {0};
    enum soma_code code = find_existing(txn, job, arena, &result, err);
    if (code == SOMA_OK && !result.is_existing)
        code = find_awaited(txn, job->spec, arena, &awaited, err);
    if (code == SOMA_OK && !result.is_existing) {
        struct job_new new = *job;
        new.is_blocked = awaited.count > 0;
        code = job_store_insert(txn, &new, &result.row, err);
    }
    for (size_t i = 0; i < awaited.count && code == SOMA_OK; i++)
        code = await_one(txn, result.row.job.num, &awaited.rows[i].job, err);
    if (code == SOMA_OK)
        *ret_result = result;
    return code;
}
