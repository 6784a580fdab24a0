// JobService: DeleteJob and PruneJobs. What is freed is measured on a worker, the rows go on the
// writer, the files after the commit.
#include "base/log.h"
#include "services/job_service_private.h"
#include "services/validate.h"
#include "wire/limits.h"

enum {
    PRUNE_DEFAULT = 1000,
    MEASURED_MAX = 500000, // files that a call looks at; a few seconds
};

// A job to remove, and what that frees.
struct candidate {
    int64_t num;
    const char *id;
    int64_t bytes;
    bool was_removed;
};

struct removal {
    struct candidate *candidates;
    size_t count;
    int64_t files_left; // that may be looked at
    bool more;
    bool is_prune; // a job that is not final any more is passed over
};

static enum soma_code remove_one(struct removal *removal, struct candidate *candidate,
                                 struct store_txn *txn, struct soma_error *err)
{
    enum soma_code code = job_store_delete(txn, candidate->num, clock_wall_now(), err);
    candidate->was_removed = code == SOMA_OK;
    bool is_passed_over =
        removal->is_prune && (code == SOMA_NOT_FOUND || code == SOMA_FAILED_PRECONDITION);
    return is_passed_over ? SOMA_OK : code;
}

static enum soma_code remove_all(struct removal *removal, struct store_txn *txn,
                                 uint32_t *ret_count, int64_t *ret_bytes, struct soma_error *err)
{
    for (size_t i = 0; i < removal->count; i++) {
        struct candidate *candidate = &removal->candidates[i];
        enum soma_code code = remove_one(removal, candidate, txn, err);
        if (code != SOMA_OK)
            return code;
        *ret_count += candidate->was_removed;
        *ret_bytes += candidate->was_removed ? candidate->bytes : 0;
    }
    return SOMA_OK;
}

static void removal_committed(struct mutation *mutation)
{
    struct job_service *service = mutation->service;
    const struct removal *removal = mutation->value;
    for (size_t i = 0; i < removal->count; i++) {
        if (!removal->candidates[i].was_removed)
            continue;
        log_info("JOB-REMOVED", "job %s: somebody asked for it", removal->candidates[i].id);
        janitor_remove(service->config.janitor, removal->candidates[i].id);
        parking_publish(service->config.parking, removal->candidates[i].num);
    }
}

static struct removal *removal_new(struct rpc_call *call, size_t count)
{
    struct arena *arena = rpc_call_arena(call);
    struct removal *removal = arena_calloc(arena, 1, sizeof *removal);
    if (!removal)
        return NULL;
    removal->candidates = arena_calloc(arena, count, sizeof *removal->candidates);
    removal->count = count;
    removal->files_left = MEASURED_MAX;
    return removal->candidates ? removal : NULL;
}

static bool put_candidate(const struct job_service *service, struct arena *arena,
                          const struct job *job, int64_t *files_left,
                          struct candidate *ret_candidate)
{
    ret_candidate->num = job->num;
    ret_candidate->id = arena_string(arena, job->id);
    ret_candidate->bytes = attempt_measure(service->config.root, job->id, files_left);
    return ret_candidate->id != NULL;
}

// --- DeleteJob

static enum soma_code apply_delete(struct mutation *mutation, struct store_txn *txn,
                                   const ProtobufCMessage **ret_reply, struct soma_error *err)
{
    mutation->op.makes_room = true;
    Pb__DeleteJobResponse *response = arena_alloc(rpc_call_arena(mutation->call), sizeof *response);
    if (!response)
        return error_set_no_memory(err);
    pb__delete_job_response__init(response);
    struct removal *removal = mutation->value;
    uint32_t count = 0;
    *ret_reply = &response->base;
    if (removal->count == 0)
        return error_set(err, REASON_JOB_NOT_FOUND, "job_id", "no job has this id");
    return remove_all(removal, txn, &count, &response->freed_bytes, err);
}

static void delete_job(struct rpc_call *call, const ProtobufCMessage *message, void *user)
{
    const Pb__DeleteJobRequest *request = (const Pb__DeleteJobRequest *)message;
    struct job_service *service = user;
    struct arena arena;
    arena_init(&arena, ROW_BYTES);
    struct soma_error err = {0};
    struct job_row row;
    enum soma_code code =
        job_service_read(service, call, request->job_id, false, &arena, &row, &err);
    struct removal *removal = removal_new(call, 1);
    // A job that is not there may have been removed by this very request, delivered twice: only the
    // writer knows.
    bool is_there = code == SOMA_OK;
    if (!removal || (is_there && !put_candidate(service, rpc_call_arena(call), &row.job,
                                                &removal->files_left, removal->candidates))) {
        job_call_no_memory(call);
    } else if (is_there || code == SOMA_NOT_FOUND) {
        removal->count = is_there;
        mutation_submit(service->config.writer, call, apply_delete, removal_committed, service,
                        removal);
    } else {
        rpc_call_fail(call, &err);
    }
    arena_fini(&arena);
}

JOB_HANDLER(delete_job, DeleteJob)
{
    (void)closure;
    struct job_service *service = (struct job_service *)base;
    struct soma_error err = {0};
    if (!job_call_failed(call, job_id_from(request->job_id, &err), &err))
        workers_run(service->config.workers, call, &request->base, delete_job, service);
}

// --- PruneJobs

static enum soma_code apply_prune(struct mutation *mutation, struct store_txn *txn,
                                  const ProtobufCMessage **ret_reply, struct soma_error *err)
{
    mutation->op.makes_room = true;
    struct removal *removal = mutation->value;
    Pb__PruneJobsResponse *response = arena_alloc(rpc_call_arena(mutation->call), sizeof *response);
    if (!response)
        return error_set_no_memory(err);
    pb__prune_jobs_response__init(response);
    response->more = removal->more;
    *ret_reply = &response->base;
    return remove_all(removal, txn, &response->removed_count, &response->freed_bytes, err);
}

static enum soma_code find_old(const struct job_service *service, struct rpc_call *call,
                               const Pb__PruneJobsRequest *request, struct arena *arena,
                               struct job_list *ret_list, struct soma_error *err)
{
    struct job_filter filter;
    enum soma_code code = job_filter_for(call, request->filter, arena, &filter, err);
    if (code != SOMA_OK)
        return code;
    // Only states that are not final: nothing can match.
    bool is_empty = filter.states != 0 && (filter.states & JOB_STATES_FINAL) == 0;
    filter.states &= JOB_STATES_FINAL;
    struct wall_time before = {clock_wall_now().ms - request->older_than_ms};
    *ret_list = (struct job_list){0};
    struct store_txn *txn;
    if (is_empty)
        return SOMA_OK;
    code = store_read_begin(service->config.store, &txn, err);
    if (code != SOMA_OK)
        return code;
    code =
        job_store_ended(txn, &filter, before, request->max_jobs ? request->max_jobs : PRUNE_DEFAULT,
                        arena, ret_list, err);
    store_read_end(txn);
    return code;
}

static void reply_count(struct rpc_call *call, const struct removal *removal)
{
    Pb__PruneJobsResponse response = PB__PRUNE_JOBS_RESPONSE__INIT;
    response.removed_count = (uint32_t)removal->count;
    response.more = removal->more;
    for (size_t i = 0; i < removal->count; i++)
        response.freed_bytes += removal->candidates[i].bytes;
    rpc_call_reply(call, &response.base);
}

static struct removal *measure_list(const struct job_service *service, struct rpc_call *call,
                                    const struct job_list *list)
{
    struct removal *removal = removal_new(call, list->count);
    for (size_t i = 0; removal && i < list->count; i++) {
        if (!put_candidate(service, rpc_call_arena(call), &list->rows[i]->job, &removal->files_left,
                           &removal->candidates[i]))
            return NULL;
    }
    if (removal) {
        removal->more = list->more;
        removal->is_prune = true;
    }
    return removal;
}

static void prune_jobs(struct rpc_call *call, const ProtobufCMessage *message, void *user)
{
    const Pb__PruneJobsRequest *request = (const Pb__PruneJobsRequest *)message;
    struct job_service *service = user;
    struct arena arena;
    arena_init(&arena, PAGE_BYTES);
    struct soma_error err = {0};
    struct job_list list = {0};
    enum soma_code code = find_old(service, call, request, &arena, &list, &err);
    if (!job_call_failed(call, code, &err)) {
        struct removal *removal = measure_list(service, call, &list);
        if (!removal)
            job_call_no_memory(call);
        else if (request->dry_run)
            reply_count(call, removal);
        else
            mutation_submit(service->config.writer, call, apply_prune, removal_committed, service,
                            removal);
    }
    arena_fini(&arena);
}

JOB_HANDLER(prune_jobs, PruneJobs)
{
    (void)closure;
    struct job_service *service = (struct job_service *)base;
    struct soma_error err = {0};
    enum soma_code code = check_range(request->older_than_ms, 0, INT64_MAX, "older_than_ms", &err);
    if (code == SOMA_OK)
        code = check_range(request->max_jobs, 0, LIMIT_JOB_PRUNE, "max_jobs", &err);
    if (!job_call_failed(call, code, &err))
        workers_run(service->config.workers, call, &request->base, prune_jobs, service);
}
