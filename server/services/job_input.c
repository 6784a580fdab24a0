// JobService: the long poll WriteJobInput. No transaction: a piece says where it belongs, so that
// one that comes twice is taken once.
#include "access/tokens.h"
#include "jobs/input.h"
#include "services/job_service_private.h"
#include "services/validate.h"
#include "wire/limits.h"

// What one look found.
struct input_look {
    uint32_t attempt; // 0: none runs yet
    int64_t size_bytes;
    bool is_closed;  // the program reads no more
    bool is_waiting; // for a start, or for room
};

// Who feeds a program can make it call with its job's token: that holds no more than the caller.
static enum soma_code check_scopes(const struct rpc_call *call, const struct job *job,
                                   struct soma_error *err)
{
    const uint32_t of_jobs = SCOPE_READ | SCOPE_WRITE_VECTORS;
    if ((rpc_call_withheld(call) & of_jobs & ~(uint32_t)job->spec.withheld) == 0)
        return SOMA_OK;
    return error_set(err, REASON_METHOD_NOT_ALLOWED, "job_id",
                     "job %s holds scopes that who calls does not, and may do what it is fed",
                     job->id);
}

static enum soma_code check_job(const struct job *job, uint32_t asked, struct input_look *look,
                                struct soma_error *err)
{
    const struct job_status *status = &job->status;
    if (!job->spec.interactive)
        return error_set(err, REASON_JOB_NOT_INTERACTIVE, "job_id",
                         "the job's standard input is no stream");
    bool is_over = job_state_is_final(status->state) || (asked > 0 && asked < status->attempt);
    if (is_over)
        return error_set(err, REASON_JOB_NOT_RUNNING, "job_id", "the job is %s",
                         job_state_name(status->state));
    if (asked > status->attempt)
        return error_set(err, REASON_ATTEMPT_NOT_FOUND, "attempt", "job %s has no attempt %u",
                         job->id, asked);
    look->attempt = status->state == JOB_RUNNING ? status->attempt : 0;
    return SOMA_OK;
}

static enum soma_code write_piece(const struct job_service *service,
                                  const Pb__WriteJobInputRequest *request, const struct job *job,
                                  struct input_look *look, struct soma_error *err)
{
    struct job_live live = {0};
    struct input_taken taken = {0};
    engine_peek_live(service->config.engine, job->num, look->attempt, &live);
    const struct input_piece piece = {
        .offset = request->offset,
        .bytes = request->data.data,
        .length = request->data.len,
        .end = request->end,
        .fed_bytes = live.input_fed,
    };
    enum soma_code code =
        input_write(service->config.root, job->id, look->attempt, &piece, &taken, err);
    if (code == SOMA_NOT_FOUND) {
        // Claimed, and its directory is just being made: none runs that could take anything.
        look->attempt = 0;
        look->is_waiting = true;
        return SOMA_OK;
    }
    if (code != SOMA_OK)
        return code;
    if (taken.has_changed)
        engine_feed(service->config.engine, job->num);
    look->size_bytes = taken.size_bytes;
    look->is_closed = live.input_closed && !taken.has_ended;
    look->is_waiting = !taken.has_changed && !look->is_closed &&
                       request->offset + (int64_t)request->data.len > taken.size_bytes;
    return SOMA_OK;
}

static enum soma_code look_and_write(const struct job_service *service, const struct rpc_call *call,
                                     const Pb__WriteJobInputRequest *request,
                                     struct input_look *look, struct soma_error *err)
{
    struct arena arena;
    arena_init(&arena, ROW_BYTES);
    struct job_row row;
    enum soma_code code =
        job_service_read(service, call, request->job_id, false, &arena, &row, err);
    if (code == SOMA_OK)
        code = check_scopes(call, &row.job, err);
    if (code == SOMA_OK)
        code = check_job(&row.job, request->attempt, look, err);
    if (code == SOMA_OK && look->attempt == 0)
        look->is_waiting = true;
    else if (code == SOMA_OK)
        code = write_piece(service, request, &row.job, look, err);
    arena_fini(&arena);
    return code;
}

static void input_again(struct rpc_call *call, const ProtobufCMessage *message, void *user,
                        bool last)
{
    const Pb__WriteJobInputRequest *request = (const Pb__WriteJobInputRequest *)message;
    const struct job_service *service = user;
    struct input_look look = {0};
    struct soma_error err = {0};
    enum soma_code code = look_and_write(service, call, request, &look, &err);
    if (code == SOMA_OK && look.is_waiting && !last) {
        parking_wait(service->config.parking, call);
        return;
    }
    job_poll_end(service, call);
    if (job_call_failed(call, code, &err))
        return;
    Pb__WriteJobInputResponse response = PB__WRITE_JOB_INPUT_RESPONSE__INIT;
    response.attempt = look.attempt;
    response.size_bytes = look.size_bytes;
    response.closed = look.is_closed;
    rpc_call_reply(call, &response.base);
}

static void input_first(struct rpc_call *call, const ProtobufCMessage *message, void *user)
{
    const Pb__WriteJobInputRequest *request = (const Pb__WriteJobInputRequest *)message;
    bool parked;
    if (job_poll_begin_on_job(user, call, request->job_id, request->wait_ms, input_again, message,
                              &parked))
        input_again(call, message, user, !parked);
}

JOB_HANDLER(write_job_input, WriteJobInput)
{
    (void)closure;
    struct job_service *service = (struct job_service *)base;
    struct soma_error err = {0};
    enum soma_code code = job_id_from(request->job_id, &err);
    if (code == SOMA_OK)
        code = check_range(request->offset, 0, LIMIT_JOB_INPUT_BYTES, "offset", &err);
    if (code == SOMA_OK)
        code = check_length(request->data.len, LIMIT_JOB_INPUT_PIECE_BYTES, "data", &err);
    if (code == SOMA_OK)
        code = check_range(request->wait_ms, 0, LIMIT_WAIT_MS, "wait_ms", &err);
    if (!job_call_failed(call, code, &err))
        workers_run(service->config.workers, call, &request->base, input_first, service);
}
