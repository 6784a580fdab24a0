#include "services/job_file_values.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/path.h"
#include "services/validate.h"
#include "wire/limits.h"

enum {
    FIELD_SIZE = SOMA_FIELD_SIZE,
};

static void field_of(char ret_field[FIELD_SIZE], size_t i, const char *part)
{
    snprintf(ret_field, FIELD_SIZE, "spec.files[%zu].%s", i, part);
}

static enum soma_code check_source(const Pb__JobFile *message, size_t i, struct soma_error *err)
{
    char field[FIELD_SIZE];
    if (message->upload_id[0] && message->content.len > 0) {
        field_of(field, i, "upload_id");
        return error_set(err, REASON_FIELD_INVALID, field, "%s and content exclude each other",
                         field);
    }
    field_of(field, i, "size_bytes");
    return check_range(message->size_bytes, 0, LIMIT_JOB_FILE_BYTES, field, err);
}

static enum soma_code take_file(const Pb__JobFile *message, size_t i, struct job_file *ret_file,
                                struct soma_error *err)
{
    char field[FIELD_SIZE];
    field_of(field, i, "path");
    enum soma_code code = check_given(message->path, field, err);
    if (code == SOMA_OK)
        code = check_length(strlen(message->path), PATH_BYTES_MAX, field, err);
    if (code == SOMA_OK && !path_is_inside(message->path))
        code = error_set(err, REASON_FIELD_INVALID, field,
                         "%s is no plain path below the work directory", field);
    if (code == SOMA_OK)
        code = check_source(message, i, err);
    if (code != SOMA_OK)
        return code;
    bool is_upload = message->upload_id[0] != '\0';
    *ret_file = (struct job_file){
        .path = message->path,
        .executable = message->executable,
        .content = message->content.data,
        .upload_id = is_upload ? message->upload_id : NULL,
        .size_bytes = is_upload ? message->size_bytes : (int64_t)message->content.len,
    };
    return SOMA_OK;
}

static int compare_files(const void *a, const void *b)
{
    const struct job_file *const *first = a, *const *second = b;
    return path_compare((*first)->path, (*second)->path);
}

static enum soma_code say_conflict(const struct job_file *files, const struct job_file *file,
                                   const struct job_file *other, struct soma_error *err)
{
    char field[FIELD_SIZE];
    field_of(field, (size_t)(file - files), "path");
    if (strcmp(file->path, other->path) == 0)
        return error_set(err, REASON_DUPLICATE_KEY, field, "%s: two files are called '%.80s'",
                         field, file->path);
    return error_set(err, REASON_DUPLICATE_KEY, field, "%s: '%.80s' stands in the place of '%.80s'",
                     field, file->path, other->path);
}

// Sorted, a path that is the same as another, or lies below it, stands right behind that.
static enum soma_code check_places(const struct job_file *files, size_t count, struct arena *arena,
                                   struct soma_error *err)
{
    const struct job_file **sorted = arena_calloc(arena, count, sizeof *sorted);
    if (!sorted)
        return error_set_no_memory(err);
    for (size_t i = 0; i < count; i++)
        sorted[i] = &files[i];
    qsort(sorted, count, sizeof *sorted, compare_files);
    for (size_t i = 1; i < count; i++) {
        if (path_contains(sorted[i - 1]->path, sorted[i]->path))
            return say_conflict(files, sorted[i], sorted[i - 1], err);
    }
    return SOMA_OK;
}

static enum soma_code check_program(const struct job_file *file, size_t i, const char *program,
                                    struct soma_error *err)
{
    char field[FIELD_SIZE];
    if (!program || !path_contains(program, file->path))
        return SOMA_OK;
    field_of(field, i, "path");
    return error_set(err, REASON_DUPLICATE_KEY, field, "%s: '%s' is the program itself", field,
                     program);
}

enum soma_code job_files_from(const Pb__JobSpec *message, const struct languages *languages,
                              struct arena *arena, struct job_spec *spec, struct soma_error *err)
{
    size_t count = message->n_files;
    enum soma_code code = check_length(count, LIMIT_JOB_FILES, "spec.files", err);
    if (code != SOMA_OK || count == 0)
        return code;
    struct job_file *files = arena_calloc(arena, count, sizeof *files);
    if (!files)
        return error_set_no_memory(err);
    const struct language *language =
        spec->language ? languages_find(languages, spec->language) : NULL;
    size_t inline_bytes = 0;
    for (size_t i = 0; i < count && code == SOMA_OK; i++) {
        code = take_file(message->files[i], i, &files[i], err);
        if (code == SOMA_OK)
            code = check_program(&files[i], i, language ? language->file_name : NULL, err);
        inline_bytes += message->files[i]->content.len;
    }
    if (code == SOMA_OK)
        code = check_length(inline_bytes, LIMIT_JOB_FILES_INLINE_BYTES, "spec.files", err);
    if (code == SOMA_OK)
        code = check_places(files, count, arena, err);
    spec->files = files;
    spec->file_count = count;
    return code;
}

enum soma_code job_artifacts_from(const Pb__JobSpec *message, struct job_spec *spec,
                                  struct soma_error *err)
{
    enum soma_code code =
        check_length(message->n_artifacts, LIMIT_JOB_ARTIFACT_PATTERNS, "spec.artifacts", err);
    for (size_t i = 0; i < message->n_artifacts && code == SOMA_OK; i++) {
        char field[FIELD_SIZE];
        snprintf(field, sizeof field, "spec.artifacts[%zu]", i);
        code = check_given(message->artifacts[i], field, err);
        if (code == SOMA_OK)
            code = check_length(strlen(message->artifacts[i]), PATH_BYTES_MAX, field, err);
        if (code == SOMA_OK && !path_is_inside(message->artifacts[i]))
            code = error_set(err, REASON_FIELD_INVALID, field,
                             "%s is no plain path below the work directory", field);
    }
    spec->artifacts = (const char *const *)message->artifacts;
    spec->artifact_count = message->n_artifacts;
    return code;
}
