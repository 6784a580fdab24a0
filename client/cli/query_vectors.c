#include "cli/query_vectors.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli/error.h"
#include "cli/record_source.h"
#include "cli/values.h"
#include "cli/vector_file.h"

enum {
    VECTORS_BYTES_MAX = 256 * 1024 * 1024,
};

static bool make_room(struct query_vectors *vectors)
{
    if (vectors->count < vectors->room)
        return true;
    size_t room = vectors->room ? vectors->room * 2 : 16, bytes;
    if (__builtin_mul_overflow(room, vectors->dimension * sizeof(float), &bytes))
        return false;
    float *numbers = realloc(vectors->numbers, bytes);
    if (!numbers)
        return false;
    vectors->numbers = numbers;
    vectors->room = room;
    return true;
}

// One vector as JSON text. where is for messages.
static int add_vector(const struct cli *cli, struct query_vectors *vectors, const char *where,
                      const char *text, size_t length)
{
    struct problem problem = {0};
    json_error_t error;
    json_t *list = json_loadb(text, length, 0, &error);
    if (!list)
        return report_usage(cli, "a vector is a list of numbers, '[0.1, 0.2]'",
                            "%s: character %d: %s", where, error.column, error.text);
    if (!vectors->dimension)
        vectors->dimension = (uint32_t)json_array_size(list);
    int status = STATUS_OK;
    if (!json_is_array(list) || json_array_size(list) == 0)
        status = report_usage(cli, "a vector is a list of numbers, '[0.1, 0.2]'",
                              "%s: is no list of numbers", where);
    else if (json_array_size(list) != vectors->dimension)
        status = report_usage(cli, NULL, "%s: has %zu numbers, the vectors before it have %u",
                              where, json_array_size(list), vectors->dimension);
    else if (!make_room(vectors))
        status = report_out_of_memory(cli);
    else if (!embedding_from_json(list, "vector",
                                  vectors->numbers + vectors->count * vectors->dimension,
                                  vectors->dimension, &problem))
        status = report_usage(cli, NULL, "%s: %s: %s", where, problem.field, problem.text);
    else
        vectors->count++;
    json_decref(list);
    return status;
}

static int add_lines(const struct cli *cli, struct query_vectors *vectors, const char *path,
                     const char *text, size_t length)
{
    size_t number = 0;
    for (size_t at = 0; at < length;) {
        const char *end = memchr(text + at, '\n', length - at);
        size_t line_length = end ? (size_t)(end - text) - at : length - at;
        char where[300];
        snprintf(where, sizeof where, "%s:%zu", strcmp(path, "-") == 0 ? "stdin" : path, ++number);
        if (line_length && text[at] != '\r') {
            int status = add_vector(cli, vectors, where, text + at, line_length);
            if (status != STATUS_OK)
                return status;
        }
        at += line_length + 1;
    }
    return STATUS_OK;
}

static int add_rows(const struct cli *cli, struct query_vectors *vectors, struct vector_file *rows,
                    const char *path)
{
    enum vector_read read = VECTOR_READ;
    if (vectors->count && vectors->dimension != rows->dimension)
        return report_usage(cli, NULL, "%s: has rows of %u numbers, the vectors before it have %u",
                            path, rows->dimension, vectors->dimension);
    vectors->dimension = rows->dimension;
    while (read == VECTOR_READ) {
        size_t bytes = (vectors->count + 1) * vectors->dimension * sizeof(float);
        if (bytes > VECTORS_BYTES_MAX)
            return report_usage(cli, NULL, "%s: holds more than %d MiB of vectors", path,
                                VECTORS_BYTES_MAX >> 20);
        if (!make_room(vectors))
            return report_out_of_memory(cli);
        read = vector_file_read(rows, vectors->numbers + vectors->count * vectors->dimension);
        vectors->count += read == VECTOR_READ;
    }
    return read == VECTOR_END ? STATUS_OK
                              : report_usage(cli, NULL, "%s: %s", path, rows->problem.text);
}

static int add_file(const struct cli *cli, struct query_vectors *vectors, const char *path,
                    enum vector_format format)
{
    struct vector_file rows = {.dimension = 0};
    FILE *file = fopen(path, "re");
    if (!file)
        return report_failure(cli, STATUS_FAILED, NULL, "cannot read %s: %s", path,
                              strerror(errno));
    int status = vector_file_begin(&rows, file, format)
                     ? add_rows(cli, vectors, &rows, path)
                     : report_usage(cli, NULL, "%s: %s", path, rows.problem.text);
    vector_file_fini(&rows);
    fclose(file);
    return status;
}

int query_vectors_read(const struct cli *cli, const struct options *options,
                       struct query_vectors *ret_vectors)
{
    struct query_vectors vectors = {0};
    const char *text, *path = options_value(options, "vectors");
    size_t place = 0, length;
    enum vector_format format;
    int status = STATUS_OK;
    while (status == STATUS_OK && (text = options_next(options, "vector", &place)))
        status = add_vector(cli, &vectors, "option --vector", text, strlen(text));
    if (status == STATUS_OK && path && vector_format_of(path, &format)) {
        status = add_file(cli, &vectors, path, format);
    } else if (status == STATUS_OK && path) {
        struct pool pool = {0};
        status = read_file(cli, path, VECTORS_BYTES_MAX, NULL, &pool, &text, &length);
        if (status == STATUS_OK)
            status = add_lines(cli, &vectors, path, text, length);
        pool_empty(&pool);
    }
    if (status == STATUS_OK)
        *ret_vectors = vectors;
    else
        query_vectors_fini(&vectors);
    return status;
}

void query_vectors_fini(struct query_vectors *vectors)
{
    free(vectors->numbers);
    vectors->numbers = NULL;
}
