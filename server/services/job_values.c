#include "services/job_values.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "services/job_file_values.h"
#include "services/validate.h"
#include "wire/limits.h"

enum {
    PRIORITY_MAX = 1000,
    WORD_BYTES = 63, // a queue, a label's key
    LABEL_VALUE_BYTES = 255,
    VARIABLE_NAME_BYTES = 128,
    FILTER_LABELS = 16,
    PATH_SIZE = SOMA_FIELD_SIZE,
};

// --- the program

static enum soma_code check_words(size_t count, char *const *words, const char *field,
                                  struct soma_error *err)
{
    enum soma_code code = check_length(count, LIMIT_JOB_ARGUMENTS, field, err);
    size_t bytes = 0;
    for (size_t i = 0; i < count && code == SOMA_OK; i++) {
        bytes += strlen(words[i]) + 1;
        code = check_length(bytes, LIMIT_JOB_ARGUMENT_BYTES, field, err);
    }
    return code;
}

static enum soma_code take_code(const Pb__SourceCode *code_message,
                                const struct languages *languages, struct job_spec *spec,
                                struct soma_error *err)
{
    enum soma_code code = check_given(code_message->language, "spec.code.language", err);
    if (code != SOMA_OK)
        return code;
    if (!languages_find(languages, code_message->language))
        return error_set(err, REASON_LANGUAGE_UNKNOWN, "spec.code.language",
                         "this server has no interpreter for '%.40s'", code_message->language);
    if (code_message->source.len == 0)
        return error_set(err, REASON_FIELD_REQUIRED, "spec.code.source",
                         "spec.code.source is required");
    code = check_length(code_message->source.len, LIMIT_JOB_SOURCE_BYTES, "spec.code.source", err);
    if (code == SOMA_OK)
        code = check_words(code_message->n_args, (char *const *)code_message->args,
                           "spec.code.args", err);
    spec->language = code_message->language;
    spec->source = code_message->source.data;
    spec->source_length = code_message->source.len;
    spec->argv = (const char *const *)code_message->args;
    spec->argc = code_message->n_args;
    return code;
}

static enum soma_code take_command(const Pb__Command *command, struct job_spec *spec,
                                   struct soma_error *err)
{
    if (command->n_argv == 0)
        return error_set(err, REASON_FIELD_REQUIRED, "spec.command.argv",
                         "spec.command.argv is required");
    enum soma_code code = check_given(command->argv[0], "spec.command.argv[0]", err);
    if (code == SOMA_OK)
        code = check_words(command->n_argv, (char *const *)command->argv, "spec.command.argv", err);
    spec->argv = (const char *const *)command->argv;
    spec->argc = command->n_argv;
    return code;
}

static enum soma_code take_program(const Pb__JobSpec *message, const struct languages *languages,
                                   struct job_spec *spec, struct soma_error *err)
{
    switch (message->program_case) {
    case PB__JOB_SPEC__PROGRAM_CODE:
        return take_code(message->code, languages, spec, err);
    case PB__JOB_SPEC__PROGRAM_COMMAND:
        return take_command(message->command, spec, err);
    case PB__JOB_SPEC__PROGRAM__NOT_SET:
    case _PB__JOB_SPEC__PROGRAM__CASE_IS_INT_SIZE:
        break;
    }
    return error_set(err, REASON_FIELD_REQUIRED, "spec.program",
                     "a job needs either spec.code or spec.command");
}

// --- lists

// The i-th entry's path, "spec.labels[2].key".
static void path_of(char ret_path[PATH_SIZE], const char *list, size_t i, const char *part)
{
    snprintf(ret_path, PATH_SIZE, "%s[%zu].%s", list, i, part);
}

static enum soma_code check_variable(const Pb__EnvironmentVariable *variable, size_t i,
                                     struct soma_error *err)
{
    char path[PATH_SIZE];
    path_of(path, "spec.environment", i, "name");
    enum soma_code code = check_given(variable->name, path, err);
    if (code == SOMA_OK)
        code = check_word(variable->name, VARIABLE_NAME_BYTES, "A-Za-z0-9_", path, err);
    if (code != SOMA_OK)
        return code;
    if (variable->name[0] >= '0' && variable->name[0] <= '9')
        return error_set(err, REASON_FIELD_INVALID, path, "%s begins with a digit", path);
    if (strncmp(variable->name, "SOMA_", 5) == 0)
        return error_set(err, REASON_FIELD_INVALID, path, "names that begin with SOMA_ are SOMA's");
    path_of(path, "spec.environment", i, "value");
    return check_length(strlen(variable->value), LIMIT_JOB_ENVIRONMENT_VALUE_BYTES, path, err);
}

static enum soma_code take_environment(const Pb__JobSpec *message, struct arena *arena,
                                       struct job_spec *spec, struct soma_error *err)
{
    size_t count = message->n_environment;
    enum soma_code code = check_length(count, LIMIT_JOB_ENVIRONMENT, "spec.environment", err);
    if (code != SOMA_OK || count == 0)
        return code;
    struct job_variable *variables = arena_calloc(arena, count, sizeof *variables);
    if (!variables)
        return error_set_no_memory(err);
    for (size_t i = 0; i < count; i++) {
        const Pb__EnvironmentVariable *variable = message->environment[i];
        code = check_variable(variable, i, err);
        if (code != SOMA_OK)
            return code;
        for (size_t j = 0; j < i; j++) {
            if (strcmp(variables[j].name, variable->name) == 0) {
                char path[PATH_SIZE];
                path_of(path, "spec.environment", i, "name");
                return error_set(err, REASON_DUPLICATE_KEY, path, "%s is there twice",
                                 variable->name);
            }
        }
        variables[i] = (struct job_variable){variable->name, variable->value};
    }
    spec->environment = variables;
    spec->environment_count = count;
    return SOMA_OK;
}

static enum soma_code check_label(const Pb__Label *label, const char *list, size_t i,
                                  struct soma_error *err)
{
    char path[PATH_SIZE];
    path_of(path, list, i, "key");
    enum soma_code code = check_given(label->key, path, err);
    if (code == SOMA_OK)
        code = check_word(label->key, WORD_BYTES, "A-Za-z0-9._/-", path, err);
    path_of(path, list, i, "value");
    return code == SOMA_OK ? check_length(strlen(label->value), LABEL_VALUE_BYTES, path, err)
                           : code;
}

static enum soma_code take_labels(Pb__Label *const *messages, size_t count, int64_t max,
                                  const char *list, struct arena *arena,
                                  const struct job_label **ret_labels, struct soma_error *err)
{
    enum soma_code code = check_length(count, max, list, err);
    if (code != SOMA_OK || count == 0)
        return code;
    struct job_label *labels = arena_calloc(arena, count, sizeof *labels);
    if (!labels)
        return error_set_no_memory(err);
    for (size_t i = 0; i < count; i++) {
        code = check_label(messages[i], list, i, err);
        if (code != SOMA_OK)
            return code;
        for (size_t j = 0; j < i; j++) {
            if (strcmp(labels[j].key, messages[i]->key) == 0) {
                char path[PATH_SIZE];
                path_of(path, list, i, "key");
                return error_set(err, REASON_DUPLICATE_KEY, path, "%s is there twice",
                                 messages[i]->key);
            }
        }
        labels[i] = (struct job_label){messages[i]->key, messages[i]->value};
    }
    *ret_labels = labels;
    return SOMA_OK;
}

// --- the specification

static const struct job_limit_row {
    const char *field;
    size_t message_offset, limits_offset; // of an int64_t each
    int64_t max, fallback;
} job_limit_rows[] = {
#define ROW(name, max, fallback)                                                                \
    {                                                                                           \
        "spec.limits." #name, offsetof(Pb__JobLimits, name), offsetof(struct job_limits, name), \
            max, fallback                                                                       \
    }
    ROW(wall_time_ms, LIMIT_JOB_WALL_TIME_MS, LIMIT_JOB_DEFAULT_WALL_TIME_MS),
    ROW(output_bytes, LIMIT_JOB_OUTPUT_BYTES, LIMIT_JOB_DEFAULT_OUTPUT_BYTES),
    ROW(kill_grace_ms, LIMIT_JOB_KILL_GRACE_MS, LIMIT_JOB_DEFAULT_KILL_GRACE_MS),
    ROW(artifact_bytes, LIMIT_JOB_ARTIFACT_BYTES, LIMIT_JOB_DEFAULT_ARTIFACT_BYTES),
    ROW(cpu_time_ms, LIMIT_JOB_CPU_TIME_MS, 0),
    ROW(memory_bytes, LIMIT_JOB_MEMORY_BYTES, 0),
    ROW(processes, LIMIT_JOB_PROCESSES, 0),
    ROW(disk_bytes, LIMIT_JOB_DISK_BYTES, 0),
    ROW(file_bytes, LIMIT_JOB_DISK_BYTES, 0),
    ROW(open_files, LIMIT_JOB_OPEN_FILES, 0),
    ROW(tmp_bytes, LIMIT_JOB_TMP_BYTES, 0),
#undef ROW
};

static enum soma_code take_limits(const Pb__JobLimits *message, struct job_limits *ret_limits,
                                  struct soma_error *err)
{
    static const Pb__JobLimits none = PB__JOB_LIMITS__INIT;
    const Pb__JobLimits *limits = message ? message : &none;
    enum soma_code code = SOMA_OK;
    for (size_t i = 0; i < sizeof job_limit_rows / sizeof job_limit_rows[0] && code == SOMA_OK;
         i++) {
        const struct job_limit_row *row = &job_limit_rows[i];
        int64_t value;
        memcpy(&value, (const char *)limits + row->message_offset, sizeof value);
        bool may_be_none = row->limits_offset == offsetof(struct job_limits, output_bytes) ||
                           row->limits_offset == offsetof(struct job_limits, kill_grace_ms);
        code = (may_be_none ? check_none_or_default : check_or_default)(
            value, row->max, row->fallback, row->field, &value, err);
        memcpy((char *)ret_limits + row->limits_offset, &value, sizeof value);
    }
    int64_t tail_max = ret_limits->output_bytes < LIMIT_JOB_OUTPUT_TAIL_BYTES
                           ? ret_limits->output_bytes
                           : LIMIT_JOB_OUTPUT_TAIL_BYTES;
    if (code == SOMA_OK)
        code = check_range(limits->output_tail_bytes, 0, tail_max, "spec.limits.output_tail_bytes",
                           err);
    ret_limits->output_tail_bytes = limits->output_tail_bytes;
    ret_limits->end_at_output_limit = limits->end_at_output_limit;
    return code;
}

static enum soma_code take_sandbox(const Pb__JobSpec *message, struct job_spec *spec,
                                   struct soma_error *err)
{
    spec->network = message->network;
    spec->sandbox = (int32_t)message->sandbox;
    if (spec->sandbox >= JOB_SANDBOX_DEFAULT && spec->sandbox <= JOB_SANDBOX_BEST_EFFORT)
        return SOMA_OK;
    return error_set(err, REASON_ENUM_UNKNOWN, "spec.sandbox", "spec.sandbox %d has no name",
                     (int)spec->sandbox);
}

static enum soma_code take_simple(const Pb__JobSpec *message, struct job_spec *spec,
                                  struct soma_error *err)
{
    enum soma_code code =
        check_length(message->stdin.len, LIMIT_JOB_STDIN_BYTES, "spec.stdin", err);
    if (code == SOMA_OK)
        code = check_length(strlen(message->name), LIMIT_JOB_NAME_BYTES, "spec.name", err);
    if (code == SOMA_OK)
        code = check_word(message->queue, WORD_BYTES, "A-Za-z0-9._-", "spec.queue", err);
    if (code == SOMA_OK)
        code = check_range(message->priority, -PRIORITY_MAX, PRIORITY_MAX, "spec.priority", err);
    if (code == SOMA_OK)
        code = check_none_or_default(message->keep_ms, LIMIT_JOB_KEEP_MS, LIMIT_JOB_DEFAULT_KEEP_MS,
                                     "spec.keep_ms", &spec->keep_ms, err);
    spec->stdin_bytes = message->stdin.data;
    spec->stdin_length = message->stdin.len;
    spec->name = message->name;
    spec->queue = message->queue[0] ? message->queue : "default";
    spec->priority = message->priority;
    spec->idempotent = message->idempotent;
    spec->interactive = message->interactive;
    spec->detached = message->detached;
    if (code == SOMA_OK && message->interactive && message->stdin.len > 0)
        code = error_set(err, REASON_FIELD_INVALID, "spec.stdin",
                         "an interactive job has no spec.stdin");
    return code;
}

enum soma_code job_spec_from(const Pb__JobSpec *message, const struct languages *languages,
                             struct arena *arena, struct job_spec *ret_spec, struct soma_error *err)
{
    if (!message)
        return error_set(err, REASON_FIELD_REQUIRED, "spec", "spec is required");
    struct job_spec spec = {0};
    enum soma_code code = take_program(message, languages, &spec, err);
    if (code == SOMA_OK)
        code = take_simple(message, &spec, err);
    if (code == SOMA_OK)
        code = take_environment(message, arena, &spec, err);
    if (code == SOMA_OK)
        code = take_labels(message->labels, message->n_labels, LIMIT_JOB_LABELS, "spec.labels",
                           arena, &spec.labels, err);
    spec.label_count = message->n_labels;
    if (code == SOMA_OK)
        code = job_files_from(message, languages, arena, &spec, err);
    if (code == SOMA_OK)
        code = job_artifacts_from(message, &spec, err);
    if (code == SOMA_OK)
        code = take_limits(message->limits, &spec.limits, err);
    if (code == SOMA_OK)
        code = job_schedule_from(message, &spec, err);
    if (code == SOMA_OK)
        code = take_sandbox(message, &spec, err);
    if (code == SOMA_OK)
        *ret_spec = spec;
    return code;
}

// --- what names jobs

enum soma_code job_filter_from(const Pb__JobFilter *message, struct arena *arena,
                               struct job_filter *ret_filter, struct soma_error *err)
{
    struct job_filter filter = {0};
    enum soma_code code = SOMA_OK;
    for (size_t i = 0; message && i < message->n_states; i++) {
        enum job_state state;
        if (!job_state_from_number(message->states[i], &state))
            return error_set(err, REASON_FIELD_INVALID, "filter.states",
                             "filter.states[%zu] is no state", i);
        filter.states |= 1u << state;
    }
    if (message && message->queue[0]) {
        code = check_word(message->queue, WORD_BYTES, "A-Za-z0-9._-", "filter.queue", err);
        filter.queue = message->queue;
    }
    if (message && code == SOMA_OK && message->parent_id[0]) {
        code = check_length(strlen(message->parent_id), ID_LENGTH, "filter.parent_id", err);
        filter.parent = message->parent_id;
    }
    if (message && code == SOMA_OK) {
        code = take_labels(message->labels, message->n_labels, FILTER_LABELS, "filter.labels",
                           arena, &filter.labels, err);
        filter.label_count = message->n_labels;
    }
    if (code == SOMA_OK)
        *ret_filter = filter;
    return code;
}

enum soma_code job_id_from(const char *job_id, struct soma_error *err)
{
    enum soma_code code = check_given(job_id, "job_id", err);
    return code == SOMA_OK ? check_length(strlen(job_id), ID_LENGTH, "job_id", err) : code;
}

enum soma_code job_queue_from(const char *queue, struct soma_error *err)
{
    enum soma_code code = check_given(queue, "queue", err);
    return code == SOMA_OK ? check_word(queue, WORD_BYTES, "A-Za-z0-9._-", "queue", err) : code;
}

enum soma_code job_text_from(const char *text, const char *field, struct soma_error *err)
{
    return check_length(strlen(text), LIMIT_JOB_NAME_BYTES, field, err);
}
