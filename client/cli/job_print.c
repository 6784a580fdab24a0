#include "cli/job_print.h"

#include <string.h>

#include "cli/job_schedule.h"

static void pairs_to_json(struct json_out *out, const char *key, const struct soma_pair *pairs,
                          size_t count)
{
    out_key(out, key);
    out_begin(out, '{');
    for (size_t i = 0; i < count; i++)
        out_text_at(out, pairs[i].key, pairs[i].value);
    out_end(out, '}');
}

static const char *const sandbox_names[] = {[SOMA_SANDBOX_SERVER] = NULL,
                                            [SOMA_SANDBOX_REQUIRED] = "required",
                                            [SOMA_SANDBOX_BEST_EFFORT] = "best-effort"};

static void spec_to_json(struct json_out *out, const struct soma_job_spec *spec)
{
    out_key(out, "arguments");
    out_begin(out, '[');
    for (size_t i = 0; i < spec->argument_count; i++)
        out_text(out, spec->arguments[i]);
    out_end(out, ']');
    pairs_to_json(out, "environment", spec->environment, spec->environment_count);
    out_int_at(out, "source_bytes", (int64_t)spec->source_length);
    out_int_at(out, "stdin_bytes", (int64_t)spec->stdin_length);
    out_key(out, "files");
    out_begin(out, '[');
    for (size_t i = 0; i < spec->file_count; i++) {
        out_begin(out, '{');
        out_text_at(out, "path", spec->files[i].path);
        out_int_at(out, "size_bytes", spec->files[i].size_bytes);
        out_bool_at(out, "executable", spec->files[i].executable);
        out_end(out, '}');
    }
    out_end(out, ']');
    out_key(out, "artifacts");
    out_begin(out, '[');
    for (size_t i = 0; i < spec->artifact_count; i++)
        out_text(out, spec->artifacts[i]);
    out_end(out, ']');
    out_int_at(out, "artifact_bytes", spec->artifact_bytes);
    out_int_at(out, "wall_time_ms", spec->wall_time_ms);
    out_int_at(out, "output_bytes", spec->output_bytes);
    out_int_at(out, "kill_grace_ms", spec->kill_grace_ms);
    out_int_at(out, "cpu_time_ms", spec->cpu_time_ms);
    out_int_at(out, "memory_bytes", spec->memory_bytes);
    out_int_at(out, "processes", spec->processes);
    out_int_at(out, "disk_bytes", spec->disk_bytes);
    out_int_at(out, "file_bytes", spec->file_bytes);
    out_int_at(out, "open_files", spec->open_files);
    out_int_at(out, "tmp_bytes", spec->tmp_bytes);
    out_bool_at(out, "end_at_output_limit", spec->end_at_output_limit);
    out_bool_at(out, "network", spec->network);
    out_text_at(out, "sandbox", sandbox_names[spec->sandbox]);
    out_int_at(out, "keep_ms", spec->keep_ms);
    out_bool_at(out, "idempotent", spec->idempotent);
    job_schedule_to_json(out, spec);
    out_bool_at(out, "interactive", spec->interactive);
    out_bool_at(out, "detached", spec->detached);
}

static void time_at(struct json_out *out, const char *key, int64_t unix_ms)
{
    out_key(out, key);
    if (unix_ms)
        out_int(out, unix_ms);
    else
        out_null(out);
}

static void progress_to_json(struct json_out *out, const struct soma_job_progress *progress)
{
    out_key(out, "progress");
    if (progress->percent < 0) {
        out_null(out);
        return;
    }
    out_begin(out, '{');
    out_key(out, "percent");
    out_double(out, progress->percent);
    out_text_at(out, "message", progress->message);
    time_at(out, "reported_unix_ms", progress->reported_ms);
    out_end(out, '}');
}

static void size_to_json(struct json_out *out, const char *key, const struct soma_output_size *size)
{
    out_key(out, key);
    out_begin(out, '{');
    out_int_at(out, "kept_bytes", size->kept_bytes);
    out_int_at(out, "dropped_bytes", size->dropped_bytes);
    out_end(out, '}');
}

static bool has_exit_code(const struct soma_job *job)
{
    return job->exit_code >= 0 &&
           (job->reason == SOMA_JOB_REASON_EXITED || job->reason == SOMA_JOB_REASON_START_FAILED);
}

static void end_to_json(struct json_out *out, const struct soma_job *job)
{
    bool has_reason = job->reason != SOMA_JOB_REASON_NONE;
    bool is_final = soma_job_state_is_final(job->state);
    out_text_at(out, "reason", has_reason ? soma_job_reason_name(job->reason) : NULL);
    out_key(out, "exit_code");
    if (has_exit_code(job))
        out_int(out, job->exit_code);
    else
        out_null(out);
    out_key(out, "signal");
    if (job->signal_number)
        out_int(out, job->signal_number);
    else
        out_null(out);
    out_key(out, "exit_status");
    if (is_final)
        out_int(out, soma_job_exit_status(job));
    else
        out_null(out);
}

static void use_to_json(struct json_out *out, const struct soma_job *job)
{
    out_key(out, "resource_use");
    out_begin(out, '{');
    out_int_at(out, "wall_time_ms", job->wall_used_ms);
    out_int_at(out, "user_time_ms", job->user_used_ms);
    out_int_at(out, "system_time_ms", job->system_used_ms);
    out_int_at(out, "peak_memory_bytes", job->peak_memory_bytes);
    out_int_at(out, "disk_bytes", job->disk_bytes);
    out_int_at(out, "memory_bytes", job->memory_bytes);
    out_int_at(out, "processes", job->processes);
    out_end(out, '}');
}

static void isolation_to_json(struct json_out *out, const struct soma_job *job)
{
    out_int_at(out, "asked_count", job->asked_count);
    out_int_at(out, "killed_count", job->killed_count);
    out_key(out, "isolation");
    out_begin(out, '[');
    for (size_t i = 0; i < job->isolation_count; i++) {
        out_begin(out, '{');
        out_text_at(out, "name", job->isolation[i].name);
        out_bool_at(out, "enforced", job->isolation[i].enforced);
        out_text_at(out, "detail", job->isolation[i].detail);
        out_end(out, '}');
    }
    out_end(out, ']');
}

void job_to_json(struct json_out *out, const struct soma_job *job, bool with_spec)
{
    const struct soma_job_spec *spec = &job->spec;
    out_begin(out, '{');
    out_text_at(out, "id", job->id);
    out_text_at(out, "parent_id", job->parent_id[0] ? job->parent_id : NULL);
    out_text_at(out, "state", soma_job_state_name(job->state));
    end_to_json(out, job);
    out_text_at(out, "message", job->message ? job->message : "");
    out_text_at(out, "name", spec->name);
    out_text_at(out, "queue", spec->queue);
    out_text_at(out, "language", spec->language);
    out_int_at(out, "priority", spec->priority);
    pairs_to_json(out, "labels", spec->labels, spec->label_count);
    progress_to_json(out, &job->progress);
    out_int_at(out, "attempt", job->attempt);
    job_waits_to_json(out, job, with_spec);
    out_int_at(out, "revision", job->revision);
    time_at(out, "created_unix_ms", job->created_ms);
    time_at(out, "not_before_unix_ms", spec->not_before_ms);
    time_at(out, "started_unix_ms", job->started_ms);
    time_at(out, "finished_unix_ms", job->finished_ms);
    time_at(out, "cancel_requested_unix_ms", job->cancel_requested_ms);
    size_to_json(out, "stdout", &job->stdout_size);
    size_to_json(out, "stderr", &job->stderr_size);
    out_int_at(out, "artifact_count", job->artifact_count);
    out_int_at(out, "artifact_bytes_kept", job->artifact_bytes);
    out_int_at(out, "artifacts_left_out", job->artifacts_left_out);
    use_to_json(out, job);
    out_int_at(out, "runner_pid", job->runner_pid);
    if (with_spec) {
        isolation_to_json(out, job);
        spec_to_json(out, spec);
    }
    out_end(out, '}');
}

void job_outcome_add(char *text, size_t size, const char *message)
{
    const char *same = "the program ";
    size_t length = strlen(text);
    const char *joint = ": ";
    if (strncmp(message, text, length) == 0) {
        message += length;
        joint = "";
    } else if (strncmp(message, same, strlen(same)) == 0) {
        message += strcspn(message, ",;");
        joint = "";
    }
    snprintf(text + length, size - length, "%s%s", *message ? joint : "", message);
}

void job_outcome(const struct soma_job *job, char *ret_text, size_t size)
{
    const char *state = soma_job_state_name(job->state);
    if (job->reason == SOMA_JOB_REASON_EXITED && job->state == SOMA_JOB_FAILED)
        snprintf(ret_text, size, "%s, exit code %d", state, job->exit_code);
    else if (job->reason == SOMA_JOB_REASON_SIGNALED)
        snprintf(ret_text, size, "%s, signal %d (%s)", state, job->signal_number,
                 strsignal(job->signal_number));
    else
        snprintf(ret_text, size, "%s", state);
    job_outcome_add(ret_text, size, job->message ? job->message : "");
}

enum paint job_state_paint(enum soma_job_state state)
{
    switch (state) {
    case SOMA_JOB_QUEUED:
        return PAINT_DIM;
    case SOMA_JOB_RUNNING:
        return PAINT_BUSY;
    case SOMA_JOB_SUCCEEDED:
        return PAINT_GOOD;
    case SOMA_JOB_FAILED:
    case SOMA_JOB_CANCELLED:
    case SOMA_JOB_TIMED_OUT:
    case SOMA_JOB_LOST:
        return PAINT_BAD;
    }
    return PAINT_NONE;
}
