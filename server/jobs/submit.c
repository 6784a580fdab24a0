#include "jobs/submit.h"

#include <stdio.h>
#include <string.h>

#include "base/namespaces.h"
#include "jobs/changes.h"
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

static enum soma_code find_awaited(struct store_txn *txn, const struct job_new *new,
                                   struct arena *arena, struct awaited *ret_awaited,
                                   struct soma_error *err)
{
    const struct job_spec *spec = new->spec;
    struct awaited awaited = {0};
    if (spec->after_count > 0) {
        awaited.rows = arena_calloc(arena, spec->after_count, sizeof *awaited.rows);
        if (!awaited.rows)
            return error_set_no_memory(err);
    }
    for (size_t i = 0; i < spec->after_count; i++) {
        struct job_row *row = &awaited.rows[awaited.count];
        char field[SOMA_FIELD_SIZE];
        snprintf(field, sizeof field, "spec.after[%zu]", i);
        enum soma_code code = job_store_get(txn, spec->after[i], false, arena, row, err);
        bool is_foreign = code == SOMA_OK && !namespace_is_shared(row->job.spec.queue, spec->queue);
        if (code == SOMA_NOT_FOUND || is_foreign) {
            return error_set(err, REASON_JOB_NOT_FOUND, field,
                             "there is no job '%s' to wait for, or it was removed", spec->after[i]);
        }
        if (code != SOMA_OK)
            return code;
        if (new->parent && strcmp(new->parent, row->job.parent) != 0)
            return error_set(err, REASON_JOB_NOT_OWN, field,
                             "job %s was not submitted by this job, which cannot wait for it",
                             row->job.id);
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
    enum soma_code code = job_store_find_dedupe(txn, job->spec->dedupe_key, job->spec->queue,
                                                job->dedupe_print, &num, &result->is_same, err);
    if (code != SOMA_OK || num == 0)
        return code;
    result->is_existing = true;
    return job_store_get_num(txn, num, false, arena, &result->row, err);
}

// A job cannot get around what stands around it by submitting another one.
static enum soma_code confine(const struct job_spec *parent, struct job_spec *spec,
                              struct job_new *new, struct arena *arena, struct soma_error *err)
{
    if (spec->network && !parent->network)
        return error_set(err, REASON_NETWORK_NOT_ALLOWED, "spec.network",
                         "the job that submits has no network, so its children have none");
    bool is_weaker = parent->sandbox == JOB_SANDBOX_REQUIRED ||
                     (parent->sandbox && spec->sandbox == JOB_SANDBOX_DEFAULT);
    if (!is_weaker || spec->sandbox == parent->sandbox)
        return SOMA_OK;
    spec->sandbox = parent->sandbox;
    return spec_encode(spec, arena, &new->bytes, err);
}

static enum soma_code check_parent(struct store_txn *txn, struct job_spec *spec,
                                   struct job_new *new, struct arena *arena, struct soma_error *err)
{
    struct job_row row;
    enum soma_code code = job_store_get(txn, new->parent, false, arena, &row, err);
    if (code == SOMA_OK)
        code = job_row_complete(&row, arena, err);
    if (code != SOMA_OK)
        return code;
    const struct job_status *status = &row.job.status;
    if (status->state != JOB_RUNNING || status->attempt != new->parent_attempt)
        return error_set(err, REASON_JOB_NOT_RUNNING, NULL, "the job that submits, %s, has ended",
                         new->parent);
    if (status->cancel_requested.ms > 0 && !spec->detached)
        return error_set(err, REASON_PARENT_CANCELLED, NULL,
                         "the job that submits, %s, is being cancelled", new->parent);
    return confine(&row.job.spec, spec, new, arena, err);
}

enum soma_code job_submit(struct store_txn *txn, const struct job_new *job, struct arena *arena,
                          struct submit_result *ret_result, struct soma_error *err)
{
    struct submit_result result = {0};
    struct awaited awaited = {0};
    struct job_spec spec = *job->spec;
    struct job_new new = *job;
    new.spec = &spec;
    enum soma_code code = find_existing(txn, job, arena, &result, err);
    if (code == SOMA_OK && !result.is_existing && new.parent)
        code = check_parent(txn, &spec, &new, arena, err);
    if (code == SOMA_OK && !result.is_existing)
        code = find_awaited(txn, &new, arena, &awaited, err);
    if (code == SOMA_OK && !result.is_existing) {
        new.is_blocked = awaited.count > 0;
        code = job_store_insert(txn, &new, &result.row, err);
    }
    for (size_t i = 0; i < awaited.count && code == SOMA_OK; i++)
        code = await_one(txn, result.row.job.num, &awaited.rows[i].job, err);
    if (code == SOMA_OK)
        *ret_result = result;
    return code;
}
