// JobService: ListQueues, GetQueue and UpdateQueue.
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "services/job_service_private.h"
#include "services/validate.h"
#include "store/queues.h"
#include "wire/limits.h"

enum {
    CURSOR_BYTES = QUEUE_PLAIN_BYTES + 1, // "q" and a name
};

static Pb__Queue *queue_message(const struct queue *queue, struct arena *arena)
{
    Pb__Queue *message = arena_alloc(arena, sizeof *message);
    Pb__QueueSettings *settings = arena_alloc(arena, sizeof *settings);
    if (!message || !settings)
        return NULL;
    pb__queue__init(message);
    pb__queue_settings__init(settings);
    settings->paused = queue->settings.paused;
    settings->max_running = (uint32_t)queue->settings.max_running;
    settings->keep_ms = queue->settings.keep_ms;
    settings->keep_jobs = queue->settings.keep_jobs;
    settings->keep_bytes = queue->settings.keep_bytes;
    message->name = namespace_plain(queue->name);
    message->settings = settings;
    message->queued_jobs = queue->count_of[JOB_QUEUED];
    message->running_jobs = queue->count_of[JOB_RUNNING];
    message->output_bytes = queue->output_bytes;
    for (int state = JOB_RUNNING + 1; state < JOB_STATE_COUNT; state++)
        message->finished_jobs += queue->count_of[state];
    return message;
}

// --- ListQueues. A cursor is "q" and the last name of the page before.

static enum soma_code read_list(const struct job_service *service, const struct rpc_call *call,
                                const Pb__ListQueuesRequest *request, struct arena *arena,
                                struct queue_list *ret_list, struct soma_error *err)
{
    const char *cursor = request->cursor;
    if (cursor[0] && (cursor[0] != 'q' || strlen(cursor) > CURSOR_BYTES))
        return error_set(err, REASON_CURSOR_INVALID, "cursor",
                         "the cursor was not made by ListQueues");
    struct store_txn *txn;
    enum soma_code code = store_read_begin(service->config.store, &txn, err);
    if (code != SOMA_OK)
        return code;
    size_t page_size = request->page_size > 0 ? request->page_size : PAGE_DEFAULT;
    struct name_range range;
    name_range_init(&range, rpc_call_space(call), cursor[0] ? cursor + 1 : "");
    code = queue_store_list(txn, &range, page_size, arena, ret_list, err);
    store_read_end(txn);
    return code;
}

static bool put_list(const struct queue_list *list, struct arena *arena,
                     Pb__ListQueuesResponse *response)
{
    response->queues = arena_calloc(arena, list->count + 1, sizeof *response->queues);
    for (size_t i = 0; response->queues && i < list->count; i++) {
        response->queues[i] = queue_message(&list->rows[i], arena);
        if (!response->queues[i])
            return false;
    }
    response->n_queues = list->count;
    if (list->more)
        response->next_cursor =
            arena_printf(arena, "q%s", namespace_plain(list->rows[list->count - 1].name));
    return response->queues && response->next_cursor;
}

static void list_queues(struct rpc_call *call, const ProtobufCMessage *message, void *user)
{
    struct arena arena;
    arena_init(&arena, ROW_BYTES);
    struct soma_error err = {0};
    struct queue_list list = {0};
    Pb__ListQueuesResponse response = PB__LIST_QUEUES_RESPONSE__INIT;
    enum soma_code code =
        read_list(user, call, (const Pb__ListQueuesRequest *)message, &arena, &list, &err);
    if (!job_call_failed(call, code, &err)) {
        if (put_list(&list, &arena, &response))
            rpc_call_reply(call, &response.base);
        else
            job_call_no_memory(call);
    }
    arena_fini(&arena);
}

JOB_HANDLER(list_queues, ListQueues)
{
    (void)closure;
    struct job_service *service = (struct job_service *)base;
    struct soma_error err = {0};
    enum soma_code code = check_range(request->page_size, 0, LIMIT_QUEUE_PAGE, "page_size", &err);
    if (!job_call_failed(call, code, &err))
        workers_run(service->config.workers, call, &request->base, list_queues, service);
}

// --- GetQueue

static enum soma_code read_one(const struct job_service *service, struct rpc_call *call,
                               const char *name, struct queue *ret_queue, struct soma_error *err)
{
    struct store_txn *txn;
    enum soma_code code = job_take_queue(call, &name, err);
    if (code == SOMA_OK)
        code = store_read_begin(service->config.store, &txn, err);
    if (code != SOMA_OK)
        return code;
    code = queue_store_get(txn, name, ret_queue, err);
    store_read_end(txn);
    return code;
}

static void get_queue(struct rpc_call *call, const ProtobufCMessage *message, void *user)
{
    const Pb__GetQueueRequest *request = (const Pb__GetQueueRequest *)message;
    struct soma_error err = {0};
    struct queue queue;
    Pb__GetQueueResponse response = PB__GET_QUEUE_RESPONSE__INIT;
    if (job_call_failed(call, read_one(user, call, request->queue, &queue, &err), &err))
        return;
    response.queue = queue_message(&queue, rpc_call_arena(call));
    if (response.queue)
        rpc_call_reply(call, &response.base);
    else
        job_call_no_memory(call);
}

JOB_HANDLER(get_queue, GetQueue)
{
    (void)closure;
    struct job_service *service = (struct job_service *)base;
    struct soma_error err = {0};
    if (!job_call_failed(call, job_queue_from(request->queue, &err), &err))
        workers_run(service->config.workers, call, &request->base, get_queue, service);
}

// --- UpdateQueue

static void put_settings(const Pb__UpdateQueueRequest *request, struct queue_settings *settings)
{
    if (request->paused_presence_case == PB__UPDATE_QUEUE_REQUEST__PAUSED_PRESENCE_PAUSED)
        settings->paused = request->paused;
    if (request->max_running_presence_case ==
        PB__UPDATE_QUEUE_REQUEST__MAX_RUNNING_PRESENCE_MAX_RUNNING)
        settings->max_running = request->max_running;
    if (request->keep_ms_presence_case == PB__UPDATE_QUEUE_REQUEST__KEEP_MS_PRESENCE_KEEP_MS)
        settings->keep_ms = request->keep_ms;
    if (request->keep_jobs_presence_case == PB__UPDATE_QUEUE_REQUEST__KEEP_JOBS_PRESENCE_KEEP_JOBS)
        settings->keep_jobs = request->keep_jobs;
    if (request->keep_bytes_presence_case ==
        PB__UPDATE_QUEUE_REQUEST__KEEP_BYTES_PRESENCE_KEEP_BYTES)
        settings->keep_bytes = request->keep_bytes;
}

static enum soma_code apply_update(struct mutation *mutation, struct store_txn *txn,
                                   const ProtobufCMessage **ret_reply, struct soma_error *err)
{
    const Pb__UpdateQueueRequest *request = mutation->value;
    struct arena *arena = rpc_call_arena(mutation->call);
    Pb__UpdateQueueResponse *response = arena_alloc(arena, sizeof *response);
    if (!response)
        return error_set_no_memory(err);
    struct queue queue;
    const char *name = request->queue;
    enum soma_code code = job_take_queue(mutation->call, &name, err);
    if (code == SOMA_OK)
        code = queue_store_peek(txn, name, &queue, err);
    if (code != SOMA_OK)
        return code;
    put_settings(request, &queue.settings);
    code = queue_store_set(txn, name, &queue.settings, err);
    if (code != SOMA_OK)
        return code;
    pb__update_queue_response__init(response);
    response->queue = queue_message(&queue, arena);
    *ret_reply = &response->base;
    return response->queue ? SOMA_OK : error_set_no_memory(err);
}

static void update_committed(struct mutation *mutation)
{
    struct job_service *service = mutation->service;
    const Pb__UpdateQueueRequest *request = mutation->value;
    log_info("QUEUE-CHANGED", "the settings of queue %s%s%s were changed",
             rpc_call_space(mutation->call), rpc_call_space(mutation->call)[0] ? "/" : "",
             request->queue);
    engine_wake(service->config.engine);
    janitor_look(service->config.janitor);
}

JOB_HANDLER(update_queue, UpdateQueue)
{
    (void)closure;
    struct job_service *service = (struct job_service *)base;
    struct soma_error err = {0};
    enum soma_code code = job_queue_from(request->queue, &err);
    if (code == SOMA_OK)
        code = check_range(request->max_running, 0, LIMIT_QUEUE_RUNNING, "max_running", &err);
    if (code == SOMA_OK)
        code = check_range(request->keep_ms, 0, LIMIT_JOB_KEEP_MS, "keep_ms", &err);
    if (code == SOMA_OK)
        code = check_range(request->keep_jobs, 0, INT64_MAX, "keep_jobs", &err);
    if (code == SOMA_OK)
        code = check_range(request->keep_bytes, 0, INT64_MAX, "keep_bytes", &err);
    if (!job_call_failed(call, code, &err))
        mutation_submit(service->config.writer, call, apply_update, update_committed, service,
                        (void *)(uintptr_t)request);
}
