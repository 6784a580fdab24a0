// What the files of the job service share: one handler for each method, and small helpers.
#ifndef SERVICES_JOB_SERVICE_PRIVATE_H
#define SERVICES_JOB_SERVICE_PRIVATE_H

#include "access/rate.h"
#include "jobs/changes.h"
#include "services/job_messages.h"
#include "services/job_service.h"
#include "services/job_values.h"
#include "services/mutation.h"

enum {
    ROW_BYTES = 8 << 20,   // what reading one job may take, its whole specification included
    PAGE_BYTES = 64 << 20, // what a page of jobs may take
    PAGE_DEFAULT = 100,
    REPLY_BYTES = 7 << 20, // a page ends before its frame is too large
};

struct job_service {
    Pb__JobService_Service base; // first: the dispatcher's pointer leads back here
    struct job_service_config config;
    struct rate submits; // by namespace
};

// The service's handlers, as protoc-c declares them.
#define JOB_HANDLER(name, Method)                                                               \
    void job_service_##name(Pb__JobService_Service *base, const Pb__##Method##Request *request, \
                            Pb__##Method##Response_Closure closure, void *call)

JOB_HANDLER(submit_job, SubmitJob);
JOB_HANDLER(upload_job_file, UploadJobFile);
JOB_HANDLER(get_job, GetJob);
JOB_HANDLER(list_jobs, ListJobs);
JOB_HANDLER(wait_job, WaitJob);
JOB_HANDLER(read_job_output, ReadJobOutput);
JOB_HANDLER(write_job_input, WriteJobInput);
JOB_HANDLER(read_job_log, ReadJobLog);
JOB_HANDLER(list_job_artifacts, ListJobArtifacts);
JOB_HANDLER(read_job_artifact, ReadJobArtifact);
JOB_HANDLER(watch_jobs, WatchJobs);
JOB_HANDLER(cancel_job, CancelJob);
JOB_HANDLER(retry_job, RetryJob);
JOB_HANDLER(delete_job, DeleteJob);
JOB_HANDLER(prune_jobs, PruneJobs);
JOB_HANDLER(report_progress, ReportProgress);
JOB_HANDLER(list_queues, ListQueues);
JOB_HANDLER(get_queue, GetQueue);
JOB_HANDLER(update_queue, UpdateQueue);

// Fails the call unless code is SOMA_OK; true: it failed.
bool job_call_failed(struct rpc_call *call, enum soma_code code, const struct soma_error *err);

void job_call_no_memory(struct rpc_call *call);

// Whether the caller reaches the job: JOB_NOT_FOUND in another namespace than its own, JOB_NOT_OWN
// where it is neither the calling job nor one that it submitted.
enum soma_code job_check_reach(const struct rpc_call *call, const struct job *job,
                               struct soma_error *err);

// Reads a job that the caller reaches, in a snapshot of its own; the specification is complete,
// with its body if asked for.
enum soma_code job_service_read(const struct job_service *service, const struct rpc_call *call,
                                const char *id, bool with_body, struct arena *arena,
                                struct job_row *ret_row, struct soma_error *err);

// The plain name of a queue becomes a full one in the caller's namespace.
enum soma_code job_take_queue(struct rpc_call *call, const char **queue, struct soma_error *err);

// The filter of a request, in the caller's namespace; for a job among those that it submitted.
enum soma_code job_filter_for(struct rpc_call *call, const Pb__JobFilter *message,
                              struct arena *arena, struct job_filter *ret_filter,
                              struct soma_error *err);

// Registers a long poll, unless wait_ms is 0 or the caps are reached: then it must answer at once.
bool job_poll_begin(struct job_service *service, struct rpc_call *call, int64_t topic,
                    uint32_t wait_ms, parked_fn *fn, const ProtobufCMessage *request);
// The same for the changes of one job, before the look that decides. False: the call was failed.
bool job_poll_begin_on_job(struct job_service *service, struct rpc_call *call, const char *id,
                           uint32_t wait_ms, parked_fn *fn, const ProtobufCMessage *request,
                           bool *ret_parked);
// Before the answer, whether registered or not.
void job_poll_end(const struct job_service *service, struct rpc_call *call);

// The attempt that is meant (asked 0: the latest), and whether it will write no more.
// ATTEMPT_NOT_FOUND.
enum soma_code job_attempt_choose(const struct job_row *row, uint32_t asked, uint32_t *ret_attempt,
                                  bool *ret_is_over, struct soma_error *err);

// The messages of a list's jobs, as many as fit a reply; count is cut to that. NULL: no memory.
Pb__Job **job_list_messages(const struct job_service *service, struct job_list *list,
                            struct arena *arena, struct soma_error *err);

#endif
