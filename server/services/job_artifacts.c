// JobService: ListJobArtifacts and ReadJobArtifact.
#include "jobs/artifacts.h"
#include "services/job_service_private.h"
#include "services/validate.h"
#include "wire/limits.h"

enum {
    READ_DEFAULT = 262144,
};

// The attempt that is meant, and whether it is over.
static enum soma_code choose_attempt(const struct job_service *service, const struct rpc_call *call,
                                     const char *job_id, uint32_t asked, struct arena *arena,
                                     uint32_t *ret_attempt, bool *ret_is_over,
                                     struct soma_error *err)
{
    struct job_row row;
    enum soma_code code = job_service_read(service, call, job_id, false, arena, &row, err);
    if (code != SOMA_OK)
        return code;
    return job_attempt_choose(&row, asked, ret_attempt, ret_is_over, err);
}

static Pb__JobArtifact **artifact_messages(const struct artifact_list *list, struct arena *arena)
{
    Pb__JobArtifact **pointers = arena_calloc(arena, list->count, sizeof *pointers);
    Pb__JobArtifact *messages = arena_calloc(arena, list->count, sizeof *messages);
    if (!pointers || !messages)
        return NULL;
    for (size_t i = 0; i < list->count; i++) {
        pb__job_artifact__init(&messages[i]);
        messages[i].path = list->rows[i].path;
        messages[i].size_bytes = list->rows[i].size_bytes;
        messages[i].executable = list->rows[i].executable;
        pointers[i] = &messages[i];
    }
    return pointers;
}

static void list_artifacts(struct rpc_call *call, const ProtobufCMessage *message, void *user)
{
    const Pb__ListJobArtifactsRequest *request = (const Pb__ListJobArtifactsRequest *)message;
    const struct job_service *service = user;
    Pb__ListJobArtifactsResponse response = PB__LIST_JOB_ARTIFACTS_RESPONSE__INIT;
    struct artifact_list list = {0};
    struct soma_error err = {0};
    struct arena arena;
    arena_init(&arena, ROW_BYTES);
    bool is_over = false;
    enum soma_code code = choose_attempt(service, call, request->job_id, request->attempt, &arena,
                                         &response.attempt, &is_over, &err);
    if (code == SOMA_OK && is_over)
        code = artifacts_list(service->config.root, request->job_id, response.attempt, &arena,
                              &list, &err);
    if (!job_call_failed(call, code, &err)) {
        response.artifacts = artifact_messages(&list, &arena);
        response.n_artifacts = list.count;
        response.end = is_over;
        if (response.artifacts)
            rpc_call_reply(call, &response.base);
        else
            job_call_no_memory(call);
    }
    arena_fini(&arena);
}

JOB_HANDLER(list_job_artifacts, ListJobArtifacts)
{
    (void)closure;
    struct job_service *service = (struct job_service *)base;
    struct soma_error err = {0};
    if (!job_call_failed(call, job_id_from(request->job_id, &err), &err))
        workers_run(service->config.workers, call, &request->base, list_artifacts, service);
}

static void read_artifact(struct rpc_call *call, const ProtobufCMessage *message, void *user)
{
    const Pb__ReadJobArtifactRequest *request = (const Pb__ReadJobArtifactRequest *)message;
    const struct job_service *service = user;
    Pb__ReadJobArtifactResponse response = PB__READ_JOB_ARTIFACT_RESPONSE__INIT;
    struct output_piece piece = {0};
    struct soma_error err = {0};
    struct arena arena;
    arena_init(&arena, ROW_BYTES);
    bool is_over = false;
    uint32_t attempt;
    int64_t max = request->max_bytes ? request->max_bytes : READ_DEFAULT;
    enum soma_code code = choose_attempt(service, call, request->job_id, request->attempt, &arena,
                                         &attempt, &is_over, &err);
    if (code == SOMA_OK)
        code = artifact_read(service->config.root, request->job_id, attempt, request->path,
                             request->offset, max, &arena, &piece, &err);
    if (!job_call_failed(call, code, &err)) {
        response.data.data = piece.bytes;
        response.data.len = piece.length;
        response.size_bytes = piece.size;
        rpc_call_reply(call, &response.base);
    }
    arena_fini(&arena);
}

JOB_HANDLER(read_job_artifact, ReadJobArtifact)
{
    (void)closure;
    struct job_service *service = (struct job_service *)base;
    struct soma_error err = {0};
    enum soma_code code = job_id_from(request->job_id, &err);
    if (code == SOMA_OK)
        code = check_given(request->path, "path", &err);
    if (code == SOMA_OK)
        code = check_range(request->offset, 0, INT64_MAX, "offset", &err);
    if (code == SOMA_OK)
        code = check_range(request->max_bytes, 0, LIMIT_JOB_READ_BYTES, "max_bytes", &err);
    if (!job_call_failed(call, code, &err))
        workers_run(service->config.workers, call, &request->base, read_artifact, service);
}
