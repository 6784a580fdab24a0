// JobService: UploadJobFile. No transaction: a piece that is written twice is the same piece.
#include <string.h>

#include "jobs/uploads.h"
#include "services/job_service_private.h"
#include "services/validate.h"
#include "wire/limits.h"

static void upload(struct rpc_call *call, const ProtobufCMessage *message, void *user)
{
    const Pb__UploadJobFileRequest *request = (const Pb__UploadJobFileRequest *)message;
    const struct job_service *service = user;
    const struct upload_piece piece = {
        .space = rpc_call_space(call),
        .id = request->upload_id,
        .offset = request->offset,
        .bytes = request->data.data,
        .length = request->data.len,
        .end = request->end,
    };
    Pb__UploadJobFileResponse response = PB__UPLOAD_JOB_FILE_RESPONSE__INIT;
    struct soma_error err = {0};
    char id[ID_SIZE];
    enum soma_code code =
        uploads_write(service->config.root, &piece, id, &response.size_bytes, &err);
    if (job_call_failed(call, code, &err))
        return;
    response.upload_id = id;
    rpc_call_reply(call, &response.base);
}

JOB_HANDLER(upload_job_file, UploadJobFile)
{
    (void)closure;
    struct job_service *service = (struct job_service *)base;
    struct soma_error err = {0};
    int64_t offset_max =
        request->upload_id[0] ? LIMIT_JOB_FILE_BYTES - (int64_t)request->data.len : 0;
    enum soma_code code =
        check_length(request->data.len, LIMIT_JOB_UPLOAD_PIECE_BYTES, "data", &err);
    if (code == SOMA_OK)
        code = check_range(request->offset, 0, offset_max, "offset", &err);
    if (!job_call_failed(call, code, &err))
        workers_run(service->config.workers, call, &request->base, upload, service);
}
