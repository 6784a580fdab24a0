#include "jobs/order.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool is_given(const struct job_spec *spec, const char *name)
{
    for (size_t i = 0; i < spec->environment_count; i++) {
        if (strcmp(spec->environment[i].name, name) == 0)
            return true;
    }
    return false;
}

static void put_variable(struct fields_writer *writer, const char *name, const char *value)
{
    char *pair;
    int length = asprintf(&pair, "%s=%s", name, value);
    if (length < 0) {
        writer->failed = true;
        return;
    }
    fields_put(writer, "env", pair, (size_t)length);
    free(pair);
}

// Landlock and seccomp alone leave a job no socket at all: they cannot tell ours from the
// machine's.
static bool has_door(const struct order_settings *settings, const struct job_spec *spec)
{
    return settings->door && (!settings->sandbox ||
                              sandbox_reach_of(settings->sandbox, spec) != SANDBOX_REACH_CONFINED);
}

static void put_environment(struct fields_writer *writer, const struct order_settings *settings,
                            const struct job *job, uint32_t attempt, const char *home)
{
    char number[16], token[TOKEN_SIZE], server[PATH_MAX];
    snprintf(number, sizeof number, "%u", attempt);
    if (has_door(settings, &job->spec)) {
        snprintf(server, sizeof server, "ipc://%s/" DOOR_SOCKET, settings->door);
        token_make(settings->token_key, job->id, attempt, token);
        put_variable(writer, "SOMA_SERVER", server);
        put_variable(writer, "SOMA_TOKEN", token);
    }
    const struct job_variable clean[] = {
        {"PATH", settings->path}, {"HOME", home},           {"LANG", "C.UTF-8"},
        {"SOMA_JOB_ID", job->id}, {"SOMA_ATTEMPT", number},
    };
    for (size_t i = 0; i < sizeof clean / sizeof clean[0]; i++) {
        if (!is_given(&job->spec, clean[i].name))
            put_variable(writer, clean[i].name, clean[i].value);
    }
    for (size_t i = 0; i < job->spec.environment_count; i++)
        put_variable(writer, job->spec.environment[i].name, job->spec.environment[i].value);
}

static enum soma_code put_program(struct fields_writer *writer, const struct languages *languages,
                                  const struct job_spec *spec, struct soma_error *err)
{
    if (spec->language) {
        const struct language *language = languages_find(languages, spec->language);
        if (!language)
            return error_set(err, REASON_LANGUAGE_UNKNOWN, "spec.code.language",
                             "this server has no interpreter for '%s'", spec->language);
        for (size_t i = 0; i < language->word_count; i++)
            fields_put_text(writer, "argv", language->words[i]);
        fields_put_text(writer, "argv", language->file_name);
        fields_put_text(writer, "file_name", language->file_name);
        fields_put(writer, "file_bytes", spec->source, spec->source_length);
    }
    for (size_t i = 0; i < spec->argc; i++)
        fields_put_text(writer, "argv", spec->argv[i]);
    return SOMA_OK;
}

static void put_files(struct fields_writer *writer, const struct job_spec *spec)
{
    for (size_t i = 0; i < spec->file_count; i++) {
        const struct job_file *file = &spec->files[i];
        fields_put_text(writer, "in_path", file->path);
        if (file->executable)
            fields_put_int(writer, "in_executable", 1);
        if (file->upload_id)
            fields_put_text(writer, "in_upload", file->upload_id);
        else
            fields_put(writer, "in_bytes", file->content ? (const void *)file->content : "",
                       (size_t)file->size_bytes);
    }
}

enum soma_code order_write(struct fields_writer *writer, const struct order_settings *settings,
                           const struct job *job, uint32_t attempt, const char *home,
                           struct soma_error *err)
{
    fields_put_int(writer, "version", ORDER_VERSION);
    fields_put_text(writer, "job_id", job->id);
    fields_put_int(writer, "attempt", attempt);
    enum soma_code code = put_program(writer, settings->languages, &job->spec, err);
    if (code != SOMA_OK)
        return code;
    put_environment(writer, settings, job, attempt, home);
    put_files(writer, &job->spec);
    for (size_t i = 0; i < job->spec.artifact_count; i++)
        fields_put_text(writer, "artifact", job->spec.artifacts[i]);
    fields_put_int(writer, "interactive", job->spec.interactive);
    fields_put_int(writer, "output_tail_bytes", job->spec.limits.output_tail_bytes);
    fields_put_int(writer, "artifact_bytes", job->spec.limits.artifact_bytes);
    if (job->spec.stdin_length > 0)
        fields_put(writer, "stdin", job->spec.stdin_bytes, job->spec.stdin_length);
    fields_put_int(writer, "wall_time_ms", job->spec.limits.wall_time_ms);
    fields_put_int(writer, "output_bytes", job->spec.limits.output_bytes);
    fields_put_int(writer, "kill_grace_ms", job->spec.limits.kill_grace_ms);
    if (settings->sandbox)
        sandbox_write(writer, settings->sandbox, &job->spec);
    if (has_door(settings, &job->spec))
        fields_put_text(writer, "read_path", settings->door);
    if (settings->changes_user) {
        fields_put_int(writer, "uid", settings->uid);
        fields_put_int(writer, "gid", settings->gid);
    }
    return fields_finish(writer, err);
}
