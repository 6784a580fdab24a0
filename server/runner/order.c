#include "runner/order.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fields.h"
#include "base/file.h"
#include "base/path.h"
#include "wire/limits.h"

// Fields that are one whole number.
enum number {
    NUMBER_ATTEMPT,
    NUMBER_WALL_TIME,
    NUMBER_OUTPUT,
    NUMBER_GRACE,
    NUMBER_ARTIFACTS,
    NUMBER_TAIL,
    NUMBER_INTERACTIVE,
    NUMBER_UID,
    NUMBER_GID,
    NUMBER_REQUIRED,
    NUMBER_NETWORK,
    NUMBER_OPEN_FILES,
    NUMBER_FILE,
    NUMBER_PROCESSES,
    NUMBER_CPU_TIME,
    NUMBER_MEMORY,
    NUMBER_DISK,
    NUMBER_TMP,
    NUMBER_OUTPUT_END,
    NUMBER_COUNT
};

static const struct number_row {
    const char *key;
    int64_t min, max;
} number_rows[NUMBER_COUNT] = {
    [NUMBER_ATTEMPT] = {"attempt", 0, INT32_MAX},
    [NUMBER_WALL_TIME] = {"wall_time_ms", 1, LIMIT_JOB_WALL_TIME_MS},
    [NUMBER_OUTPUT] = {"output_bytes", 0, LIMIT_JOB_OUTPUT_BYTES},
    [NUMBER_GRACE] = {"kill_grace_ms", 0, LIMIT_JOB_KILL_GRACE_MS},
    [NUMBER_INTERACTIVE] = {"interactive", 0, 1},
    [NUMBER_TAIL] = {"output_tail_bytes", 0, LIMIT_JOB_OUTPUT_TAIL_BYTES},
    [NUMBER_ARTIFACTS] = {"artifact_bytes", 0, LIMIT_JOB_ARTIFACT_BYTES},
    [NUMBER_UID] = {"uid", 0, UINT32_MAX - 1},
    [NUMBER_GID] = {"gid", 0, UINT32_MAX - 1},
    [NUMBER_REQUIRED] = {"sandbox_required", 0, 1},
    [NUMBER_NETWORK] = {"network", 0, 1},
    [NUMBER_OPEN_FILES] = {"open_files", 0, INT32_MAX},
    [NUMBER_FILE] = {"max_file_bytes", 0, INT64_MAX},
    [NUMBER_PROCESSES] = {"processes", 0, INT32_MAX},
    [NUMBER_CPU_TIME] = {"cpu_time_ms", 0, INT64_MAX / 1000},
    [NUMBER_MEMORY] = {"memory_bytes", 0, INT64_MAX},
    [NUMBER_DISK] = {"disk_bytes", 0, INT64_MAX},
    [NUMBER_TMP] = {"tmp_bytes", 0, INT64_MAX},
    [NUMBER_OUTPUT_END] = {"output_end", 0, 1},
};

static const char *const sandbox_words[] = {
    [SANDBOX_OFF] = "off", [SANDBOX_CONFINED] = "confined", [SANDBOX_NAMESPACES] = "namespaces"};

static const char *const cgroup_words[CGROUP_KIND_COUNT] = {
    [CGROUP_UNIFIED] = "cgroup2",
    [CGROUP_1_MEMORY] = "cgroup1_memory",
    [CGROUP_1_PIDS] = "cgroup1_pids",
};

static enum soma_code refuse(struct soma_error *err, const char *key, const char *why)
{
    return error_set(err, REASON_DATA_DAMAGED, NULL, "order: %s %s", key, why);
}

// The field's bytes with a NUL behind them, in place of the line break that ends every field.
static char *text_of(struct order *order, const struct field *field)
{
    char *text = order->bytes + (field->bytes - order->bytes);
    text[field->length] = '\0';
    return text;
}

static bool is_text(const struct field *field)
{
    return !memchr(field->bytes, '\0', field->length);
}

static bool is_file_name(const struct field *field)
{
    const char *name = field->bytes;
    if (field->length == 0 || field->length > NAME_MAX || !is_text(field))
        return false;
    if (memchr(name, '/', field->length))
        return false;
    return !(name[0] == '.' && (field->length == 1 || (field->length == 2 && name[1] == '.')));
}

static bool is_variable(const struct field *field)
{
    const char *equals = memchr(field->bytes, '=', field->length);
    return equals && equals != field->bytes && is_text(field);
}

static enum soma_code take_number(struct order *order, const struct field *field,
                                  enum number number, struct soma_error *err)
{
    int64_t *const places[NUMBER_COUNT] = {
        [NUMBER_ATTEMPT] = &order->attempt,
        [NUMBER_WALL_TIME] = &order->wall_time_ms,
        [NUMBER_OUTPUT] = &order->output_bytes,
        [NUMBER_GRACE] = &order->kill_grace_ms,
        [NUMBER_INTERACTIVE] = &order->is_interactive,
        [NUMBER_TAIL] = &order->output_tail_bytes,
        [NUMBER_ARTIFACTS] = &order->artifact_bytes,
        [NUMBER_UID] = &order->uid,
        [NUMBER_GID] = &order->gid,
        [NUMBER_REQUIRED] = &order->sandbox_required,
        [NUMBER_NETWORK] = &order->network,
        [NUMBER_OPEN_FILES] = &order->open_files,
        [NUMBER_FILE] = &order->max_file_bytes,
        [NUMBER_PROCESSES] = &order->processes,
        [NUMBER_CPU_TIME] = &order->cpu_time_ms,
        [NUMBER_MEMORY] = &order->memory_bytes,
        [NUMBER_DISK] = &order->disk_bytes,
        [NUMBER_TMP] = &order->tmp_bytes,
        [NUMBER_OUTPUT_END] = &order->output_end,
    };
    const struct number_row *row = &number_rows[number];
    int64_t value;
    if (!field_to_int(field, &value) || value < row->min || value > row->max)
        return refuse(err, row->key, "is no number in its range");
    *places[number] = value;
    return SOMA_OK;
}

static enum soma_code take_path(struct order *order, const struct field *field,
                                struct order_paths *paths, struct soma_error *err)
{
    if (paths->count == ORDER_PATHS_MAX)
        return refuse(err, field->key, "stands too often");
    const char *path = text_of(order, field);
    if (path[0] != '/' || !is_text(field))
        return refuse(err, field->key, "is no absolute path");
    paths->list[paths->count++] = path;
    return SOMA_OK;
}

static enum soma_code take_sandbox(struct order *order, const struct field *field,
                                   struct soma_error *err)
{
    const char *word = text_of(order, field);
    for (size_t i = 0; i < sizeof sandbox_words / sizeof sandbox_words[0]; i++) {
        if (strcmp(word, sandbox_words[i]) == 0) {
            order->sandbox = (enum order_sandbox)i;
            return SOMA_OK;
        }
    }
    // Never weaker than asked for.
    return refuse(err, "sandbox", "is of a kind that this runner does not know");
}

static enum soma_code take_surroundings(struct order *order, const struct field *field,
                                        struct soma_error *err)
{
    if (field_is(field, "sandbox"))
        return take_sandbox(order, field, err);
    if (field_is(field, "bwrap"))
        order->bwrap = text_of(order, field);
    else if (field_is(field, "sandbox_why"))
        snprintf(order->sandbox_why, sizeof order->sandbox_why, "%s", text_of(order, field));
    else if (field_is(field, "read_path"))
        return take_path(order, field, &order->read_paths, err);
    else if (field_is(field, "bind"))
        return take_path(order, field, &order->binds, err);
    for (int kind = 0; kind < CGROUP_KIND_COUNT; kind++) {
        if (field_is(field, cgroup_words[kind]))
            order->cgroups[kind] = text_of(order, field);
    }
    return SOMA_OK;
}

static enum soma_code take_text(struct order *order, const struct field *field,
                                struct soma_error *err)
{
    if (field_is(field, "argv")) {
        if (!is_text(field))
            return refuse(err, "argv", "holds a NUL");
        if (order->argc == 0 && field->length == 0)
            return refuse(err, "argv", "names no program");
        order->argv[order->argc++] = text_of(order, field);
    } else if (field_is(field, "env")) {
        if (!is_variable(field))
            return refuse(err, "env", "is no NAME=VALUE");
        order->env[order->envc++] = text_of(order, field);
    } else if (field_is(field, "artifact")) {
        order->artifacts[order->artifact_count++] = text_of(order, field);
    } else if (field_is(field, "job_id")) {
        order->job_id = text_of(order, field);
    } else if (field_is(field, "file_name")) {
        if (!is_file_name(field))
            return refuse(err, "file_name", "is no file's name");
        order->file_name = text_of(order, field);
    } else if (field_is(field, "file_bytes")) {
        order->file_bytes = text_of(order, field);
        order->file_length = field->length;
    } else if (field_is(field, "stdin")) {
        order->stdin_bytes = text_of(order, field);
        order->stdin_length = field->length;
    } else {
        return take_surroundings(order, field, err);
    }
    return SOMA_OK;
}

// The fields behind the path of the latest file.
static enum soma_code take_input(struct order *order, const struct field *field,
                                 struct soma_error *err)
{
    if (field_is(field, "in_path")) {
        struct order_input *added = &order->inputs[order->input_count++];
        added->path = text_of(order, field);
        return is_text(field) && path_is_inside(added->path)
                   ? SOMA_OK
                   : refuse(err, "in_path", "leads out of the work directory");
    }
    if (order->input_count == 0)
        return refuse(err, field->key, "stands before any in_path");
    struct order_input *input = &order->inputs[order->input_count - 1];
    if (field_is(field, "in_executable")) {
        input->is_executable = true;
    } else if (field_is(field, "in_bytes")) {
        input->bytes = text_of(order, field);
        input->length = field->length;
    } else if (field_is(field, "in_upload")) {
        if (!is_file_name(field))
            return refuse(err, "in_upload", "is no file's name");
        input->upload_id = text_of(order, field);
    }
    return SOMA_OK;
}

static enum soma_code take_field(struct order *order, const struct field *field,
                                 struct soma_error *err)
{
    int64_t version;
    if (field_is(field, "version"))
        return field_to_int(field, &version) && version == 1
                   ? SOMA_OK
                   : refuse(err, "version", "is none that this runner knows");
    for (int i = 0; i < NUMBER_COUNT; i++) {
        if (field_is(field, number_rows[i].key))
            return take_number(order, field, (enum number)i, err);
    }
    if (strncmp(field->key, "in_", 3) == 0)
        return take_input(order, field, err);
    return take_text(order, field, err);
}

struct counts {
    size_t argv, env, inputs, artifacts, version;
};

static struct counts count_fields(struct fields_reader reader)
{
    struct counts counts = {0};
    struct field field;
    while (fields_next(&reader, &field)) {
        counts.argv += field_is(&field, "argv");
        counts.env += field_is(&field, "env");
        counts.artifacts += field_is(&field, "artifact");
        counts.inputs += field_is(&field, "in_path");
        counts.version += field_is(&field, "version");
    }
    return counts;
}

static enum soma_code check_whole(const struct order *order, struct soma_error *err)
{
    if (order->wall_time_ms < 0)
        return refuse(err, "wall_time_ms", "is missing");
    if (order->output_bytes < 0)
        return refuse(err, "output_bytes", "is missing");
    if (order->output_tail_bytes > order->output_bytes)
        return refuse(err, "output_tail_bytes", "is more than output_bytes");
    if ((order->uid < 0) != (order->gid < 0))
        return refuse(err, "uid", "and gid stand together or not at all");
    if (order->sandbox == SANDBOX_NAMESPACES && (!order->bwrap || order->bwrap[0] != '/'))
        return refuse(err, "bwrap", "is missing");
    return SOMA_OK;
}

static enum soma_code parse(struct order *order, size_t length, struct soma_error *err)
{
    struct fields_reader reader;
    enum soma_code code = fields_open(&reader, order->bytes, length, err);
    if (code)
        return code;
    struct counts counts = count_fields(reader);
    if (counts.version != 1)
        return refuse(err, "version", "is missing");
    if (counts.argv == 0 || counts.argv > ORDER_WORDS_MAX || counts.env > ORDER_WORDS_MAX)
        return refuse(err, "argv or env", "has too few or too many words");
    order->argv = calloc(counts.argv + 1, sizeof *order->argv);
    order->env = calloc(counts.env + 2, sizeof *order->env);
    order->inputs = calloc(counts.inputs + 1, sizeof *order->inputs);
    order->artifacts = calloc(counts.artifacts + 1, sizeof *order->artifacts);
    if (!order->argv || !order->env || !order->inputs || !order->artifacts)
        return error_set_no_memory(err);
    struct field field;
    while (!code && fields_next(&reader, &field))
        code = take_field(order, &field, err);
    return code ? code : check_whole(order, err);
}

static enum soma_code take_bytes(char *bytes, size_t length, struct order *ret_order,
                                 struct soma_error *err)
{
    struct order order = {.bytes = bytes,
                          .job_id = "",
                          .wall_time_ms = -1,
                          .output_bytes = -1,
                          .kill_grace_ms = LIMIT_JOB_DEFAULT_KILL_GRACE_MS,
                          .uid = -1,
                          .gid = -1};
    enum soma_code code = parse(&order, length, err);
    if (code) {
        order_fini(&order);
        return code;
    }
    *ret_order = order;
    return SOMA_OK;
}

enum soma_code order_read(int directory_fd, struct order *ret_order, struct soma_error *err)
{
    char *bytes;
    size_t length;
    enum soma_code code =
        file_read_all(directory_fd, "order", ORDER_BYTES_MAX, &bytes, &length, NULL, err);
    return code ? code : take_bytes(bytes, length, ret_order, err);
}

enum soma_code order_read_open(int fd, struct order *ret_order, struct soma_error *err)
{
    struct stat info;
    if (fstat(fd, &info))
        return error_set_errno(err, errno, "cannot read the order");
    if (info.st_size > ORDER_BYTES_MAX)
        return refuse(err, "file", "is too long");
    char *bytes = malloc((size_t)info.st_size + 1);
    if (!bytes)
        return error_set_no_memory(err);
    ssize_t got = pread(fd, bytes, (size_t)info.st_size, 0);
    if (got == info.st_size)
        return take_bytes(bytes, (size_t)got, ret_order, err);
    free(bytes);
    return error_set_errno(err, got < 0 ? errno : EIO, "cannot read the order");
}

void order_add_progress(struct order *order, const char *attempt_path, char *room, size_t size)
{
    for (size_t i = 0; i < order->envc; i++) {
        if (strncmp(order->env[i], "SOMA_PROGRESS=", 14) == 0)
            return;
    }
    snprintf(room, size, "SOMA_PROGRESS=%s/progress", attempt_path);
    order->env[order->envc] = room;
}

void order_fini(struct order *order)
{
    free(order->argv);
    free(order->env);
    free(order->inputs);
    free(order->artifacts);
    free(order->bytes);
    *order = (struct order){0};
}

struct order order_numbers(const struct order *order)
{
    struct order numbers = *order;
    numbers.bytes = NULL;
    numbers.argv = numbers.env = NULL;
    numbers.argc = numbers.envc = 0;
    numbers.job_id = "";
    numbers.file_name = numbers.file_bytes = numbers.stdin_bytes = numbers.bwrap = NULL;
    numbers.file_length = numbers.stdin_length = 0;
    memset(numbers.cgroups, 0, sizeof numbers.cgroups);
    numbers.read_paths.count = numbers.binds.count = 0;
    return numbers;
}
