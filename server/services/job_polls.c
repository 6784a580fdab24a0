// JobService: the long polls on one job, WaitJob and ReadJobOutput.
#include <string.h>

#include "jobs/output.h"
#include "services/job_service_private.h"
#include "services/validate.h"
#include "wire/limits.h"

enum {
    READ_DEFAULT = 262144,
    STREAMS_MAX = 2,
};

bool job_poll_begin(struct job_service *service, struct rpc_call *call, int64_t topic,
                    uint32_t wait_ms, parked_fn *fn, const ProtobufCMessage *request)
{
    return wait_ms > 0 && parking_begin(service->config.parking, call, topic,
                                        clock_deadline_after(wait_ms), fn, request, service);
}

void job_poll_end(const struct job_service *service, struct rpc_call *call)
{
    if (*rpc_call_slot(call))
        parking_end(service->config.parking, call);
}

bool job_poll_begin_on_job(struct job_service *service, struct rpc_call *call, const char *id,
                           uint32_t wait_ms, parked_fn *fn, const ProtobufCMessage *request,
                           bool *ret_parked)
{
    *ret_parked = false;
    if (wait_ms == 0)
        return true;
    struct arena arena;
    arena_init(&arena, ROW_BYTES);
    struct soma_error err = {0};
    struct job_row row;
    enum soma_code code = job_service_read(service, call, id, false, &arena, &row, &err);
    if (code == SOMA_OK)
        *ret_parked = job_poll_begin(service, call, row.job.num, wait_ms, fn, request);
    arena_fini(&arena);
    return !job_call_failed(call, code, &err);
}

// --- WaitJob

static bool is_waited_for(const Pb__WaitJobRequest *request, const struct job_status *status)
{
    return job_state_is_final(status->state) ||
           (request->after_revision > 0 && status->revision > request->after_revision);
}

static void wait_again(struct rpc_call *call, const ProtobufCMessage *message, void *user,
                       bool last)
{
    const Pb__WaitJobRequest *request = (const Pb__WaitJobRequest *)message;
    const struct job_service *service = user;
    struct arena arena;
    arena_init(&arena, ROW_BYTES);
    struct soma_error err = {0};
    struct job_row row;
    enum soma_code code =
        job_service_read(service, call, request->job_id, false, &arena, &row, &err);
    if (code == SOMA_OK && !last && !is_waited_for(request, &row.job.status)) {
        arena_fini(&arena);
        parking_wait(service->config.parking, call);
        return;
    }
    job_poll_end(service, call);
    if (!job_call_failed(call, code, &err)) {
        Pb__WaitJobResponse response = PB__WAIT_JOB_RESPONSE__INIT;
        response.job = job_message(&row.job, JOB_WITH_HEAD, service->config.engine, &arena);
        if (response.job)
            rpc_call_reply(call, &response.base);
        else
            job_call_no_memory(call);
    }
    arena_fini(&arena);
}

static void wait_first(struct rpc_call *call, const ProtobufCMessage *message, void *user)
{
    const Pb__WaitJobRequest *request = (const Pb__WaitJobRequest *)message;
    bool parked;
    if (job_poll_begin_on_job(user, call, request->job_id, request->wait_ms, wait_again, message,
                              &parked))
        wait_again(call, message, user, !parked);
}

JOB_HANDLER(wait_job, WaitJob)
{
    (void)closure;
    struct job_service *service = (struct job_service *)base;
    struct soma_error err = {0};
    enum soma_code code = job_id_from(request->job_id, &err);
    if (code == SOMA_OK)
        code = check_range(request->after_revision, 0, INT64_MAX, "after_revision", &err);
    if (code == SOMA_OK)
        code = check_range(request->wait_ms, 0, LIMIT_WAIT_MS, "wait_ms", &err);
    if (!job_call_failed(call, code, &err))
        workers_run(service->config.workers, call, &request->base, wait_first, service);
}

// --- ReadJobOutput

// What one look found.
struct output_look {
    uint32_t attempt;
    bool is_over; // the attempt will write no more
    struct output_piece pieces[STREAMS_MAX];
};

static const char *const position_fields[STREAMS_MAX] = {"positions[0].offset",
                                                         "positions[1].offset"};

enum soma_code job_attempt_choose(const struct job_row *row, uint32_t asked, uint32_t *ret_attempt,
                                  bool *ret_is_over, struct soma_error *err)
{
    const struct job_status *status = &row->job.status;
    uint32_t attempt = asked ? asked : status->attempt;
    if (attempt > status->attempt)
        return error_set(err, REASON_ATTEMPT_NOT_FOUND, "attempt", "job %s has no attempt %u",
                         row->job.id, attempt);
    *ret_attempt = attempt;
    *ret_is_over = attempt == 0 ? job_state_is_final(status->state)
                                : status->state != JOB_RUNNING || attempt < status->attempt;
    return SOMA_OK;
}

static enum soma_code read_pieces(const struct job_service *service,
                                  const Pb__ReadJobOutputRequest *request,
                                  const struct job_row *row, struct arena *arena,
                                  struct output_look *look, struct soma_error *err)
{
    int64_t left = request->max_bytes ? request->max_bytes : READ_DEFAULT;
    enum soma_code code = SOMA_OK;
    for (size_t i = 0; i < request->n_positions && code == SOMA_OK; i++) {
        const Pb__OutputPosition *position = request->positions[i];
        // The first of two gets half at least, and what the second does not need.
        bool is_first_of_two = i == 0 && request->n_positions == 2;
        int64_t max = is_first_of_two ? left - left / 2 : left;
        code = output_read(service->config.root, row->job.id, look->attempt,
                           position->stream == PB__OUTPUT_STREAM__OUTPUT_STREAM_STDERR,
                           position->offset, max, arena, &look->pieces[i], err);
        left -= (int64_t)look->pieces[i].length;
    }
    return code;
}

static enum soma_code look_at_output(const struct job_service *service, const struct rpc_call *call,
                                     const Pb__ReadJobOutputRequest *request, struct arena *arena,
                                     struct job_row *row, struct output_look *look,
                                     struct soma_error *err)
{
    // The state first: an attempt that is over by then has all of its output in the files.
    enum soma_code code = job_service_read(service, call, request->job_id, false, arena, row, err);
    if (code == SOMA_OK)
        code = job_attempt_choose(row, request->attempt, &look->attempt, &look->is_over, err);
    if (code == SOMA_OK)
        code = read_pieces(service, request, row, arena, look, err);
    for (size_t i = 0; i < request->n_positions && i < STREAMS_MAX && code == SOMA_OK; i++) {
        if (request->positions[i]->offset > look->pieces[i].size)
            code = error_set(err, REASON_OFFSET_PAST_END, position_fields[i],
                             "offset %lld is past the end at %lld",
                             (long long)request->positions[i]->offset,
                             (long long)look->pieces[i].size);
    }
    return code;
}

static bool is_at_end(const struct output_look *look, const Pb__OutputPosition *position, size_t i)
{
    const struct output_piece *piece = &look->pieces[i];
    return look->is_over && position->offset + (int64_t)piece->length == piece->size;
}

static bool has_output(const Pb__ReadJobOutputRequest *request, const struct output_look *look)
{
    bool all_ended = true;
    for (size_t i = 0; i < request->n_positions; i++) {
        if (look->pieces[i].length > 0)
            return true;
        all_ended &= is_at_end(look, request->positions[i], i);
    }
    return all_ended;
}

// Bytes that were dropped past the cap: from the row, from the engine, or from an old status.
static void find_dropped(const struct job_service *service, const struct job_row *row,
                         const struct output_look *look, int64_t ret_dropped[STREAMS_MAX])
{
    struct job_live live;
    struct job_outcome outcome;
    const struct job_status *status = &row->job.status;
    const struct job_output_size *out = &status->stdout_size, *err = &status->stderr_size;
    if (look->attempt != status->attempt || !job_state_is_final(status->state)) {
        static const struct job_output_size none;
        out = err = &none;
        if (!look->is_over &&
            engine_peek_live(service->config.engine, row->job.num, look->attempt, &live)) {
            out = &live.stdout_size;
            err = &live.stderr_size;
        } else if (look->is_over && attempt_read_status(service->config.root, row->job.id,
                                                        look->attempt, &outcome) == SOMA_OK) {
            out = &outcome.stdout_size;
            err = &outcome.stderr_size;
        }
    }
    ret_dropped[0] = out->dropped_bytes;
    ret_dropped[1] = err->dropped_bytes;
}

static void answer_output(struct rpc_call *call, const struct job_service *service,
                          const Pb__ReadJobOutputRequest *request, const struct job_row *row,
                          const struct output_look *look)
{
    Pb__ReadJobOutputResponse response = PB__READ_JOB_OUTPUT_RESPONSE__INIT;
    Pb__OutputChunk chunks[STREAMS_MAX], *pointers[STREAMS_MAX];
    Pb__OutputSize sizes[STREAMS_MAX];
    int64_t dropped[STREAMS_MAX];
    find_dropped(service, row, look, dropped);
    for (size_t i = 0; i < request->n_positions; i++) {
        const Pb__OutputPosition *position = request->positions[i];
        pb__output_chunk__init(&chunks[i]);
        pb__output_size__init(&sizes[i]);
        sizes[i].kept_bytes = look->pieces[i].size;
        sizes[i].dropped_bytes =
            dropped[position->stream == PB__OUTPUT_STREAM__OUTPUT_STREAM_STDERR];
        chunks[i].stream = position->stream;
        chunks[i].offset = position->offset;
        chunks[i].data.data = look->pieces[i].bytes;
        chunks[i].data.len = look->pieces[i].length;
        chunks[i].end = is_at_end(look, position, i);
        chunks[i].size = &sizes[i];
        pointers[i] = &chunks[i];
    }
    response.chunks = pointers;
    response.n_chunks = request->n_positions;
    response.attempt = look->attempt;
    rpc_call_reply(call, &response.base);
}

static void read_again(struct rpc_call *call, const ProtobufCMessage *message, void *user,
                       bool last)
{
    const Pb__ReadJobOutputRequest *request = (const Pb__ReadJobOutputRequest *)message;
    const struct job_service *service = user;
    struct arena arena;
    arena_init(&arena, ROW_BYTES);
    struct soma_error err = {0};
    struct job_row row;
    struct output_look look = {0};
    enum soma_code code = look_at_output(service, call, request, &arena, &row, &look, &err);
    if (code == SOMA_OK && !last && !has_output(request, &look)) {
        arena_fini(&arena);
        parking_wait(service->config.parking, call);
        return;
    }
    job_poll_end(service, call);
    if (!job_call_failed(call, code, &err))
        answer_output(call, service, request, &row, &look);
    arena_fini(&arena);
}

static void read_first(struct rpc_call *call, const ProtobufCMessage *message, void *user)
{
    const Pb__ReadJobOutputRequest *request = (const Pb__ReadJobOutputRequest *)message;
    bool parked;
    if (job_poll_begin_on_job(user, call, request->job_id, request->wait_ms, read_again, message,
                              &parked))
        read_again(call, message, user, !parked);
}

static enum soma_code check_positions(const Pb__ReadJobOutputRequest *request,
                                      struct soma_error *err)
{
    if (request->n_positions == 0)
        return error_set(err, REASON_FIELD_REQUIRED, "positions", "positions is required");
    enum soma_code code = check_length(request->n_positions, STREAMS_MAX, "positions", err);
    for (size_t i = 0; i < request->n_positions && i < STREAMS_MAX && code == SOMA_OK; i++) {
        if (request->positions[i]->stream == PB__OUTPUT_STREAM__OUTPUT_STREAM_UNSPECIFIED)
            return error_set(err, REASON_FIELD_REQUIRED,
                             i ? "positions[1].stream" : "positions[0].stream",
                             "the stream is required");
        code = check_range(request->positions[i]->offset, 0, INT64_MAX, position_fields[i], err);
    }
    if (code == SOMA_OK && request->n_positions == 2 &&
        request->positions[0]->stream == request->positions[1]->stream)
        code = error_set(err, REASON_DUPLICATE_KEY, "positions[1].stream",
                         "the stream is there twice");
    return code;
}

JOB_HANDLER(read_job_output, ReadJobOutput)
{
    (void)closure;
    struct job_service *service = (struct job_service *)base;
    struct soma_error err = {0};
    enum soma_code code = job_id_from(request->job_id, &err);
    if (code == SOMA_OK)
        code = check_positions(request, &err);
    if (code == SOMA_OK)
        code = check_range(request->max_bytes, 0, LIMIT_JOB_READ_BYTES, "max_bytes", &err);
    if (code == SOMA_OK)
        code = check_range(request->wait_ms, 0, LIMIT_WAIT_MS, "wait_ms", &err);
    if (!job_call_failed(call, code, &err))
        workers_run(service->config.workers, call, &request->base, read_first, service);
}
