// JobService: ListJobs and WatchJobs.
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "services/job_service_private.h"
#include "services/validate.h"
#include "wire/limits.h"

Pb__Job **job_list_messages(const struct job_service *service, struct job_list *list,
                            struct arena *arena, struct soma_error *err)
{
    Pb__Job **messages = arena_calloc(arena, list->count + 1, sizeof(Pb__Job *));
    size_t bytes = 0;
    for (size_t i = 0; messages && i < list->count; i++) {
        if (job_row_complete(list->rows[i], arena, err) != SOMA_OK)
            return NULL;
        messages[i] =
            job_message(&list->rows[i]->job, JOB_WITH_HEAD, service->config.engine, arena);
        if (!messages[i])
            break;
        bytes += protobuf_c_message_get_packed_size(&messages[i]->base);
        if (bytes > REPLY_BYTES && i > 0) {
            list->count = i;
            list->more = true;
            return messages;
        }
        if (i + 1 == list->count)
            return messages;
    }
    if (messages && list->count == 0)
        return messages;
    error_set_no_memory(err);
    return NULL;
}

static size_t page_size_of(uint32_t asked)
{
    return asked > 0 ? asked : PAGE_DEFAULT;
}

// --- ListJobs. A cursor is "j" and the num below which to go on.

static enum soma_code cursor_from(const char *cursor, int64_t *ret_before, struct soma_error *err)
{
    *ret_before = 0;
    if (cursor[0] == '\0')
        return SOMA_OK;
    if (cursor[0] == 'j' && text_to_int64(cursor + 1, 1, INT64_MAX, ret_before))
        return SOMA_OK;
    return error_set(err, REASON_CURSOR_INVALID, "cursor", "the cursor was not made by ListJobs");
}

enum soma_code job_take_queue(struct rpc_call *call, const char **queue, struct soma_error *err)
{
    const char *full = namespace_join(rpc_call_arena(call), rpc_call_space(call), *queue);
    if (!full)
        return error_set_no_memory(err);
    *queue = full;
    return SOMA_OK;
}

enum soma_code job_filter_for(struct rpc_call *call, const Pb__JobFilter *message,
                              struct arena *arena, struct job_filter *ret_filter,
                              struct soma_error *err)
{
    const struct rpc_caller *caller = rpc_call_job(call);
    enum soma_code code = job_filter_from(message, arena, ret_filter, err);
    if (code == SOMA_OK && ret_filter->queue)
        code = job_take_queue(call, &ret_filter->queue, err);
    ret_filter->space = rpc_call_space(call);
    if (code != SOMA_OK || !caller)
        return code;
    if (ret_filter->parent && strcmp(ret_filter->parent, caller->job_id) != 0)
        return error_set(err, REASON_JOB_NOT_OWN, "filter.parent_id",
                         "job %s sees the jobs that it submitted, and no others", caller->job_id);
    ret_filter->parent = caller->job_id;
    return SOMA_OK;
}

static enum soma_code read_list(const struct job_service *service, struct rpc_call *call,
                                const Pb__ListJobsRequest *request, struct arena *arena,
                                struct job_list *ret_list, int64_t *ret_revision,
                                struct soma_error *err)
{
    struct job_filter filter;
    int64_t before;
    enum soma_code code = job_filter_for(call, request->filter, arena, &filter, err);
    if (code == SOMA_OK)
        code = cursor_from(request->cursor, &before, err);
    if (code == SOMA_OK)
        code = check_range(request->page_size, 0, LIMIT_JOB_PAGE, "page_size", err);
    struct store_txn *txn;
    if (code == SOMA_OK)
        code = store_read_begin(service->config.store, &txn, err);
    if (code != SOMA_OK)
        return code;
    code = job_store_list(txn, &filter, before, page_size_of(request->page_size), arena, ret_list,
                          err);
    if (code == SOMA_OK)
        code = job_store_revision(txn, ret_revision, err);
    store_read_end(txn);
    return code;
}

static void list_jobs(struct rpc_call *call, const ProtobufCMessage *message, void *user)
{
    struct arena arena;
    arena_init(&arena, PAGE_BYTES);
    struct soma_error err = {0};
    struct job_list list = {0};
    Pb__ListJobsResponse response = PB__LIST_JOBS_RESPONSE__INIT;
    enum soma_code code = read_list(user, call, (const Pb__ListJobsRequest *)message, &arena, &list,
                                    &response.revision, &err);
    if (code == SOMA_OK) {
        size_t read_count = list.count;
        response.jobs = job_list_messages(user, &list, &arena, &err);
        response.n_jobs = list.count;
        if (list.count < read_count)
            list.after = list.rows[list.count - 1]->job.num;
        code = response.jobs ? SOMA_OK : err.code;
    }
    if (!job_call_failed(call, code, &err)) {
        char cursor[32] = "";
        if (list.more)
            snprintf(cursor, sizeof cursor, "j%" PRId64, list.after);
        response.next_cursor = cursor;
        rpc_call_reply(call, &response.base);
    }
    arena_fini(&arena);
}

JOB_HANDLER(list_jobs, ListJobs)
{
    (void)closure;
    struct job_service *service = (struct job_service *)base;
    workers_run(service->config.workers, call, &request->base, list_jobs, service);
}

// --- WatchJobs

static enum soma_code read_changes(const struct job_service *service, struct rpc_call *call,
                                   const Pb__WatchJobsRequest *request, struct arena *arena,
                                   struct job_changes *ret_changes, struct soma_error *err)
{
    struct job_filter filter;
    enum soma_code code = job_filter_for(call, request->filter, arena, &filter, err);
    struct store_txn *txn;
    if (code == SOMA_OK)
        code = store_read_begin(service->config.store, &txn, err);
    if (code != SOMA_OK)
        return code;
    code = job_store_changes(txn, request->since_revision, &filter,
                             page_size_of(request->page_size), arena, ret_changes, err);
    store_read_end(txn);
    return code;
}

static bool has_news(const struct job_changes *changes)
{
    return changes->history_lost || changes->jobs.count > 0 || changes->removed_count > 0 ||
           changes->jobs.more;
}

static void answer_watch(struct rpc_call *call, const struct job_service *service,
                         struct job_changes *changes, struct arena *arena)
{
    Pb__WatchJobsResponse response = PB__WATCH_JOBS_RESPONSE__INIT;
    struct soma_error err = {0};
    response.history_lost = changes->history_lost;
    if (!changes->history_lost) {
        size_t read_count = changes->jobs.count;
        response.jobs = job_list_messages(service, &changes->jobs, arena, &err);
        if (!response.jobs) {
            rpc_call_fail(call, &err);
            return;
        }
        response.n_jobs = changes->jobs.count;
        response.removed_ids = changes->removed_ids;
        response.n_removed_ids = changes->removed_count;
        // What did not fit is asked for again; a removal that is told twice does no harm.
        if (changes->jobs.count < read_count)
            changes->revision = changes->jobs.rows[changes->jobs.count - 1]->job.status.revision;
        response.revision = job_changes_next(changes);
    }
    rpc_call_reply(call, &response.base);
}

static void watch_again(struct rpc_call *call, const ProtobufCMessage *message, void *user,
                        bool last)
{
    const struct job_service *service = user;
    struct arena arena;
    arena_init(&arena, PAGE_BYTES);
    struct soma_error err = {0};
    struct job_changes changes = {0};
    enum soma_code code =
        read_changes(service, call, (const Pb__WatchJobsRequest *)message, &arena, &changes, &err);
    if (code == SOMA_OK && !last && !has_news(&changes)) {
        arena_fini(&arena);
        parking_wait(service->config.parking, call);
        return;
    }
    job_poll_end(service, call);
    if (!job_call_failed(call, code, &err))
        answer_watch(call, service, &changes, &arena);
    arena_fini(&arena);
}

static void watch_first(struct rpc_call *call, const ProtobufCMessage *message, void *user)
{
    const Pb__WatchJobsRequest *request = (const Pb__WatchJobsRequest *)message;
    bool parked =
        job_poll_begin(user, call, TOPIC_ALL_JOBS, request->wait_ms, watch_again, message);
    watch_again(call, message, user, !parked);
}

JOB_HANDLER(watch_jobs, WatchJobs)
{
    (void)closure;
    struct job_service *service = (struct job_service *)base;
    struct soma_error err = {0};
    enum soma_code code =
        check_range(request->since_revision, -INT64_MAX, INT64_MAX, "since_revision", &err);
    if (code == SOMA_OK)
        code = check_range(request->page_size, 0, LIMIT_JOB_PAGE, "page_size", &err);
    if (code == SOMA_OK)
        code = check_range(request->wait_ms, 0, LIMIT_WAIT_MS, "wait_ms", &err);
    if (!job_call_failed(call, code, &err))
        workers_run(service->config.workers, call, &request->base, watch_first, service);
}
