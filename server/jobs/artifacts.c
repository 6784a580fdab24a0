#include "jobs/artifacts.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fields.h"
#include "base/file.h"
#include "base/path.h"

enum {
    INDEX_BYTES_MAX = 4 << 20,
};

static int open_directory(const struct attempt_root *root, const char *id, uint32_t attempt)
{
    FD_CLEANUP int attempt_fd = attempt_open(root, id, attempt);
    return attempt_fd < 0
               ? -1
               : openat(attempt_fd, "artifacts", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
}

static bool take_number(const struct field *field, int64_t max, int64_t *ret_value)
{
    return field_to_int(field, ret_value) && *ret_value >= 0 && *ret_value <= max;
}

// The fields behind a path are the path's.
static bool take_field(struct artifact_list *list, const struct field *field, struct arena *arena)
{
    if (field_is(field, "path")) {
        struct artifact *added = &list->rows[list->count++];
        added->path = arena_copy(arena, field->bytes, field->length);
        return added->path && path_is_inside(added->path);
    }
    struct artifact *row = list->count ? &list->rows[list->count - 1] : NULL;
    int64_t number;
    if (!row)
        return true; // "version", or of a newer one
    if (field_is(field, "size"))
        return take_number(field, INT64_MAX, &row->size_bytes);
    if (field_is(field, "executable")) {
        bool is_fine = take_number(field, 1, &number);
        row->executable = is_fine && number == 1;
        return is_fine;
    }
    if (field_is(field, "number")) {
        bool is_fine = take_number(field, UINT32_MAX, &number);
        row->number = is_fine ? (uint32_t)number : 0;
        return is_fine;
    }
    return true;
}

static enum soma_code parse(const char *bytes, size_t length, struct arena *arena,
                            struct artifact_list *ret_list, struct soma_error *err)
{
    struct fields_reader reader;
    enum soma_code code = fields_open(&reader, bytes, length, err);
    if (code != SOMA_OK)
        return code;
    size_t count = 0;
    struct field field;
    for (struct fields_reader first = reader; fields_next(&first, &field);)
        count += field_is(&field, "path");
    struct artifact_list list = {.rows = arena_calloc(arena, count, sizeof *list.rows)};
    if (!list.rows)
        return error_set_no_memory(err);
    while (fields_next(&reader, &field)) {
        if (!take_field(&list, &field, arena))
            return arena->has_failed ? error_set_no_memory(err)
                                     : error_set(err, REASON_DATA_DAMAGED, NULL,
                                                 "the artifacts' index has a bad %s", field.key);
    }
    *ret_list = list;
    return SOMA_OK;
}

static enum soma_code read_list(int directory_fd, struct arena *arena,
                                struct artifact_list *ret_list, struct soma_error *err)
{
    char *bytes;
    size_t length;
    bool missing;
    enum soma_code code =
        file_read_all(directory_fd, "index", INDEX_BYTES_MAX, &bytes, &length, &missing, err);
    if (code != SOMA_OK || missing)
        return code;
    code = parse(bytes, length, arena, ret_list, err);
    free(bytes);
    return code;
}

enum soma_code artifacts_list(const struct attempt_root *root, const char *id, uint32_t attempt,
                              struct arena *arena, struct artifact_list *ret_list,
                              struct soma_error *err)
{
    *ret_list = (struct artifact_list){0};
    FD_CLEANUP int directory_fd = open_directory(root, id, attempt);
    if (directory_fd < 0 && errno != ENOENT)
        return error_set_errno(err, errno, "cannot open the artifacts");
    return directory_fd < 0 ? SOMA_OK : read_list(directory_fd, arena, ret_list, err);
}

static const struct artifact *find(const struct artifact_list *list, const char *path)
{
    for (size_t i = 0; i < list->count; i++) {
        if (strcmp(list->rows[i].path, path) == 0)
            return &list->rows[i];
    }
    return NULL;
}

enum soma_code artifact_read(const struct attempt_root *root, const char *id, uint32_t attempt,
                             const char *path, int64_t offset, int64_t max, struct arena *arena,
                             struct output_piece *ret_piece, struct soma_error *err)
{
    *ret_piece = (struct output_piece){0};
    struct artifact_list list = {0};
    char name[16];
    FD_CLEANUP int directory_fd = open_directory(root, id, attempt);
    if (directory_fd < 0 && errno != ENOENT)
        return error_set_errno(err, errno, "cannot open the artifacts");
    enum soma_code code = directory_fd < 0 ? SOMA_OK : read_list(directory_fd, arena, &list, err);
    if (code != SOMA_OK)
        return code;
    const struct artifact *artifact = find(&list, path);
    if (!artifact)
        return error_set(err, REASON_ARTIFACT_NOT_FOUND, "path", "the attempt kept no such file");
    snprintf(name, sizeof name, "%" PRIu32, artifact->number);
    FD_CLEANUP int fd = openat(directory_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return error_set_errno(err, errno, "cannot open the artifact");
    code = output_read_piece(fd, offset, max, arena, ret_piece, err);
    if (code == SOMA_OK && offset > ret_piece->size)
        code =
            error_set(err, REASON_OFFSET_PAST_END, "offset", "offset %lld is past the end at %lld",
                      (long long)offset, (long long)ret_piece->size);
    return code;
}
