// JobService: files and input on their way in, artifacts on their way out; requests and results.
#include <soma/v1/jobs.pb-c.h>

#include "base/path.h"
#include "lib/packing.h"
#include "lib/reading.h"

void job_upload_pack(const struct soma_job_upload_request *request, struct packing *packing)
{
    Pb__UploadJobFileRequest *message = packing->message;
    message->upload_id = pack_text_or_none(request->upload_id);
    message->offset = request->offset;
    message->data = pack_bytes(packing, "data", request->data, request->length);
    message->end = request->end;
}

void job_upload_read(struct reading *reading, struct soma_job_upload *upload)
{
    const Pb__UploadJobFileResponse *message = reading->replies->message;
    upload->upload_id = message->upload_id;
    upload->size_bytes = message->size_bytes;
}

void job_artifacts_pack(const struct soma_job_artifacts_request *request, struct packing *packing)
{
    Pb__ListJobArtifactsRequest *message = packing->message;
    message->job_id = pack_text(packing, "job_id", request->job_id);
    message->attempt = request->attempt;
}

// Callers write files under these names: one that leads elsewhere never gets to them.
void job_artifacts_read(struct reading *reading, struct soma_job_artifacts *artifacts)
{
    const Pb__ListJobArtifactsResponse *message = reading->replies->message;
    struct soma_job_artifact *rows = read_array(reading, message->n_artifacts, sizeof *rows);
    for (size_t i = 0; rows && i < message->n_artifacts; i++) {
        const Pb__JobArtifact *row = message->artifacts[i];
        if (!path_is_inside(row->path))
            read_invalid(reading, "the reply has an artifact with a bad path");
        rows[i] = (struct soma_job_artifact){row->path, row->size_bytes, row->executable};
    }
    artifacts->artifacts = rows;
    artifacts->artifact_count = message->n_artifacts;
    artifacts->attempt = message->attempt;
    artifacts->end = message->end;
}

void job_artifact_read_pack(const struct soma_job_artifact_read_request *request,
                            struct packing *packing)
{
    Pb__ReadJobArtifactRequest *message = packing->message;
    message->job_id = pack_text(packing, "job_id", request->job_id);
    message->attempt = request->attempt;
    message->path = pack_text(packing, "path", request->path);
    message->offset = request->offset;
    message->max_bytes = request->max_bytes;
}

void job_artifact_read_read(struct reading *reading, struct soma_job_artifact_piece *piece)
{
    const Pb__ReadJobArtifactResponse *message = reading->replies->message;
    piece->data = message->data.data;
    piece->length = message->data.len;
    piece->size_bytes = message->size_bytes;
}

void job_input_pack(const struct soma_job_input_request *request, struct packing *packing)
{
    Pb__WriteJobInputRequest *message = packing->message;
    message->job_id = pack_text(packing, "job_id", request->job_id);
    message->attempt = request->attempt;
    message->offset = request->offset;
    message->data = pack_bytes(packing, "data", request->data, request->length);
    message->end = request->end;
    message->wait_ms = request->wait_ms;
    packing->asked.wait_ms = request->wait_ms;
}

void job_input_read(struct reading *reading, struct soma_job_input *input)
{
    const Pb__WriteJobInputResponse *message = reading->replies->message;
    input->size_bytes = message->size_bytes;
    input->attempt = message->attempt;
    input->closed = message->closed;
}
