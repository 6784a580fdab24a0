// JobService: the log, request and result.
#include <soma/v1/jobs.pb-c.h>

#include "lib/packing.h"
#include "lib/reading.h"

static Pb__LogPosition *pack_position(struct packing *packing,
                                      const struct soma_job_log_position *position)
{
    Pb__LogPosition *message =
        position ? pack_message(packing, &pb__log_position__descriptor) : NULL;
    if (!message)
        return NULL;
    message->record = position->record;
    message->taken_bytes = position->taken_bytes;
    message->stdout_offset = position->stdout_offset;
    message->stderr_offset = position->stderr_offset;
    message->time_unix_ms = position->time_ms;
    return message;
}

void job_log_pack(const struct soma_job_log_request *request, struct packing *packing)
{
    Pb__ReadJobLogRequest *message = packing->message;
    message->job_id = pack_text(packing, "job_id", request->job_id);
    message->attempt = request->attempt;
    message->position = pack_position(packing, request->position);
    message->tail_lines = request->tail_lines;
    message->since_unix_ms = request->since_ms;
    if (request->stream)
        message->streams = pack_array(packing, 1, sizeof *message->streams);
    if (message->streams)
        message->streams[message->n_streams++] = (Pb__OutputStream)request->stream;
    message->max_bytes = request->max_bytes;
    message->wait_ms = request->wait_ms;
    packing->asked.wait_ms = request->wait_ms;
}

void job_log_read(struct reading *reading, struct soma_job_log *log)
{
    const Pb__ReadJobLogResponse *message = reading->replies->message;
    struct soma_job_log_piece *pieces = read_array(reading, message->n_pieces, sizeof *pieces);
    for (size_t i = 0; pieces && i < message->n_pieces; i++) {
        const Pb__LogPiece *piece = message->pieces[i];
        pieces[i] = (struct soma_job_log_piece){
            .stream = (enum soma_stream)piece->stream,
            .offset = piece->offset,
            .data = piece->data.data,
            .length = piece->data.len,
            .time_ms = piece->time_unix_ms,
        };
        if (piece->stream == PB__OUTPUT_STREAM__OUTPUT_STREAM_UNSPECIFIED)
            read_invalid(reading, "the reply has output of no stream");
    }
    const Pb__LogPosition *position = message->position;
    if (!position)
        read_invalid(reading, "the reply has no position");
    else
        log->position = (struct soma_job_log_position){
            position->record, position->taken_bytes, position->stdout_offset,
            position->stderr_offset, position->time_unix_ms};
    log->pieces = pieces;
    log->piece_count = message->n_pieces;
    log->attempt = message->attempt;
    log->end = message->end;
}
