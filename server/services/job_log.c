// JobService: the long poll ReadJobLog.
#include "jobs/output_log.h"
#include "services/job_service_private.h"
#include "services/validate.h"
#include "wire/limits.h"

enum {
    READ_DEFAULT = 262144,
    LOG_BYTES = 24 << 20, // the records of a log, and what is read
};

static struct log_question question_of(const Pb__ReadJobLogRequest *request, bool is_over)
{
    struct log_question question = {
        .is_first = request->position == NULL,
        .tail_lines = request->tail_lines,
        .since_ms = request->since_unix_ms,
        .max_bytes = request->max_bytes ? request->max_bytes : READ_DEFAULT,
        .is_over = is_over,
    };
    for (int i = 0; i < 2; i++)
        question.wanted[i] = request->n_streams == 0;
    for (size_t i = 0; i < request->n_streams; i++)
        question.wanted[request->streams[i] == PB__OUTPUT_STREAM__OUTPUT_STREAM_STDERR] = true;
    const Pb__LogPosition *position = request->position;
    if (position)
        question.position = (struct log_position){
            .record = position->record,
            .taken = position->taken_bytes,
            .offsets = {position->stdout_offset, position->stderr_offset},
            .time_ms = position->time_unix_ms,
        };
    return question;
}

static Pb__LogPiece **piece_messages(const struct log_look *look, struct arena *arena)
{
    Pb__LogPiece **pointers = arena_calloc(arena, look->count, sizeof *pointers);
    Pb__LogPiece *messages = arena_calloc(arena, look->count, sizeof *messages);
    if (!pointers || !messages)
        return NULL;
    for (size_t i = 0; i < look->count; i++) {
        const struct log_piece *piece = &look->pieces[i];
        pb__log_piece__init(&messages[i]);
        messages[i].stream = piece->is_stderr ? PB__OUTPUT_STREAM__OUTPUT_STREAM_STDERR
                                              : PB__OUTPUT_STREAM__OUTPUT_STREAM_STDOUT;
        messages[i].offset = piece->offset;
        messages[i].time_unix_ms = piece->time_ms;
        messages[i].data.data = piece->bytes;
        messages[i].data.len = piece->length;
        pointers[i] = &messages[i];
    }
    return pointers;
}

static void answer(struct rpc_call *call, const struct log_look *look, uint32_t attempt,
                   struct arena *arena)
{
    Pb__ReadJobLogResponse response = PB__READ_JOB_LOG_RESPONSE__INIT;
    Pb__LogPosition position = PB__LOG_POSITION__INIT;
    position.record = look->next.record;
    position.taken_bytes = look->next.taken;
    position.stdout_offset = look->next.offsets[0];
    position.stderr_offset = look->next.offsets[1];
    position.time_unix_ms = look->next.time_ms;
    response.pieces = piece_messages(look, arena);
    response.n_pieces = look->count;
    response.position = &position;
    response.attempt = attempt;
    response.end = look->at_end;
    if (response.pieces)
        rpc_call_reply(call, &response.base);
    else
        job_call_no_memory(call);
}

static enum soma_code look_at_log(const struct job_service *service, const struct rpc_call *call,
                                  const Pb__ReadJobLogRequest *request, struct arena *arena,
                                  struct log_look *look, uint32_t *ret_attempt,
                                  struct soma_error *err)
{
    // The state first: an attempt that is over by then has all of its output in the files.
    struct job_row row;
    bool is_over = false;
    enum soma_code code = job_service_read(service, call, request->job_id, false, arena, &row, err);
    if (code == SOMA_OK)
        code = job_attempt_choose(&row, request->attempt, ret_attempt, &is_over, err);
    if (code != SOMA_OK)
        return code;
    const struct log_question question = question_of(request, is_over);
    return output_log_read(service->config.root, row.job.id, *ret_attempt, &question, arena, look,
                           err);
}

// A first question that says where to begin is answered at once: its position is news, and the last
// lines must not be asked for again when there are more.
static void log_again(struct rpc_call *call, const ProtobufCMessage *message, void *user, bool last)
{
    const Pb__ReadJobLogRequest *request = (const Pb__ReadJobLogRequest *)message;
    const struct job_service *service = user;
    struct arena arena;
    arena_init(&arena, LOG_BYTES);
    struct soma_error err = {0};
    uint32_t attempt = 0;
    struct log_look *look = arena_alloc(&arena, sizeof *look);
    if (!look) {
        job_poll_end(service, call);
        job_call_failed(call, error_set_no_memory(&err), &err);
        arena_fini(&arena);
        return;
    }
    enum soma_code code = look_at_log(service, call, request, &arena, look, &attempt, &err);
    bool has_news =
        code != SOMA_OK || look->count > 0 || look->at_end || (!request->position && attempt > 0);
    if (!last && !has_news) {
        arena_fini(&arena);
        parking_wait(service->config.parking, call);
        return;
    }
    job_poll_end(service, call);
    if (!job_call_failed(call, code, &err))
        answer(call, look, attempt, &arena);
    arena_fini(&arena);
}

static void log_first(struct rpc_call *call, const ProtobufCMessage *message, void *user)
{
    const Pb__ReadJobLogRequest *request = (const Pb__ReadJobLogRequest *)message;
    bool parked;
    if (job_poll_begin_on_job(user, call, request->job_id, request->wait_ms, log_again, message,
                              &parked))
        log_again(call, message, user, !parked);
}

static enum soma_code check_position(const Pb__LogPosition *position, struct soma_error *err)
{
    if (!position)
        return SOMA_OK;
    const struct {
        const char *field;
        int64_t value;
    } rows[] = {
        {"position.record", position->record},
        {"position.taken_bytes", position->taken_bytes},
        {"position.stdout_offset", position->stdout_offset},
        {"position.stderr_offset", position->stderr_offset},
        {"position.time_unix_ms", position->time_unix_ms},
    };
    enum soma_code code = SOMA_OK;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0] && code == SOMA_OK; i++)
        code = check_range(rows[i].value, 0, INT64_MAX / 2, rows[i].field, err);
    return code;
}

static enum soma_code check_streams(const Pb__ReadJobLogRequest *request, struct soma_error *err)
{
    enum soma_code code = check_length(request->n_streams, 2, "streams", err);
    for (size_t i = 0; i < request->n_streams && code == SOMA_OK; i++) {
        if (request->streams[i] == PB__OUTPUT_STREAM__OUTPUT_STREAM_UNSPECIFIED)
            code = error_set(err, REASON_FIELD_REQUIRED, "streams", "the stream is required");
    }
    return code;
}

JOB_HANDLER(read_job_log, ReadJobLog)
{
    (void)closure;
    struct job_service *service = (struct job_service *)base;
    struct soma_error err = {0};
    enum soma_code code = job_id_from(request->job_id, &err);
    if (code == SOMA_OK)
        code = check_position(request->position, &err);
    if (code == SOMA_OK)
        code = check_streams(request, &err);
    if (code == SOMA_OK)
        code = check_range(request->tail_lines, -1, LIMIT_JOB_TAIL_LINES, "tail_lines", &err);
    if (code == SOMA_OK)
        code = check_range(request->since_unix_ms, 0, INT64_MAX, "since_unix_ms", &err);
    if (code == SOMA_OK)
        code = check_range(request->max_bytes, 0, LIMIT_JOB_READ_BYTES, "max_bytes", &err);
    if (code == SOMA_OK)
        code = check_range(request->wait_ms, 0, LIMIT_WAIT_MS, "wait_ms", &err);
    if (!job_call_failed(call, code, &err))
        workers_run(service->config.workers, call, &request->base, log_first, service);
}
