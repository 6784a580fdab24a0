#include "cli/job_spec.h"

#include <stddef.h>
#include <string.h>

#include "cli/error.h"
#include "cli/terminal.h"
#include "cli/units.h"
#include "cli/values.h"

struct ending {
    const char *ending;
    const char *language;
};

static const struct ending endings[] = {
    {".py", "python"}, {".sh", "sh"},    {".bash", "bash"}, {".js", "node"},
    {".mjs", "node"},  {".cjs", "node"}, {".pl", "perl"},
};

enum {
    // The server's own limit of a program is 1 MiB; a little more is read here, so that the server
    // can say what its limit is.
    SOURCE_BYTES_MAX = 4 * 1024 * 1024,
    STDIN_BYTES_MAX = 1024 * 1024, // the server's; who has more streams it
};

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash && slash[1] ? slash + 1 : path;
}

static const char *language_of_file(const char *path)
{
    const char *point = strrchr(base_name(path), '.');
    for (size_t i = 0; point && i < sizeof endings / sizeof endings[0]; i++) {
        if (strcmp(endings[i].ending, point) == 0)
            return endings[i].language;
    }
    return NULL;
}

static int read_source(const struct cli *cli, const char *path, struct pool *pool,
                       struct soma_job_spec *spec)
{
    const char *source;
    if (!spec->language)
        spec->language = strcmp(path, "-") == 0 ? "python" : language_of_file(path);
    if (!spec->language)
        return report_usage(cli, "name it with --language; to run a command, put -- before it",
                            "cannot tell the language of %s", path);
    int status = read_file(cli, path, SOURCE_BYTES_MAX, NULL, pool, &source, &spec->source_length);
    spec->source = source;
    if (status == STATUS_OK && spec->source_length == 0)
        return report_usage(cli, NULL, "cannot run %s: it is empty",
                            strcmp(path, "-") == 0 ? "stdin" : path);
    spec->name = strcmp(path, "-") == 0 ? "stdin" : base_name(path);
    return status;
}

// The program: -c CODE [ARG…], FILE [ARG…], or -- COMMAND [ARG…].
static int read_program(const struct cli *cli, const struct options *options, struct pool *pool,
                        struct soma_job_spec *spec)
{
    const char *code = options_value(options, "code");
    spec->language = options_value(options, "language");
    spec->arguments = options->operands;
    spec->argument_count = options->operand_count;
    if (code) {
        spec->source = code;
        spec->source_length = strlen(code);
        if (!spec->language)
            spec->language = "python";
        spec->name = spec->language;
        return STATUS_OK;
    }
    if (options->operand_count == 0)
        return report_usage(cli, "give a FILE, or -c CODE, or -- COMMAND [ARG…]",
                            "there is no program to run");
    if (options->before_dashes == 0) {
        if (spec->language)
            return report_usage(cli, "give a FILE before --, or leave --language out",
                                "a command has no --language");
        spec->name = base_name(options->operands[0]);
        return STATUS_OK;
    }
    spec->arguments++;
    spec->argument_count--;
    return read_source(cli, options->operands[0], pool, spec);
}

typedef int read_value(const struct cli *cli, const struct options *options, const char *name,
                       int64_t *ret_value);

static int read_count(const struct cli *cli, const struct options *options, const char *name,
                      int64_t *ret_value)
{
    return value_integer(cli, options, name, 1, INT64_MAX, ret_value);
}

// Numbers of the specification, each an int64_t.
static const struct {
    const char *option;
    read_value *read;
    size_t offset;
} number_rows[] = {
    {"time-limit", value_duration, offsetof(struct soma_job_spec, wall_time_ms)},
    {"output-limit", value_size, offsetof(struct soma_job_spec, output_bytes)},
    {"cpu-time", value_duration, offsetof(struct soma_job_spec, cpu_time_ms)},
    {"memory", value_size, offsetof(struct soma_job_spec, memory_bytes)},
    {"processes", read_count, offsetof(struct soma_job_spec, processes)},
    {"disk", value_size, offsetof(struct soma_job_spec, disk_bytes)},
    {"file-size", value_size, offsetof(struct soma_job_spec, file_bytes)},
    {"open-files", read_count, offsetof(struct soma_job_spec, open_files)},
    {"tmp-size", value_size, offsetof(struct soma_job_spec, tmp_bytes)},
    {"grace", value_duration, offsetof(struct soma_job_spec, kill_grace_ms)},
    {"keep", value_duration, offsetof(struct soma_job_spec, keep_ms)},
};

static int read_sandbox(const struct cli *cli, const struct options *options,
                        struct soma_job_spec *spec)
{
    const char *text = options_value(options, "sandbox");
    spec->network = options_has(options, "network");
    spec->end_at_output_limit = options_has(options, "end-at-output-limit");
    if (!text)
        return STATUS_OK;
    if (strcmp(text, "required") == 0)
        spec->sandbox = SOMA_SANDBOX_REQUIRED;
    else if (strcmp(text, "best-effort") == 0)
        spec->sandbox = SOMA_SANDBOX_BEST_EFFORT;
    else
        return report_usage(cli, NULL, "option --sandbox: '%s' is none of required, best-effort",
                            text);
    return STATUS_OK;
}

// What was given as 0 means none; in the specification 0 is the default, and none is -1.
static void say_none(const struct options *options, const char *name, int64_t *value)
{
    if (options_has(options, name) && *value == 0)
        *value = -1;
}

static int read_limits(const struct cli *cli, const struct options *options,
                       struct soma_job_spec *spec)
{
    int64_t priority = 0;
    int status = value_integer(cli, options, "priority", -1000, 1000, &priority);
    for (size_t i = 0; status == STATUS_OK && i < sizeof number_rows / sizeof number_rows[0]; i++)
        status = number_rows[i].read(cli, options, number_rows[i].option,
                                     (int64_t *)(void *)((char *)spec + number_rows[i].offset));
    if (status == STATUS_OK)
        status = read_sandbox(cli, options, spec);
    if (status == STATUS_OK)
        status = value_size(cli, options, "output-tail", &spec->output_tail_bytes);
    if (status == STATUS_OK && options_has(options, "time-limit") && spec->wall_time_ms == 0)
        return report_usage(cli, "the longest is 7d", "option --time-limit: it cannot be 0");
    say_none(options, "output-limit", &spec->output_bytes);
    say_none(options, "grace", &spec->kill_grace_ms);
    say_none(options, "keep", &spec->keep_ms);
    spec->priority = (int32_t)priority;
    return status;
}

// Mostly a variable of a script that has no value; it is not to mean the default.
static int refuse_empty(const struct cli *cli, const struct options *options)
{
    static const char *const names[] = {"after",    "after-policy", "dedupe",   "queue",
                                        "language", "code",         "artifact", "retry-on"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        size_t place = 0;
        const char *value;
        while ((value = options_next(options, names[i], &place))) {
            if (!*value)
                return report_usage(cli, NULL, "option --%s: it is empty", names[i]);
        }
    }
    return STATUS_OK;
}

int job_spec_read(const struct cli *cli, const struct options *options, struct pool *pool,
                  struct soma_job_spec *ret_spec)
{
    struct soma_job_spec spec = SOMA_JOB_SPEC_INIT;
    const char *input = options_value(options, "stdin"), *bytes;
    int status = refuse_empty(cli, options);
    if (status == STATUS_OK)
        status = read_program(cli, options, pool, &spec);
    if (status == STATUS_OK)
        status = read_limits(cli, options, &spec);
    if (status == STATUS_OK)
        status = job_schedule_read(cli, options, pool, &spec);
    if (status == STATUS_OK)
        status = value_pairs(cli, options, "label", pool, &spec.labels, &spec.label_count);
    if (status == STATUS_OK)
        status = value_pairs(cli, options, "env", pool, &spec.environment, &spec.environment_count);
    if (status == STATUS_OK)
        status = value_size(cli, options, "artifact-limit", &spec.artifact_bytes);
    if (status == STATUS_OK)
        status = value_texts(cli, options, "artifact", pool, &spec.artifacts, &spec.artifact_count);
    if (status == STATUS_OK && input) {
        if (strcmp(input, "-") == 0 && options->before_dashes &&
            strcmp(options->operands[0], "-") == 0)
            return report_usage(cli, NULL, "stdin cannot be both the program and its input");
        status = read_file(cli, input, STDIN_BYTES_MAX, "more is streamed: soma run -i … <FILE",
                           pool, &bytes, &spec.stdin_length);
        spec.stdin_bytes = bytes;
    }
    if (options_has(options, "name"))
        spec.name = options_value(options, "name");
    spec.queue = options_value(options, "queue");
    spec.detached = options_has(options, "detached");
    spec.interactive = options_has(options, "interactive");
    if (status == STATUS_OK && spec.interactive && input)
        return report_usage(cli, NULL, "--interactive and --stdin exclude each other");
    spec.idempotent = options_has(options, "idempotent");
    if (status == STATUS_OK)
        *ret_spec = spec;
    return status;
}

// Which option a field of the specification comes from; a row is for all that begin so.
static const struct {
    const char *field, *option;
} field_rows[] = {
    {"spec.limits.wall_time_ms", "time-limit"},
    {"spec.limits.output_bytes", "output-limit"},
    {"spec.limits.output_tail_bytes", "output-tail"},
    {"spec.limits.cpu_time_ms", "cpu-time"},
    {"spec.limits.memory_bytes", "memory"},
    {"spec.limits.processes", "processes"},
    {"spec.limits.disk_bytes", "disk"},
    {"spec.limits.file_bytes", "file-size"},
    {"spec.limits.open_files", "open-files"},
    {"spec.limits.tmp_bytes", "tmp-size"},
    {"spec.limits.kill_grace_ms", "grace"},
    {"spec.limits.artifact_bytes", "artifact-limit"},
    {"spec.keep_ms", "keep"},
    {"spec.delay_ms", "delay"},
    {"spec.start_within_ms", "start-within"},
    {"spec.retry.backoff", "backoff"},
    {"spec.name", "name"},
    {"spec.code.language", "language"},
    {"spec.queue", "queue"},
    {"spec.labels", "label"},
    {"spec.environment", "env"},
    {"spec.files", "file"},
    {"spec.artifacts", "artifact"},
    {"spec.after", "after"},
    {"spec.dedupe_key", "dedupe"},
    {"spec.stdin", "stdin"},
};

const char *job_spec_option(const char *field)
{
    for (size_t i = 0; i < sizeof field_rows / sizeof field_rows[0]; i++) {
        if (strncmp(field, field_rows[i].field, strlen(field_rows[i].field)) == 0)
            return field_rows[i].option;
    }
    return NULL;
}
