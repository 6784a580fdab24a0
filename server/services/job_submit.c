// JobService: SubmitJob.
#include <stdio.h>

#include "jobs/submit.h"
#include "jobs/uploads.h"
#include "services/job_service_private.h"
#include "store/job_uploads.h"

struct submit {
    char id[ID_SIZE];
    struct job_spec spec;
    struct spec_bytes bytes;
    int64_t num;
    bool is_new;
    bool has_times;   // the engine's next look may be due earlier
    bool is_followed; // by the engine's claim
};

_Static_assert((int)DEDUPE_PRINT_BYTES == (int)FINGERPRINT_BYTES, "fingerprints of requests");

static enum soma_code not_found(size_t i, const char *why, struct soma_error *err)
{
    char field[SOMA_FIELD_SIZE];
    snprintf(field, sizeof field, "spec.files[%zu].upload_id", i);
    return error_set(err, REASON_UPLOAD_NOT_FOUND, field, "%s: %s", field, why);
}

// On the writer thread, as is the only one that removes finished uploads: what is found stays.
static enum soma_code take_upload(const struct attempt_root *root, struct store_txn *txn,
                                  const struct job_spec *spec, size_t i, int64_t num,
                                  struct soma_error *err)
{
    const struct job_file *file = &spec->files[i];
    char space[NAMESPACE_SIZE];
    bool is_taken = false;
    namespace_of(spec->queue, space);
    enum soma_code code = job_uploads_find(txn, file->upload_id, &is_taken, err);
    if (code != SOMA_OK)
        return code;
    int64_t size_bytes;
    if (is_taken || !uploads_find(root, space, file->upload_id, &size_bytes))
        return not_found(i, "no finished upload, or that of another job", err);
    if (size_bytes != file->size_bytes)
        return not_found(i, "the upload has another size", err);
    return job_uploads_insert(txn, file->upload_id, num, err);
}

static enum soma_code take_uploads(const struct attempt_root *root, struct store_txn *txn,
                                   const struct job_spec *spec, int64_t num, struct soma_error *err)
{
    enum soma_code code = SOMA_OK;
    for (size_t i = 0; i < spec->file_count && code == SOMA_OK; i++) {
        if (spec->files[i].upload_id)
            code = take_upload(root, txn, spec, i, num, err);
    }
    return code;
}

static enum soma_code apply_submit(struct mutation *mutation, struct store_txn *txn,
                                   const ProtobufCMessage **ret_reply, struct soma_error *err)
{
    const struct job_service *service = mutation->service;
    struct submit *submit = mutation->value;
    struct arena *arena = rpc_call_arena(mutation->call);
    struct submit_result *result = arena_alloc(arena, sizeof *result);
    Pb__SubmitJobResponse *response = arena_alloc(arena, sizeof *response);
    if (!result || !response)
        return error_set_no_memory(err);
    struct job_new new = {
        .id = submit->id,
        .spec = &submit->spec,
        .bytes = submit->bytes,
        .now = clock_wall_now(),
        .room = service->config.room,
        .dedupe_print = mutation->fingerprint,
    };
    const struct rpc_caller *caller = rpc_call_job(mutation->call);
    if (caller) {
        new.parent = caller->job_id;
        new.parent_attempt = caller->attempt;
    }
    enum soma_code code = job_submit(txn, &new, arena, result, err);
    if (code == SOMA_OK && result->is_existing)
        code = job_check_reach(mutation->call, &result->row.job, err);
    if (code == SOMA_OK && !result->is_existing)
        code = take_uploads(service->config.root, txn, &submit->spec, result->row.job.num, err);
    if (code != SOMA_OK)
        return code;
    submit->num = result->row.job.num;
    submit->is_new = !result->is_existing;
    submit->has_times =
        result->row.job.status.wait != JOB_WAIT_PLACE || result->row.job.status.start_by.ms > 0;
    submit->is_followed =
        submit->is_new && !submit->has_times && engine_follow(service->config.engine);
    pb__submit_job_response__init(response);
    response->job = job_message(&result->row.job, JOB_STATUS_ONLY, NULL, arena);
    response->existing = result->is_existing;
    response->differs = result->is_existing && !result->is_same;
    *ret_reply = &response->base;
    return response->job ? SOMA_OK : error_set_no_memory(err);
}

static void submit_committed(struct mutation *mutation)
{
    struct job_service *service = mutation->service;
    const struct submit *submit = mutation->value;
    if (!submit->is_new)
        return;
    parking_publish(service->config.parking, submit->num);
    if (submit->has_times)
        engine_settle(service->config.engine);
    else if (!submit->is_followed)
        engine_wake(service->config.engine);
}

static enum soma_code take_request(const struct job_service *service, struct rpc_call *call,
                                   const Pb__SubmitJobRequest *request, struct submit *submit,
                                   struct soma_error *err)
{
    struct arena *arena = rpc_call_arena(call);
    enum soma_code code =
        job_spec_from(request->spec, service->config.languages, arena, &submit->spec, err);
    if (code == SOMA_OK)
        code = job_take_queue(call, &submit->spec.queue, err);
    if (code == SOMA_OK)
        code = sandbox_check(service->config.sandbox, &submit->spec, err);
    submit->spec.withheld = (int32_t)rpc_call_withheld(call);
    if (code == SOMA_OK)
        code = spec_encode(&submit->spec, arena, &submit->bytes, err);
    id_make(submit->id);
    return code;
}

static enum soma_code check_rate(struct job_service *service, const struct rpc_call *call,
                                 struct soma_error *err)
{
    uint32_t wait_ms;
    if (rate_allows(&service->submits, rpc_call_space(call), clock_mono_us(), &wait_ms))
        return SOMA_OK;
    error_set(err, REASON_RATE_LIMIT, NULL,
              "at most %lld submits of a namespace in a second (max-submits)",
              (long long)service->submits.per_second);
    err->retry_after_ms = wait_ms;
    return err->code;
}

JOB_HANDLER(submit_job, SubmitJob)
{
    (void)closure;
    struct job_service *service = (struct job_service *)base;
    struct arena *arena = rpc_call_arena(call);
    struct submit *submit = arena_calloc(arena, 1, sizeof *submit);
    if (!submit) {
        job_call_no_memory(call);
        return;
    }
    struct soma_error err = {0};
    enum soma_code code = check_rate(service, call, &err);
    if (code == SOMA_OK)
        code = take_request(service, call, request, submit, &err);
    if (job_call_failed(call, code, &err))
        return;
    // An upload that is not there is noticed after the job was written.
    bool has_uploads = false;
    for (size_t i = 0; i < submit->spec.file_count; i++)
        has_uploads |= submit->spec.files[i].upload_id != NULL;
    if (has_uploads)
        mutation_submit(service->config.writer, call, apply_submit, submit_committed, service,
                        submit);
    else
        mutation_submit_bare(service->config.writer, call, apply_submit, submit_committed, service,
                             submit);
}
