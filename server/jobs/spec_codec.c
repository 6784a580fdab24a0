#include "jobs/spec_codec.h"

#include <stddef.h>
#include <string.h>

#include "base/fields.h"
#include "base/path.h"
#include "wire/limits.h"

enum {
    SPEC_BYTES_MAX = 16 << 20, // far above what the limits of all parts allow together
};

enum field_kind {
    KIND_TEXT,
    KIND_INT32,
    KIND_INT64,
    KIND_BOOL,
};

// The head's single values. Empty and zero ones are not written.
static const struct head_field {
    const char *key;
    enum field_kind kind;
    size_t offset;
} head_fields[] = {
    {"language", KIND_TEXT, offsetof(struct job_spec, language)},
    {"name", KIND_TEXT, offsetof(struct job_spec, name)},
    {"queue", KIND_TEXT, offsetof(struct job_spec, queue)},
    {"priority", KIND_INT32, offsetof(struct job_spec, priority)},
    {"not_before_ms", KIND_INT64, offsetof(struct job_spec, not_before)},
    {"wall_time_ms", KIND_INT64, offsetof(struct job_spec, limits.wall_time_ms)},
    {"output_bytes", KIND_INT64, offsetof(struct job_spec, limits.output_bytes)},
    {"kill_grace_ms", KIND_INT64, offsetof(struct job_spec, limits.kill_grace_ms)},
    {"output_tail_bytes", KIND_INT64, offsetof(struct job_spec, limits.output_tail_bytes)},
    {"artifact_bytes", KIND_INT64, offsetof(struct job_spec, limits.artifact_bytes)},
    {"interactive", KIND_BOOL, offsetof(struct job_spec, interactive)},
    {"idempotent", KIND_BOOL, offsetof(struct job_spec, idempotent)},
    {"keep_ms", KIND_INT64, offsetof(struct job_spec, keep_ms)},
    {"start_by_ms", KIND_INT64, offsetof(struct job_spec, start_by)},
    {"retry_attempts", KIND_INT64, offsetof(struct job_spec, retry.max_attempts)},
    {"backoff_ms", KIND_INT64, offsetof(struct job_spec, retry.backoff_ms)},
    {"backoff_milli", KIND_INT64, offsetof(struct job_spec, retry.factor_milli)},
    {"backoff_max_ms", KIND_INT64, offsetof(struct job_spec, retry.backoff_max_ms)},
    {"retry_reasons", KIND_INT64, offsetof(struct job_spec, retry.reasons)},
    {"after_policy", KIND_INT32, offsetof(struct job_spec, after_policy)},
    {"dedupe_key", KIND_TEXT, offsetof(struct job_spec, dedupe_key)},
    {"cpu_time_ms", KIND_INT64, offsetof(struct job_spec, limits.cpu_time_ms)},
    {"memory_bytes", KIND_INT64, offsetof(struct job_spec, limits.memory_bytes)},
    {"processes", KIND_INT64, offsetof(struct job_spec, limits.processes)},
    {"disk_bytes", KIND_INT64, offsetof(struct job_spec, limits.disk_bytes)},
    {"file_bytes", KIND_INT64, offsetof(struct job_spec, limits.file_bytes)},
    {"open_files", KIND_INT64, offsetof(struct job_spec, limits.open_files)},
    {"tmp_bytes", KIND_INT64, offsetof(struct job_spec, limits.tmp_bytes)},
    {"output_end", KIND_BOOL, offsetof(struct job_spec, limits.end_at_output_limit)},
    {"withheld", KIND_INT32, offsetof(struct job_spec, withheld)},
    {"detached", KIND_BOOL, offsetof(struct job_spec, detached)},
    {"network", KIND_BOOL, offsetof(struct job_spec, network)},
    {"sandbox", KIND_INT32, offsetof(struct job_spec, sandbox)},
};

enum {
    HEAD_FIELD_COUNT = sizeof head_fields / sizeof head_fields[0],
    HEAD_TEXTS = 4,
    FRAME_BYTES = 32, // around a field's bytes: its key, its length, spaces and line feeds
    NUMBER_BYTES = 20,
    LABEL_BYTES = 320, // its key, "=", its value
};

_Static_assert(LIMIT_JOB_ARGUMENT_BYTES + LIMIT_JOB_ARGUMENTS * FRAME_BYTES +
                       LIMIT_JOB_ARTIFACT_PATTERNS * (PATH_BYTES_MAX + FRAME_BYTES) +
                       LIMIT_JOB_LABELS * (LABEL_BYTES + FRAME_BYTES) +
                       LIMIT_JOB_AFTER * (ID_LENGTH + FRAME_BYTES) +
                       HEAD_TEXTS * LIMIT_JOB_NAME_BYTES +
                       HEAD_FIELD_COUNT * (NUMBER_BYTES + FRAME_BYTES) <=
                   SPEC_HEAD_BYTES_MAX,
               "a head at all its limits");

static void put_number(struct fields_writer *writer, const char *key, int64_t number)
{
    if (number != 0)
        fields_put_int(writer, key, number);
}

static void put_head_field(struct fields_writer *writer, const struct job_spec *spec,
                           const struct head_field *row)
{
    const char *at = (const char *)spec + row->offset;
    const char *text;
    switch (row->kind) {
    case KIND_TEXT:
        memcpy(&text, at, sizeof text);
        if (text && text[0])
            fields_put_text(writer, row->key, text);
        return;
    case KIND_INT32:
        put_number(writer, row->key, *(const int32_t *)at);
        return;
    case KIND_INT64:
        put_number(writer, row->key, *(const int64_t *)at);
        return;
    case KIND_BOOL:
        put_number(writer, row->key, *(const bool *)at);
        return;
    }
}

// One field "name=value"; neither a variable's name nor a label's key holds a '='.
static void put_pair(struct fields_writer *writer, const char *key, const char *name,
                     const char *value, struct arena *arena)
{
    const char *pair = arena_printf(arena, "%s=%s", name, value);
    if (pair)
        fields_put_text(writer, key, pair);
    else
        writer->failed = true;
}

static void put_head(struct fields_writer *writer, const struct job_spec *spec, struct arena *arena)
{
    for (size_t i = 0; i < HEAD_FIELD_COUNT; i++)
        put_head_field(writer, spec, &head_fields[i]);
    for (size_t i = 0; i < spec->argc; i++)
        fields_put_text(writer, "arg", spec->argv[i]);
    for (size_t i = 0; i < spec->artifact_count; i++)
        fields_put_text(writer, "artifact", spec->artifacts[i]);
    for (size_t i = 0; i < spec->label_count; i++)
        put_pair(writer, "label", spec->labels[i].key, spec->labels[i].value, arena);
    for (size_t i = 0; i < spec->after_count; i++)
        fields_put_text(writer, "after", spec->after[i]);
}

// A file's fields stand behind its path.
static void put_files(struct fields_writer *writer, const struct job_spec *spec)
{
    for (size_t i = 0; i < spec->file_count; i++) {
        const struct job_file *file = &spec->files[i];
        fields_put_text(writer, "file", file->path);
        put_number(writer, "file_executable", file->executable);
        put_number(writer, "file_size", file->size_bytes);
        if (file->upload_id)
            fields_put_text(writer, "file_upload", file->upload_id);
        else if (file->size_bytes > 0)
            fields_put(writer, "file_content", file->content, (size_t)file->size_bytes);
    }
}

static void put_body(struct fields_writer *writer, const struct job_spec *spec, struct arena *arena)
{
    if (spec->source_length > 0)
        fields_put(writer, "source", spec->source, spec->source_length);
    if (spec->stdin_length > 0)
        fields_put(writer, "stdin", spec->stdin_bytes, spec->stdin_length);
    for (size_t i = 0; i < spec->environment_count; i++)
        put_pair(writer, "env", spec->environment[i].name, spec->environment[i].value, arena);
    put_files(writer, spec);
}

typedef void put_fn(struct fields_writer *writer, const struct job_spec *spec, struct arena *arena);

static enum soma_code encode(const struct job_spec *spec, put_fn *put, struct arena *arena,
                             const void **ret_bytes, size_t *ret_length, struct soma_error *err)
{
    struct fields_writer writer;
    fields_writer_init(&writer, SPEC_BYTES_MAX);
    put(&writer, spec, arena);
    enum soma_code code = fields_finish(&writer, err);
    if (code == SOMA_OK) {
        const char *copy = arena_copy(arena, writer.bytes, writer.length);
        if (copy) {
            *ret_bytes = copy;
            *ret_length = writer.length;
        } else {
            code = error_set_no_memory(err);
        }
    }
    fields_writer_fini(&writer);
    return code;
}

enum soma_code spec_encode(const struct job_spec *spec, struct arena *arena,
                           struct spec_bytes *ret_bytes, struct soma_error *err)
{
    struct spec_bytes bytes = {0};
    enum soma_code code = encode(spec, put_head, arena, &bytes.head, &bytes.head_length, err);
    bool has_body = spec->source_length > 0 || spec->stdin_length > 0 ||
                    spec->environment_count > 0 || spec->file_count > 0;
    if (code == SOMA_OK && has_body)
        code = encode(spec, put_body, arena, &bytes.body, &bytes.body_length, err);
    if (code == SOMA_OK)
        *ret_bytes = bytes;
    return code;
}

// --- decoding

struct decoding {
    struct arena *arena;
    struct job_spec *spec;
    // The spec's lists while they grow; sized by a first pass.
    const char **argv;
    const char **after;
    struct job_label *labels;
    struct job_variable *environment;
    struct job_file *files;
    const char **artifacts;
};

static bool read_head_field(const struct decoding *decoding, const struct head_field *row,
                            const struct field *field)
{
    char *at = (char *)decoding->spec + row->offset;
    if (row->kind == KIND_TEXT) {
        const char *text = arena_copy(decoding->arena, field->bytes, field->length);
        memcpy(at, &text, sizeof text);
        return text != NULL;
    }
    int64_t number;
    if (!field_to_int(field, &number))
        return false;
    switch (row->kind) {
    case KIND_TEXT:
        break;
    case KIND_INT32:
        *(int32_t *)at = (int32_t)number;
        break;
    case KIND_INT64:
        *(int64_t *)at = number;
        break;
    case KIND_BOOL:
        *(bool *)at = number != 0;
        break;
    }
    return true;
}

static bool read_pair(const struct decoding *decoding, const struct field *field,
                      const char **ret_name, const char **ret_value)
{
    char *pair = arena_copy(decoding->arena, field->bytes, field->length);
    char *equals = pair ? strchr(pair, '=') : NULL;
    if (!equals)
        return false;
    *equals = '\0';
    *ret_name = pair;
    *ret_value = equals + 1;
    return true;
}

static bool read_bytes(const struct decoding *decoding, const struct field *field,
                       const uint8_t **ret_bytes, size_t *ret_length)
{
    char *copy = arena_copy(decoding->arena, field->bytes, field->length);
    *ret_bytes = (const uint8_t *)copy;
    *ret_length = field->length;
    return copy != NULL;
}

// The fields behind the path of the latest file.
static bool read_file_field(const struct decoding *decoding, const struct field *field)
{
    struct job_spec *spec = decoding->spec;
    struct job_file *file = spec->file_count ? &decoding->files[spec->file_count - 1] : NULL;
    int64_t number;
    size_t length;
    if (field_is(field, "file")) {
        file = &decoding->files[spec->file_count++];
        file->path = arena_copy(decoding->arena, field->bytes, field->length);
        return file->path != NULL;
    }
    if (!file)
        return false;
    if (field_is(field, "file_content"))
        return read_bytes(decoding, field, &file->content, &length) && file->content != NULL;
    if (field_is(field, "file_upload")) {
        file->upload_id = arena_copy(decoding->arena, field->bytes, field->length);
        return file->upload_id != NULL;
    }
    bool is_size = field_is(field, "file_size");
    if (!is_size && !field_is(field, "file_executable"))
        return true; // of a newer version
    if (!field_to_int(field, &number))
        return false;
    if (is_size)
        file->size_bytes = number;
    else
        file->executable = number != 0;
    return true;
}

static bool read_list_field(struct decoding *decoding, const struct field *field)
{
    struct job_spec *spec = decoding->spec;
    if (field_is(field, "arg")) {
        const char *word = arena_copy(decoding->arena, field->bytes, field->length);
        decoding->argv[spec->argc++] = word;
        return word != NULL;
    }
    if (field_is(field, "after")) {
        const char *id = arena_copy(decoding->arena, field->bytes, field->length);
        decoding->after[spec->after_count++] = id;
        return id != NULL;
    }
    if (field_is(field, "label")) {
        struct job_label *label = &decoding->labels[spec->label_count++];
        return read_pair(decoding, field, &label->key, &label->value);
    }
    if (field_is(field, "env")) {
        struct job_variable *variable = &decoding->environment[spec->environment_count++];
        return read_pair(decoding, field, &variable->name, &variable->value);
    }
    if (field_is(field, "source"))
        return read_bytes(decoding, field, &spec->source, &spec->source_length);
    if (field_is(field, "stdin"))
        return read_bytes(decoding, field, &spec->stdin_bytes, &spec->stdin_length);
    if (field_is(field, "artifact")) {
        const char *pattern = arena_copy(decoding->arena, field->bytes, field->length);
        decoding->artifacts[spec->artifact_count++] = pattern;
        return pattern != NULL;
    }
    if (strncmp(field->key, "file", 4) == 0)
        return read_file_field(decoding, field);
    return true; // of a newer version
}

static bool read_one(struct decoding *decoding, const struct field *field)
{
    for (size_t i = 0; i < HEAD_FIELD_COUNT; i++) {
        if (field_is(field, head_fields[i].key))
            return read_head_field(decoding, &head_fields[i], field);
    }
    return read_list_field(decoding, field);
}

static bool make_lists(struct decoding *decoding, struct fields_reader reader)
{
    size_t words = 0, labels = 0, variables = 0, after = 0, files = 0, artifacts = 0;
    struct field field;
    while (fields_next(&reader, &field)) {
        words += field_is(&field, "arg");
        after += field_is(&field, "after");
        labels += field_is(&field, "label");
        variables += field_is(&field, "env");
        files += field_is(&field, "file");
        artifacts += field_is(&field, "artifact");
    }
    struct job_spec *spec = decoding->spec;
    struct arena *arena = decoding->arena;
    if (words > 0)
        spec->argv = decoding->argv = arena_calloc(arena, words, sizeof *decoding->argv);
    if (after > 0)
        spec->after = decoding->after = arena_calloc(arena, after, sizeof *decoding->after);
    if (labels > 0)
        spec->labels = decoding->labels = arena_calloc(arena, labels, sizeof *decoding->labels);
    if (variables > 0)
        spec->environment = decoding->environment =
            arena_calloc(arena, variables, sizeof *decoding->environment);
    if (files > 0)
        spec->files = decoding->files = arena_calloc(arena, files, sizeof *decoding->files);
    if (artifacts > 0)
        spec->artifacts = decoding->artifacts =
            arena_calloc(arena, artifacts, sizeof *decoding->artifacts);
    return (!words || spec->argv) && (!after || spec->after) && (!labels || spec->labels) &&
           (!variables || spec->environment) && (!files || spec->files) &&
           (!artifacts || spec->artifacts);
}

static enum soma_code decode(struct decoding *decoding, const void *bytes, size_t length,
                             struct soma_error *err)
{
    struct fields_reader reader;
    enum soma_code code = fields_open(&reader, bytes, length, err);
    if (code != SOMA_OK)
        return code;
    if (!make_lists(decoding, reader))
        return error_set_no_memory(err);
    struct field field;
    while (fields_next(&reader, &field)) {
        if (read_one(decoding, &field))
            continue;
        if (decoding->arena->has_failed)
            return error_set_no_memory(err);
        return error_set(err, REASON_DATA_DAMAGED, NULL, "a stored job has a damaged field %s",
                         field.key);
    }
    return SOMA_OK;
}

enum soma_code spec_decode(const struct spec_bytes *bytes, struct arena *arena,
                           struct job_spec *ret_spec, struct soma_error *err)
{
    struct job_spec spec = {.name = "", .queue = ""};
    struct decoding decoding = {.arena = arena, .spec = &spec};
    enum soma_code code = decode(&decoding, bytes->head, bytes->head_length, err);
    if (code == SOMA_OK && bytes->body)
        code = decode(&decoding, bytes->body, bytes->body_length, err);
    if (code == SOMA_OK)
        *ret_spec = spec;
    return code;
}
