#include "services/job_messages.h"

#include <string.h>

// A message in the arena, as its generated initialiser leaves it.
#define NEW_MESSAGE(arena, Type, type_init, ret) \
    Type *ret = arena_alloc(arena, sizeof *ret); \
    if (!(ret))                                  \
        return NULL;                             \
    type_init(ret)

static const char *text_of(const char *text)
{
    return text ? text : "";
}

static Pb__OutputSize *size_message(const struct job_output_size *size, struct arena *arena)
{
    NEW_MESSAGE(arena, Pb__OutputSize, pb__output_size__init, message);
    message->kept_bytes = size->kept_bytes;
    message->dropped_bytes = size->dropped_bytes;
    return message;
}

static Pb__JobProgress *progress_message(const struct job_progress *progress, struct arena *arena)
{
    NEW_MESSAGE(arena, Pb__JobProgress, pb__job_progress__init, message);
    message->percent = progress->percent;
    message->message = text_of(progress->message);
    message->reported_unix_ms = progress->reported.ms;
    return message;
}

static Pb__ArtifactSize *artifacts_message(const struct job_artifacts *artifacts,
                                           struct arena *arena)
{
    NEW_MESSAGE(arena, Pb__ArtifactSize, pb__artifact_size__init, message);
    message->file_count = (uint32_t)artifacts->file_count;
    message->total_bytes = artifacts->total_bytes;
    message->left_out_count = artifacts->left_out_count;
    return message;
}

static Pb__ResourceUse *resource_message(const struct job_resources *resources, struct arena *arena)
{
    NEW_MESSAGE(arena, Pb__ResourceUse, pb__resource_use__init, message);
    message->wall_time_ms = resources->wall_time_ms;
    message->user_time_ms = resources->user_time_ms;
    message->system_time_ms = resources->system_time_ms;
    message->peak_memory_bytes = resources->peak_memory_bytes;
    message->disk_bytes = resources->disk_bytes;
    message->memory_bytes = resources->memory_bytes;
    message->processes = resources->processes;
    return message;
}

static int64_t written_bytes(const Pb__JobStatus *message)
{
    return message->stdout_size->kept_bytes + message->stdout_size->dropped_bytes +
           message->stderr_size->kept_bytes + message->stderr_size->dropped_bytes;
}

static bool put_use(Pb__JobStatus *message, const struct job_status *status,
                    const struct job_live *live, struct arena *arena)
{
    bool is_live = live && live->has_use;
    if (!is_live && !status->has_resources)
        return true;
    message->resource_use = resource_message(is_live ? &live->use : &status->resources, arena);
    if (!message->resource_use)
        return false;
    message->resource_use->output_bytes = written_bytes(message);
    if (is_live)
        message->resource_use->wall_time_ms = clock_wall_now().ms - status->started.ms;
    return true;
}

static size_t count_lines(const char *text)
{
    size_t count = 0;
    for (; (text = strchr(text, '\n')); text++)
        count++;
    return count;
}

// Lines "+name detail" of a text that isolation_take has checked.
static bool put_isolation(Pb__JobStatus *message, const char *text, struct arena *arena)
{
    size_t count = text ? count_lines(text) : 0;
    char *copy = count ? arena_copy(arena, text, strlen(text)) : NULL;
    Pb__IsolationLayer *layers = arena_calloc(arena, count, sizeof *layers);
    message->isolation = arena_calloc(arena, count, sizeof *message->isolation);
    if (count && (!copy || !layers || !message->isolation))
        return false;
    for (size_t i = 0; i < count; i++) {
        char *name = strsep(&copy, "\n"), *detail = strchr(name, ' ');
        pb__isolation_layer__init(&layers[i]);
        layers[i].enforced = name[0] == '+';
        *detail = '\0';
        layers[i].name = name + 1;
        layers[i].detail = detail + 1;
        message->isolation[i] = &layers[i];
    }
    message->n_isolation = count;
    return true;
}

static void put_plain(Pb__JobStatus *message, const struct job_status *status)
{
    message->state = (Pb__JobState)status->state;
    message->reason = (Pb__JobReason)status->reason;
    message->exit_code = status->exit_code;
    message->signal = status->signal;
    message->message = text_of(status->message);
    message->revision = status->revision;
    message->created_unix_ms = status->created.ms;
    message->started_unix_ms = status->started.ms;
    message->finished_unix_ms = status->finished.ms;
    message->attempt = status->attempt;
    message->cancel_requested_unix_ms = status->cancel_requested.ms;
    message->runner_pid = status->runner_pid;
    message->wait = (Pb__JobWait)status->wait;
    message->next_attempt_unix_ms = status->state == JOB_QUEUED ? status->due.ms : 0;
    message->asked_count = status->asked_count;
    message->killed_count = status->killed_count;
}

static Pb__JobStatus *status_message(const struct job_status *status, const struct job_live *live,
                                     struct arena *arena)
{
    NEW_MESSAGE(arena, Pb__JobStatus, pb__job_status__init, message);
    put_plain(message, status);
    if (live)
        message->runner_pid = live->runner_pid;
    message->stdout_size = size_message(live ? &live->stdout_size : &status->stdout_size, arena);
    message->stderr_size = size_message(live ? &live->stderr_size : &status->stderr_size, arena);
    if (!message->stdout_size || !message->stderr_size)
        return NULL;
    if (status->has_progress) {
        message->progress = progress_message(&status->progress, arena);
        if (!message->progress)
            return NULL;
    }
    if (status->artifacts.file_count > 0 || status->artifacts.left_out_count > 0) {
        message->artifacts = artifacts_message(&status->artifacts, arena);
        if (!message->artifacts)
            return NULL;
    }
    return put_use(message, status, live, arena) ? message : NULL;
}

// --- the specification

static bool put_program(Pb__JobSpec *message, const struct job_spec *spec, struct arena *arena)
{
    if (!spec->language) {
        Pb__Command *command = arena_alloc(arena, sizeof *command);
        if (!command)
            return false;
        pb__command__init(command);
        command->argv = (const char **)(uintptr_t)spec->argv;
        command->n_argv = spec->argc;
        message->program_case = PB__JOB_SPEC__PROGRAM_COMMAND;
        message->command = command;
        return true;
    }
    Pb__SourceCode *code = arena_alloc(arena, sizeof *code);
    if (!code)
        return false;
    pb__source_code__init(code);
    code->language = spec->language;
    code->source.data = (uint8_t *)(uintptr_t)spec->source;
    code->source.len = spec->source_length;
    code->args = (const char **)(uintptr_t)spec->argv;
    code->n_args = spec->argc;
    message->program_case = PB__JOB_SPEC__PROGRAM_CODE;
    message->code = code;
    return true;
}

static bool put_labels(Pb__JobSpec *message, const struct job_spec *spec, struct arena *arena)
{
    size_t count = spec->label_count;
    Pb__Label *labels = arena_calloc(arena, count, sizeof *labels);
    message->labels = arena_calloc(arena, count, sizeof *message->labels);
    if (!labels || !message->labels)
        return false;
    for (size_t i = 0; i < count; i++) {
        pb__label__init(&labels[i]);
        labels[i].key = spec->labels[i].key;
        labels[i].value = spec->labels[i].value;
        message->labels[i] = &labels[i];
    }
    message->n_labels = count;
    return true;
}

static bool put_environment(Pb__JobSpec *message, const struct job_spec *spec, struct arena *arena)
{
    size_t count = spec->environment_count;
    Pb__EnvironmentVariable *variables = arena_calloc(arena, count, sizeof *variables);
    message->environment = arena_calloc(arena, count, sizeof *message->environment);
    if (!variables || !message->environment)
        return false;
    for (size_t i = 0; i < count; i++) {
        pb__environment_variable__init(&variables[i]);
        variables[i].name = spec->environment[i].name;
        variables[i].value = spec->environment[i].value;
        message->environment[i] = &variables[i];
    }
    message->n_environment = count;
    return true;
}

// Without their content.
static bool put_files(Pb__JobSpec *message, const struct job_spec *spec, struct arena *arena)
{
    size_t count = spec->file_count;
    Pb__JobFile *files = arena_calloc(arena, count, sizeof *files);
    message->files = arena_calloc(arena, count, sizeof *message->files);
    if (!files || !message->files)
        return false;
    for (size_t i = 0; i < count; i++) {
        pb__job_file__init(&files[i]);
        files[i].path = spec->files[i].path;
        files[i].executable = spec->files[i].executable;
        files[i].upload_id = text_of(spec->files[i].upload_id);
        files[i].size_bytes = spec->files[i].size_bytes;
        message->files[i] = &files[i];
    }
    message->n_files = count;
    return true;
}

// On the wire 0 is the default, and nothing is -1.
static int64_t or_none(int64_t value)
{
    return value > 0 ? value : -1;
}

static Pb__JobLimits *limits_message(const struct job_limits *limits, struct arena *arena)
{
    NEW_MESSAGE(arena, Pb__JobLimits, pb__job_limits__init, message);
    message->wall_time_ms = limits->wall_time_ms;
    message->output_bytes = or_none(limits->output_bytes);
    message->output_tail_bytes = limits->output_tail_bytes;
    message->kill_grace_ms = or_none(limits->kill_grace_ms);
    message->cpu_time_ms = limits->cpu_time_ms;
    message->memory_bytes = limits->memory_bytes;
    message->processes = limits->processes;
    message->disk_bytes = limits->disk_bytes;
    message->file_bytes = limits->file_bytes;
    message->open_files = limits->open_files;
    message->tmp_bytes = limits->tmp_bytes;
    message->end_at_output_limit = limits->end_at_output_limit;
    message->artifact_bytes = limits->artifact_bytes;
    return message;
}

static Pb__JobSpec *spec_message(const struct job_spec *spec, bool whole, struct arena *arena)
{
    NEW_MESSAGE(arena, Pb__JobSpec, pb__job_spec__init, message);
    message->name = text_of(spec->name);
    message->queue = text_of(namespace_plain(spec->queue));
    message->priority = spec->priority;
    message->not_before_unix_ms = spec->not_before.ms;
    message->idempotent = spec->idempotent;
    message->interactive = spec->interactive;
    message->detached = spec->detached;
    message->keep_ms = or_none(spec->keep_ms);
    message->network = spec->network;
    message->sandbox = (Pb__JobSandbox)spec->sandbox;
    message->artifacts = (const char **)(uintptr_t)spec->artifacts;
    message->n_artifacts = spec->artifact_count;
    message->limits = limits_message(&spec->limits, arena);
    if (!message->limits || !put_program(message, spec, arena) ||
        !put_labels(message, spec, arena) || !job_message_put_schedule(message, spec, arena))
        return NULL;
    if (!whole)
        return message;
    message->stdin.data = (uint8_t *)(uintptr_t)spec->stdin_bytes;
    message->stdin.len = spec->stdin_length;
    return put_environment(message, spec, arena) && put_files(message, spec, arena) ? message
                                                                                    : NULL;
}

Pb__Job *job_message(const struct job *job, enum job_parts parts, struct engine *engine,
                     struct arena *arena)
{
    NEW_MESSAGE(arena, Pb__Job, pb__job__init, message);
    struct job_live live;
    bool is_live = engine && job->status.state == JOB_RUNNING &&
                   engine_peek_live(engine, job->num, job->status.attempt, &live);
    message->id = job->id;
    message->parent_id = job->parent;
    message->status = status_message(&job->status, is_live ? &live : NULL, arena);
    if (!message->status)
        return NULL;
    if (parts == JOB_WHOLE &&
        !put_isolation(message->status, is_live ? live.isolation : job->status.isolation, arena))
        return NULL;
    if (parts != JOB_STATUS_ONLY) {
        message->spec = spec_message(&job->spec, parts == JOB_WHOLE, arena);
        if (!message->spec)
            return NULL;
    }
    return message;
}
