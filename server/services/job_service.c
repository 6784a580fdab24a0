#include "services/job_service.h"

#include <stdlib.h>
#include <string.h>

#include "services/job_service_private.h"
#include "store/job_after.h"
#include "wire/limits.h"

enum soma_code job_service_new(const struct job_service_config *config,
                               struct job_service **ret_service, struct soma_error *err)
{
    struct job_service *service = calloc(1, sizeof *service);
    if (!service)
        return error_set_no_memory(err);
    service->base = (Pb__JobService_Service)PB__JOB_SERVICE__INIT(job_service_);
    service->config = *config;
    service->submits.per_second = config->submits_per_second;
    *ret_service = service;
    return SOMA_OK;
}

void job_service_free(struct job_service *service)
{
    free(service);
}

ProtobufCService *job_service_base(struct job_service *service)
{
    return &service->base.base;
}

bool job_call_failed(struct rpc_call *call, enum soma_code code, const struct soma_error *err)
{
    if (code != SOMA_OK)
        rpc_call_fail(call, err);
    return code != SOMA_OK;
}

void job_call_no_memory(struct rpc_call *call)
{
    struct soma_error err = {0};
    error_set_no_memory(&err);
    rpc_call_fail(call, &err);
}

enum soma_code job_check_reach(const struct rpc_call *call, const struct job *job,
                               struct soma_error *err)
{
    const struct rpc_caller *caller = rpc_call_job(call);
    if (!namespace_holds(rpc_call_space(call), job->spec.queue))
        return error_set(err, REASON_JOB_NOT_FOUND, "job_id", "no such job");
    if (!caller || strcmp(caller->job_id, job->id) == 0 || strcmp(caller->job_id, job->parent) == 0)
        return SOMA_OK;
    return error_set(err, REASON_JOB_NOT_OWN, "job_id",
                     "job %s was not submitted by job %s, which calls", job->id, caller->job_id);
}

enum soma_code job_service_read(const struct job_service *service, const struct rpc_call *call,
                                const char *id, bool with_body, struct arena *arena,
                                struct job_row *ret_row, struct soma_error *err)
{
    struct store_txn *txn;
    enum soma_code code = store_read_begin(service->config.store, &txn, err);
    if (code != SOMA_OK)
        return code;
    code = job_store_get(txn, id, with_body, arena, ret_row, err);
    store_read_end(txn);
    if (code == SOMA_OK)
        code = job_check_reach(call, &ret_row->job, err);
    return code == SOMA_OK ? job_row_complete(ret_row, arena, err) : code;
}

// --- GetJob

struct whole_job {
    struct job_row row;
    struct job_history history;
};

static enum soma_code read_history(struct store_txn *txn, const struct job *job,
                                   struct arena *arena, struct job_history *history,
                                   struct soma_error *err)
{
    enum soma_code code = SOMA_OK;
    if (job->status.wait == JOB_WAIT_AFTER)
        code = job_after_ids(txn, job->num, LIMIT_JOB_AFTER, arena, &history->waiting_for,
                             &history->waiting_count, err);
    if (code == SOMA_OK && job->status.attempt > 0)
        code = job_store_attempts(txn, job->num, LIMIT_JOB_RETRY_ATTEMPTS, arena,
                                  &history->attempts, &history->attempt_count, err);
    return code;
}

static enum soma_code read_whole(const struct job_service *service, const struct rpc_call *call,
                                 const char *id, struct arena *arena, struct whole_job *ret_whole,
                                 struct soma_error *err)
{
    struct store_txn *txn;
    enum soma_code code = store_read_begin(service->config.store, &txn, err);
    if (code != SOMA_OK)
        return code;
    *ret_whole = (struct whole_job){0};
    code = job_store_get(txn, id, true, arena, &ret_whole->row, err);
    if (code == SOMA_OK)
        code = job_check_reach(call, &ret_whole->row.job, err);
    if (code == SOMA_OK)
        code = read_history(txn, &ret_whole->row.job, arena, &ret_whole->history, err);
    store_read_end(txn);
    return code == SOMA_OK ? job_row_complete(&ret_whole->row, arena, err) : code;
}

static void get_job(struct rpc_call *call, const ProtobufCMessage *message, void *user)
{
    const Pb__GetJobRequest *request = (const Pb__GetJobRequest *)message;
    const struct job_service *service = user;
    struct arena arena;
    arena_init(&arena, ROW_BYTES);
    struct soma_error err = {0};
    struct whole_job whole;
    enum soma_code code = read_whole(service, call, request->job_id, &arena, &whole, &err);
    if (!job_call_failed(call, code, &err)) {
        const struct job *job = &whole.row.job;
        Pb__GetJobResponse response = PB__GET_JOB_RESPONSE__INIT;
        response.job = job_message(job, JOB_WHOLE, service->config.engine, &arena);
        if (response.job && job_message_put_history(response.job, job, &whole.history, &arena))
            rpc_call_reply(call, &response.base);
        else
            job_call_no_memory(call);
    }
    arena_fini(&arena);
}

JOB_HANDLER(get_job, GetJob)
{
    (void)closure;
    struct soma_error err = {0};
    if (job_call_failed(call, job_id_from(request->job_id, &err), &err))
        return;
    struct job_service *service = (struct job_service *)base;
    workers_run(service->config.workers, call, &request->base, get_job, service);
}

// --- changes

// A change of one job that is already there: what the request says, and what came of it.
struct job_change {
    const char *id;
    const char *text; // a cancel's note, a progress message
    bool force;
    double percent;
    int64_t num;
    bool was_final;
    bool is_running;
    bool cancel_requested;
};

static enum soma_code read_for_change(const struct mutation *mutation, struct store_txn *txn,
                                      struct job_row *row, struct soma_error *err)
{
    const struct job_change *change = mutation->value;
    struct arena *arena = rpc_call_arena(mutation->call);
    enum soma_code code = job_store_get(txn, change->id, false, arena, row, err);
    if (code == SOMA_OK)
        code = job_check_reach(mutation->call, &row->job, err);
    return code == SOMA_OK ? job_row_complete(row, arena, err) : code;
}

static void publish(struct job_service *service, int64_t num)
{
    parking_publish(service->config.parking, num);
}

static struct job_change *change_new(struct rpc_call *call, const char *id, const char *text)
{
    struct job_change *change = arena_calloc(rpc_call_arena(call), 1, sizeof *change);
    if (!change) {
        job_call_no_memory(call);
        return NULL;
    }
    change->id = id;
    change->text = text;
    return change;
}

// --- CancelJob

static enum soma_code apply_cancel(struct mutation *mutation, struct store_txn *txn,
                                   const ProtobufCMessage **ret_reply, struct soma_error *err)
{
    struct job_service *service = mutation->service;
    struct job_change *change = mutation->value;
    struct arena *arena = rpc_call_arena(mutation->call);
    struct job_row *row = arena_alloc(arena, sizeof *row);
    Pb__CancelJobResponse *response = arena_alloc(arena, sizeof *response);
    if (!row || !response)
        return error_set_no_memory(err);
    enum soma_code code = read_for_change(mutation, txn, row, err);
    if (code == SOMA_OK)
        code = job_cancel(txn, row, change->text, change->force, arena, &change->was_final, err);
    if (code != SOMA_OK)
        return code;
    change->num = row->job.num;
    change->is_running = row->job.status.state == JOB_RUNNING;
    pb__cancel_job_response__init(response);
    response->was_final = change->was_final;
    response->job = job_message(&row->job, JOB_WITH_HEAD, service->config.engine, arena);
    *ret_reply = &response->base;
    return response->job ? SOMA_OK : error_set_no_memory(err);
}

static void cancel_committed(struct mutation *mutation)
{
    struct job_service *service = mutation->service;
    const struct job_change *change = mutation->value;
    // Waiters, and children.
    engine_settle(service->config.engine);
    if (change->was_final)
        return;
    publish(service, change->num);
    if (change->is_running)
        engine_cancel(service->config.engine, change->num, change->text, change->force);
}

JOB_HANDLER(cancel_job, CancelJob)
{
    (void)closure;
    struct job_service *service = (struct job_service *)base;
    struct soma_error err = {0};
    enum soma_code code = job_id_from(request->job_id, &err);
    if (code == SOMA_OK)
        code = job_text_from(request->note, "note", &err);
    if (job_call_failed(call, code, &err))
        return;
    struct job_change *change = change_new(call, request->job_id, request->note);
    if (!change)
        return;
    change->force = request->force;
    mutation_submit(service->config.writer, call, apply_cancel, cancel_committed, service, change);
}

// --- RetryJob

static enum soma_code apply_retry(struct mutation *mutation, struct store_txn *txn,
                                  const ProtobufCMessage **ret_reply, struct soma_error *err)
{
    struct job_service *service = mutation->service;
    struct job_change *change = mutation->value;
    struct arena *arena = rpc_call_arena(mutation->call);
    struct job_row *row = arena_alloc(arena, sizeof *row);
    Pb__RetryJobResponse *response = arena_alloc(arena, sizeof *response);
    if (!row || !response)
        return error_set_no_memory(err);
    enum soma_code code = read_for_change(mutation, txn, row, err);
    if (code == SOMA_OK)
        code = job_retry(txn, row, &service->config.room, err);
    if (code != SOMA_OK)
        return code;
    change->num = row->job.num;
    pb__retry_job_response__init(response);
    response->job = job_message(&row->job, JOB_WITH_HEAD, NULL, arena);
    *ret_reply = &response->base;
    return response->job ? SOMA_OK : error_set_no_memory(err);
}

static void retry_committed(struct mutation *mutation)
{
    struct job_service *service = mutation->service;
    const struct job_change *change = mutation->value;
    publish(service, change->num);
    engine_wake(service->config.engine);
}

JOB_HANDLER(retry_job, RetryJob)
{
    (void)closure;
    struct job_service *service = (struct job_service *)base;
    struct soma_error err = {0};
    if (job_call_failed(call, job_id_from(request->job_id, &err), &err))
        return;
    struct job_change *change = change_new(call, request->job_id, "");
    if (change)
        mutation_submit(service->config.writer, call, apply_retry, retry_committed, service,
                        change);
}

// --- ReportProgress

static enum soma_code apply_report(struct mutation *mutation, struct store_txn *txn,
                                   const ProtobufCMessage **ret_reply, struct soma_error *err)
{
    struct job_change *change = mutation->value;
    struct job_row row;
    Pb__ReportProgressResponse *response =
        arena_alloc(rpc_call_arena(mutation->call), sizeof *response);
    if (!response)
        return error_set_no_memory(err);
    enum soma_code code = read_for_change(mutation, txn, &row, err);
    if (code == SOMA_OK)
        code = job_report(txn, &row, change->percent, change->text, err);
    if (code != SOMA_OK)
        return code;
    change->num = row.job.num;
    pb__report_progress_response__init(response);
    response->cancel_requested = row.job.status.cancel_requested.ms > 0;
    *ret_reply = &response->base;
    return SOMA_OK;
}

static void report_committed(struct mutation *mutation)
{
    const struct job_change *change = mutation->value;
    publish(mutation->service, change->num);
}

JOB_HANDLER(report_progress, ReportProgress)
{
    (void)closure;
    struct job_service *service = (struct job_service *)base;
    struct soma_error err = {0};
    enum soma_code code = job_id_from(request->job_id, &err);
    // Also NaN is not between.
    if (code == SOMA_OK && !(request->percent >= 0 && request->percent <= 100))
        code = error_set(&err, REASON_FIELD_OUT_OF_RANGE, "percent",
                         "percent is %g, allowed are 0 to 100", request->percent);
    if (code == SOMA_OK)
        code = job_text_from(request->message, "message", &err);
    if (job_call_failed(call, code, &err))
        return;
    struct job_change *change = change_new(call, request->job_id, request->message);
    if (!change)
        return;
    change->percent = request->percent;
    mutation_submit(service->config.writer, call, apply_report, report_committed, service, change);
}
