// JobService: requests.
#include <stdio.h>

#include <soma/v1/jobs.pb-c.h>

#include "lib/job_schedule.h"

// Key and value of each pair, none NULL; type is Label or EnvironmentVariable, which look alike.
static void *pack_pairs(struct packing *packing, const ProtobufCMessageDescriptor *type,
                        const char *field, const struct soma_pair *pairs, size_t count)
{
    _Static_assert(sizeof(Pb__Label) == sizeof(Pb__EnvironmentVariable) &&
                       offsetof(Pb__Label, key) == offsetof(Pb__EnvironmentVariable, name) &&
                       offsetof(Pb__Label, value) == offsetof(Pb__EnvironmentVariable, value),
                   "one function packs both");
    if (!pack_has(packing, field, pairs, count))
        return NULL;
    Pb__Label **rows = pack_messages(packing, type, count);
    for (size_t i = 0; rows && i < count; i++) {
        char place[SOMA_FIELD_SIZE];
        snprintf(place, sizeof place, "%s[%zu]", field, i);
        rows[i]->key = pack_text(packing, place, pairs[i].key);
        rows[i]->value = pack_text(packing, place, pairs[i].value);
    }
    return rows;
}

static void pack_code(const struct soma_job_spec *spec, Pb__JobSpec *message,
                      struct packing *packing)
{
    Pb__SourceCode *code = pack_message(packing, &pb__source_code__descriptor);
    if (!code)
        return;
    code->language = pack_text_or_none(spec->language);
    code->source = pack_bytes(packing, "spec.source", spec->source, spec->source_length);
    code->args = pack_texts(packing, "spec.arguments", spec->arguments, spec->argument_count);
    code->n_args = code->args ? spec->argument_count : 0;
    message->program_case = PB__JOB_SPEC__PROGRAM_CODE;
    message->code = code;
}

static void pack_command(const struct soma_job_spec *spec, Pb__JobSpec *message,
                         struct packing *packing)
{
    Pb__Command *command = pack_message(packing, &pb__command__descriptor);
    if (!command)
        return;
    command->argv = pack_texts(packing, "spec.arguments", spec->arguments, spec->argument_count);
    command->n_argv = command->argv ? spec->argument_count : 0;
    message->program_case = PB__JOB_SPEC__PROGRAM_COMMAND;
    message->command = command;
}

static void pack_limits(const struct soma_job_spec *spec, Pb__JobSpec *message,
                        struct packing *packing)
{
    Pb__JobLimits *limits = pack_message(packing, &pb__job_limits__descriptor);
    if (!limits)
        return;
    limits->wall_time_ms = spec->wall_time_ms;
    limits->output_bytes = spec->output_bytes;
    limits->kill_grace_ms = spec->kill_grace_ms;
    limits->cpu_time_ms = spec->cpu_time_ms;
    limits->memory_bytes = spec->memory_bytes;
    limits->processes = spec->processes;
    limits->disk_bytes = spec->disk_bytes;
    limits->file_bytes = spec->file_bytes;
    limits->open_files = spec->open_files;
    limits->tmp_bytes = spec->tmp_bytes;
    limits->end_at_output_limit = spec->end_at_output_limit;
    limits->output_tail_bytes = spec->output_tail_bytes;
    limits->artifact_bytes = spec->artifact_bytes;
    message->limits = limits;
}

static Pb__JobFile **pack_files(const struct soma_job_spec *spec, struct packing *packing)
{
    if (!pack_has(packing, "spec.files", spec->files, spec->file_count))
        return NULL;
    Pb__JobFile **rows = pack_messages(packing, &pb__job_file__descriptor, spec->file_count);
    for (size_t i = 0; rows && i < spec->file_count; i++) {
        const struct soma_job_file *file = &spec->files[i];
        char place[SOMA_FIELD_SIZE];
        snprintf(place, sizeof place, "spec.files[%zu].path", i);
        rows[i]->path = pack_text(packing, place, file->path);
        rows[i]->executable = file->executable;
        rows[i]->content =
            pack_bytes(packing, "spec.files.content", file->content, file->content_length);
        rows[i]->upload_id = pack_text_or_none(file->upload_id);
        rows[i]->size_bytes = file->size_bytes;
    }
    return rows;
}

static void pack_spec(const struct soma_job_spec *spec, Pb__JobSpec *message,
                      struct packing *packing)
{
    if (spec->language)
        pack_code(spec, message, packing);
    else if (spec->source_length)
        pack_required(packing, "spec.language");
    else
        pack_command(spec, message, packing);
    message->stdin = pack_bytes(packing, "spec.stdin", spec->stdin_bytes, spec->stdin_length);
    message->environment =
        pack_pairs(packing, &pb__environment_variable__descriptor, "spec.environment",
                   spec->environment, spec->environment_count);
    message->n_environment = message->environment ? spec->environment_count : 0;
    message->name = pack_text_or_none(spec->name);
    message->queue = pack_text_or_none(spec->queue);
    message->priority = spec->priority;
    message->labels =
        pack_pairs(packing, &pb__label__descriptor, "spec.labels", spec->labels, spec->label_count);
    message->n_labels = message->labels ? spec->label_count : 0;
    pack_limits(spec, message, packing);
    message->idempotent = spec->idempotent;
    message->interactive = spec->interactive;
    message->detached = spec->detached;
    message->keep_ms = spec->keep_ms;
    message->network = spec->network;
    message->sandbox = (Pb__JobSandbox)spec->sandbox;
    message->artifacts =
        pack_texts(packing, "spec.artifacts", spec->artifacts, spec->artifact_count);
    message->n_artifacts = message->artifacts ? spec->artifact_count : 0;
    message->files = pack_files(spec, packing);
    message->n_files = message->files ? spec->file_count : 0;
    pack_schedule(spec, message, packing);
}

void job_submit_pack(const struct soma_job_spec *request, struct packing *packing)
{
    Pb__SubmitJobRequest *message = packing->message;
    message->spec = pack_message(packing, &pb__job_spec__descriptor);
    if (message->spec)
        pack_spec(request, message->spec, packing);
}

void job_get_pack(const struct soma_job_request *request, struct packing *packing)
{
    Pb__GetJobRequest *message = packing->message;
    message->job_id = pack_text(packing, "job_id", request->job_id);
}

void job_retry_pack(const struct soma_job_request *request, struct packing *packing)
{
    Pb__RetryJobRequest *message = packing->message;
    message->job_id = pack_text(packing, "job_id", request->job_id);
}

void job_delete_pack(const struct soma_job_request *request, struct packing *packing)
{
    Pb__DeleteJobRequest *message = packing->message;
    message->job_id = pack_text(packing, "job_id", request->job_id);
}

static Pb__JobFilter *pack_filter(const struct soma_job_filter *filter, struct packing *packing)
{
    Pb__JobFilter *message = pack_message(packing, &pb__job_filter__descriptor);
    if (!message)
        return NULL;
    if (pack_has(packing, "filter.states", filter->states, filter->state_count))
        message->states = pack_array(packing, filter->state_count, sizeof *message->states);
    message->n_states = message->states ? filter->state_count : 0;
    for (size_t i = 0; i < message->n_states; i++)
        message->states[i] = (Pb__JobState)filter->states[i];
    message->queue = pack_text_or_none(filter->queue);
    message->parent_id = pack_text_or_none(filter->parent_id);
    message->labels = pack_pairs(packing, &pb__label__descriptor, "filter.labels", filter->labels,
                                 filter->label_count);
    message->n_labels = message->labels ? filter->label_count : 0;
    return message;
}

void job_list_pack(const struct soma_job_list_request *request, struct packing *packing)
{
    Pb__ListJobsRequest *message = packing->message;
    message->filter = pack_filter(&request->filter, packing);
    message->page_size = request->page_size;
    message->cursor = pack_text_or_none(request->cursor);
}

void job_wait_pack(const struct soma_job_wait_request *request, struct packing *packing)
{
    Pb__WaitJobRequest *message = packing->message;
    message->job_id = pack_text(packing, "job_id", request->job_id);
    message->after_revision = request->after_revision;
    message->wait_ms = request->wait_ms;
    packing->asked.wait_ms = request->wait_ms;
}

void job_read_pack(const struct soma_job_read_request *request, struct packing *packing)
{
    static const Pb__OutputStream streams[] = {PB__OUTPUT_STREAM__OUTPUT_STREAM_STDOUT,
                                               PB__OUTPUT_STREAM__OUTPUT_STREAM_STDERR};
    const int64_t offsets[] = {request->stdout_offset, request->stderr_offset};
    Pb__ReadJobOutputRequest *message = packing->message;
    message->job_id = pack_text(packing, "job_id", request->job_id);
    message->attempt = request->attempt;
    message->positions = pack_messages(packing, &pb__output_position__descriptor, 2);
    for (int i = 0; message->positions && i < 2; i++) {
        if (offsets[i] < 0)
            continue;
        Pb__OutputPosition *position = message->positions[message->n_positions++];
        position->stream = streams[i];
        position->offset = offsets[i];
        packing->asked.streams[i] = true;
    }
    message->max_bytes = request->max_bytes;
    message->wait_ms = request->wait_ms;
    packing->asked.wait_ms = request->wait_ms;
}

void job_watch_pack(const struct soma_job_watch_request *request, struct packing *packing)
{
    Pb__WatchJobsRequest *message = packing->message;
    message->since_revision = request->since_revision;
    message->filter = pack_filter(&request->filter, packing);
    message->page_size = request->page_size;
    message->wait_ms = request->wait_ms;
    packing->asked.wait_ms = request->wait_ms;
}

void job_cancel_pack(const struct soma_job_cancel_request *request, struct packing *packing)
{
    Pb__CancelJobRequest *message = packing->message;
    message->job_id = pack_text(packing, "job_id", request->job_id);
    message->note = pack_text_or_none(request->note);
    message->force = request->force;
}

void job_prune_pack(const struct soma_job_prune_request *request, struct packing *packing)
{
    Pb__PruneJobsRequest *message = packing->message;
    message->filter = pack_filter(&request->filter, packing);
    message->older_than_ms = request->older_than_ms;
    message->dry_run = request->dry_run;
    message->max_jobs = request->max_jobs;
}

void job_report_pack(const struct soma_job_report_request *request, struct packing *packing)
{
    Pb__ReportProgressRequest *message = packing->message;
    message->job_id = pack_text(packing, "job_id", request->job_id);
    message->percent = request->percent;
    message->message = pack_text_or_none(request->message);
}
