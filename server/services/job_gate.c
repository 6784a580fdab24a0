#include "services/job_gate.h"

#include <string.h>

static const char *const words[JOB_ACCESS_COUNT] = {
    [JOB_ACCESS_OFF] = "off", [JOB_ACCESS_JOBS] = "jobs", [JOB_ACCESS_FULL] = "full"};

// Full paths, or the path of a service and its '/' for all of its methods. What is not here, no job
// may call: queues, pruning and statistics are everybody's.
static const struct {
    const char *path;
    enum job_access needed;
} open_to_jobs[] = {
    {"soma.v1.ServerService/Ping", JOB_ACCESS_JOBS},
    {"soma.v1.ServerService/GetServerInfo", JOB_ACCESS_JOBS},
    {"soma.v1.JobService/SubmitJob", JOB_ACCESS_JOBS},
    {"soma.v1.JobService/UploadJobFile", JOB_ACCESS_JOBS},
    {"soma.v1.JobService/GetJob", JOB_ACCESS_JOBS},
    {"soma.v1.JobService/ListJobs", JOB_ACCESS_JOBS},
    {"soma.v1.JobService/WaitJob", JOB_ACCESS_JOBS},
    {"soma.v1.JobService/ReadJobOutput", JOB_ACCESS_JOBS},
    {"soma.v1.JobService/ReadJobLog", JOB_ACCESS_JOBS},
    {"soma.v1.JobService/WriteJobInput", JOB_ACCESS_JOBS},
    {"soma.v1.JobService/ListJobArtifacts", JOB_ACCESS_JOBS},
    {"soma.v1.JobService/ReadJobArtifact", JOB_ACCESS_JOBS},
    {"soma.v1.JobService/WatchJobs", JOB_ACCESS_JOBS},
    {"soma.v1.JobService/CancelJob", JOB_ACCESS_JOBS},
    {"soma.v1.JobService/RetryJob", JOB_ACCESS_JOBS},
    {"soma.v1.JobService/DeleteJob", JOB_ACCESS_JOBS},
    {"soma.v1.JobService/ReportProgress", JOB_ACCESS_JOBS},
    {"soma.v1.VectorService/", JOB_ACCESS_FULL},
};

enum soma_code job_access_from(const char *word, enum job_access *ret_access,
                               struct soma_error *err)
{
    for (int i = 0; i < JOB_ACCESS_COUNT; i++) {
        if (strcmp(word, words[i]) == 0) {
            *ret_access = (enum job_access)i;
            return SOMA_OK;
        }
    }
    return error_set(err, REASON_CONFIG_INVALID, "job-access",
                     "'%.60s' is none of full, jobs and off", word);
}

static bool is_open(const char *method, enum job_access access)
{
    for (size_t i = 0; i < sizeof open_to_jobs / sizeof open_to_jobs[0]; i++) {
        const char *path = open_to_jobs[i].path;
        size_t length = strlen(path);
        bool is_it = path[length - 1] == '/' ? strncmp(method, path, length) == 0
                                             : strcmp(method, path) == 0;
        if (is_it)
            return access >= open_to_jobs[i].needed;
    }
    return false;
}

enum soma_code job_gate_admit(void *job_gate, const char *method, const char *token,
                              struct rpc_caller *ret_caller, struct soma_error *err)
{
    const struct job_gate *gate = job_gate;
    if (!token[0])
        return error_set(err, REASON_TOKEN_MISSING, "token",
                         "this address is for jobs, by the token of $SOMA_TOKEN");
    if (!token_check(gate->key, token, ret_caller->job_id, &ret_caller->attempt))
        return error_set(err, REASON_TOKEN_INVALID, "token",
                         "the token was not given by this server");
    if (!engine_follows(gate->engine, ret_caller->job_id, ret_caller->attempt))
        return error_set(err, REASON_TOKEN_INVALID, "token", "attempt %u of job %s has ended",
                         ret_caller->attempt, ret_caller->job_id);
    if (!is_open(method, gate->access))
        return error_set(err, REASON_METHOD_NOT_ALLOWED, "method", "jobs may not call %.100s",
                         method);
    return SOMA_OK;
}
