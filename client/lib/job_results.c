// JobService: results.
#include <math.h>

#include <soma/v1/jobs.pb-c.h>

#include "lib/job_schedule.h"

static const struct soma_pair *read_labels(struct reading *reading, Pb__Label *const *labels,
                                           size_t count)
{
    struct soma_pair *pairs = read_array(reading, count, sizeof *pairs);
    for (size_t i = 0; pairs && i < count; i++)
        pairs[i] = (struct soma_pair){labels[i]->key, labels[i]->value};
    return pairs;
}

static const struct soma_pair *
read_environment(struct reading *reading, Pb__EnvironmentVariable *const *variables, size_t count)
{
    struct soma_pair *pairs = read_array(reading, count, sizeof *pairs);
    for (size_t i = 0; pairs && i < count; i++)
        pairs[i] = (struct soma_pair){variables[i]->name, variables[i]->value};
    return pairs;
}

static void read_program(const Pb__JobSpec *message, struct soma_job_spec *spec)
{
    if (message->program_case == PB__JOB_SPEC__PROGRAM_CODE) {
        spec->language = message->code->language;
        spec->source = message->code->source.data;
        spec->source_length = message->code->source.len;
        spec->arguments = message->code->args;
        spec->argument_count = message->code->n_args;
    } else if (message->program_case == PB__JOB_SPEC__PROGRAM_COMMAND) {
        spec->arguments = message->command->argv;
        spec->argument_count = message->command->n_argv;
    }
}

static const struct soma_job_file *read_files(struct reading *reading, Pb__JobFile *const *files,
                                              size_t count)
{
    struct soma_job_file *rows = read_array(reading, count, sizeof *rows);
    for (size_t i = 0; rows && i < count; i++) {
        rows[i].path = files[i]->path;
        rows[i].executable = files[i]->executable;
        rows[i].upload_id = read_text_or_null(files[i]->upload_id);
        rows[i].size_bytes = files[i]->size_bytes;
    }
    return rows;
}

static void read_limits(const Pb__JobLimits *limits, struct soma_job_spec *spec)
{
    spec->cpu_time_ms = limits->cpu_time_ms;
    spec->memory_bytes = limits->memory_bytes;
    spec->processes = limits->processes;
    spec->disk_bytes = limits->disk_bytes;
    spec->file_bytes = limits->file_bytes;
    spec->open_files = limits->open_files;
    spec->tmp_bytes = limits->tmp_bytes;
    spec->end_at_output_limit = limits->end_at_output_limit;
}

static void read_spec(struct reading *reading, const Pb__JobSpec *message,
                      struct soma_job_spec *spec)
{
    read_program(message, spec);
    spec->stdin_bytes = message->stdin.data;
    spec->stdin_length = message->stdin.len;
    spec->environment = read_environment(reading, message->environment, message->n_environment);
    spec->environment_count = message->n_environment;
    spec->name = message->name;
    spec->queue = message->queue;
    spec->priority = message->priority;
    spec->labels = read_labels(reading, message->labels, message->n_labels);
    spec->label_count = message->n_labels;
    if (message->limits) {
        spec->wall_time_ms = message->limits->wall_time_ms;
        spec->output_bytes = message->limits->output_bytes;
        spec->kill_grace_ms = message->limits->kill_grace_ms;
        read_limits(message->limits, spec);
        spec->output_tail_bytes = message->limits->output_tail_bytes;
        spec->artifact_bytes = message->limits->artifact_bytes;
    }
    spec->idempotent = message->idempotent;
    spec->interactive = message->interactive;
    spec->detached = message->detached;
    spec->keep_ms = message->keep_ms;
    spec->network = message->network;
    spec->sandbox = (enum soma_sandbox)message->sandbox;
    spec->artifacts = message->artifacts;
    spec->artifact_count = message->n_artifacts;
    spec->files = read_files(reading, message->files, message->n_files);
    spec->file_count = message->n_files;
    read_schedule(reading, message, spec);
}

static struct soma_output_size read_size(const Pb__OutputSize *size)
{
    if (!size)
        return (struct soma_output_size){0};
    return (struct soma_output_size){size->kept_bytes, size->dropped_bytes};
}

static void read_end(const Pb__JobStatus *status, struct soma_job *job)
{
    job->exit_code = read_exit_code(job->reason, status->exit_code);
    job->signal_number = read_signal(job->reason, status->signal);
    job->stdout_size = read_size(status->stdout_size);
    if (status->artifacts) {
        job->artifact_count = status->artifacts->file_count;
        job->artifact_bytes = status->artifacts->total_bytes;
        job->artifacts_left_out = status->artifacts->left_out_count;
    }
    job->stderr_size = read_size(status->stderr_size);
    const Pb__ResourceUse *use = status->resource_use;
    if (!use)
        return;
    job->wall_used_ms = use->wall_time_ms;
    job->user_used_ms = use->user_time_ms;
    job->system_used_ms = use->system_time_ms;
    job->peak_memory_bytes = use->peak_memory_bytes;
    job->disk_bytes = use->disk_bytes;
    job->memory_bytes = use->memory_bytes;
    job->processes = use->processes;
}

// Callers make whole numbers and bars of it, for which it is to be what soma.h says.
static double read_percent(double percent)
{
    if (isnan(percent) || percent < 0)
        return -1;
    return percent > 100 ? 100 : percent;
}

static void read_status(const Pb__JobStatus *status, struct soma_job *job)
{
    job->state = (enum soma_job_state)status->state;
    job->reason = (enum soma_job_reason)status->reason;
    job->message = status->message;
    job->revision = status->revision;
    job->created_ms = status->created_unix_ms;
    job->started_ms = status->started_unix_ms;
    job->finished_ms = status->finished_unix_ms;
    job->cancel_requested_ms = status->cancel_requested_unix_ms;
    job->attempt = status->attempt;
    job->runner_pid = status->runner_pid;
    job->asked_count = status->asked_count;
    job->killed_count = status->killed_count;
    if (status->progress) {
        job->progress.percent = read_percent(status->progress->percent);
        job->progress.message = status->progress->message;
        job->progress.reported_ms = status->progress->reported_unix_ms;
    }
    read_end(status, job);
}

static void read_isolation(struct reading *reading, const Pb__JobStatus *status,
                           struct soma_job *job)
{
    struct soma_enforcement *rows = read_array(reading, status->n_isolation, sizeof *rows);
    for (size_t i = 0; rows && i < status->n_isolation; i++) {
        const Pb__IsolationLayer *layer = status->isolation[i];
        rows[i] = (struct soma_enforcement){layer->name, layer->enforced, layer->detail};
    }
    job->isolation = rows;
    job->isolation_count = rows ? status->n_isolation : 0;
}

static void read_job(struct reading *reading, const Pb__Job *message, struct soma_job *job)
{
    if (!message || !message->status) {
        read_invalid(reading, "lacks the job");
        return;
    }
    job->id = message->id;
    job->parent_id = message->parent_id;
    job->spec = (struct soma_job_spec)SOMA_JOB_SPEC_INIT;
    job->progress = (struct soma_job_progress){-1, "", 0};
    read_status(message->status, job);
    read_waits(reading, message->status, job);
    read_isolation(reading, message->status, job);
    if (message->spec)
        read_spec(reading, message->spec, &job->spec);
}

static struct soma_job *read_jobs(struct reading *reading, Pb__Job *const *messages, size_t count)
{
    struct soma_job *jobs = read_array(reading, count, sizeof *jobs);
    for (size_t i = 0; jobs && i < count; i++)
        read_job(reading, messages[i], &jobs[i]);
    return jobs;
}

void job_submit_read(struct reading *reading, struct soma_job *result)
{
    const Pb__SubmitJobResponse *message = reading->replies->message;
    read_job(reading, message->job, result);
    result->is_existing = message->existing;
    result->differs = message->differs;
}

void job_get_read(struct reading *reading, struct soma_job *result)
{
    const Pb__GetJobResponse *message = reading->replies->message;
    read_job(reading, message->job, result);
}

void job_wait_read(struct reading *reading, struct soma_job *result)
{
    const Pb__WaitJobResponse *message = reading->replies->message;
    read_job(reading, message->job, result);
}

void job_cancel_read(struct reading *reading, struct soma_job *result)
{
    const Pb__CancelJobResponse *message = reading->replies->message;
    read_job(reading, message->job, result);
}

void job_retry_read(struct reading *reading, struct soma_job *result)
{
    const Pb__RetryJobResponse *message = reading->replies->message;
    read_job(reading, message->job, result);
}

void job_delete_read(struct reading *reading, struct soma_job_removed *result)
{
    const Pb__DeleteJobResponse *message = reading->replies->message;
    result->removed_count = 1;
    result->freed_bytes = message->freed_bytes;
}

void job_prune_read(struct reading *reading, struct soma_job_removed *result)
{
    const Pb__PruneJobsResponse *message = reading->replies->message;
    result->removed_count = message->removed_count;
    result->freed_bytes = message->freed_bytes;
    result->more = message->more;
}

void job_list_read(struct reading *reading, struct soma_job_list *result)
{
    const Pb__ListJobsResponse *message = reading->replies->message;
    result->jobs = read_jobs(reading, message->jobs, message->n_jobs);
    result->job_count = message->n_jobs;
    result->next_cursor = read_text_or_null(message->next_cursor);
    result->revision = message->revision;
}

void job_watch_read(struct reading *reading, struct soma_job_changes *result)
{
    const Pb__WatchJobsResponse *message = reading->replies->message;
    result->jobs = read_jobs(reading, message->jobs, message->n_jobs);
    result->job_count = message->n_jobs;
    result->removed_ids = message->removed_ids;
    result->removed_count = message->n_removed_ids;
    result->revision = message->revision;
    result->history_lost = message->history_lost;
}

// The chunk of one stream: there exactly where it was asked for.
static void read_chunk(struct reading *reading, const Pb__ReadJobOutputResponse *message,
                       int stream, struct soma_job_chunk *chunk)
{
    static const Pb__OutputStream streams[] = {PB__OUTPUT_STREAM__OUTPUT_STREAM_STDOUT,
                                               PB__OUTPUT_STREAM__OUTPUT_STREAM_STDERR};
    const Pb__OutputChunk *found = NULL;
    for (size_t i = 0; i < message->n_chunks && !found; i++) {
        if (message->chunks[i]->stream == streams[stream])
            found = message->chunks[i];
    }
    if (!reading->replies->asked.streams[stream])
        return;
    if (!found || found->offset < 0) {
        read_invalid(reading, "lacks a stream that was asked for");
        return;
    }
    chunk->data = found->data.data ? (const void *)found->data.data : "";
    chunk->length = found->data.len;
    chunk->offset = found->offset;
    chunk->end = found->end;
    chunk->size = read_size(found->size);
}

void job_read_read(struct reading *reading, struct soma_job_output *result)
{
    const Pb__ReadJobOutputResponse *message = reading->replies->message;
    read_chunk(reading, message, 0, &result->stdout_chunk);
    read_chunk(reading, message, 1, &result->stderr_chunk);
    result->attempt = message->attempt;
}

void job_report_read(struct reading *reading, struct soma_job_reported *result)
{
    const Pb__ReportProgressResponse *message = reading->replies->message;
    result->cancel_requested = message->cancel_requested;
}
