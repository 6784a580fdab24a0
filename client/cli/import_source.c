#include "cli/import_source.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static bool open_file(const char *path, FILE **ret_file, struct problem *problem)
{
    *ret_file = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
    if (!*ret_file)
        problem_set(problem, "", "cannot be read: %s", strerror(errno));
    return *ret_file;
}

static bool begin_vectors(struct import_source *source, enum vector_format format,
                          uint32_t dimension)
{
    if (!vector_file_begin(&source->vectors, source->file, format)) {
        source->problem = source->vectors.problem;
        return false;
    }
    if (source->vectors.dimension == dimension)
        return true;
    problem_set(&source->problem, "",
                "has rows of %u numbers, but the collection's dimension is %u",
                source->vectors.dimension, dimension);
    return false;
}

bool import_source_open(struct import_source *source, const char *path, const char *ids_path,
                        uint32_t dimension)
{
    enum vector_format format;
    *source = (struct import_source){.name = strcmp(path, "-") == 0 ? "stdin" : path};
    source->has_vectors = vector_format_of(path, &format);
    if (ids_path && !source->has_vectors) {
        problem_set(&source->problem, "",
                    "holds records with ids of their own; --ids is for .npy "
                    "and .fvecs");
        return false;
    }
    if (!open_file(path, &source->file, &source->problem))
        return false;
    if (ids_path && !open_file(ids_path, &source->ids, &source->problem)) {
        source->name = ids_path;
        return false;
    }
    source->lines =
        (struct record_source){.file = source->file, .name = source->name, .dimension = dimension};
    return !source->has_vectors || begin_vectors(source, format, dimension);
}

void import_source_close(struct import_source *source)
{
    record_source_fini(&source->lines);
    vector_file_fini(&source->vectors);
    free(source->id_line);
    if (source->file && source->file != stdin)
        fclose(source->file);
    if (source->ids && source->ids != stdin)
        fclose(source->ids);
    *source = (struct import_source){0};
}

// --- rows of vectors

static bool read_id(struct import_source *source)
{
    ssize_t length = getline(&source->id_line, &source->id_room, source->ids);
    if (length < 0)
        return false;
    while (length && strchr("\r\n", source->id_line[length - 1]))
        source->id_line[--length] = '\0';
    return true;
}

static enum import_read add_vector(struct import_source *source, struct record_piece *piece,
                                   const float *numbers)
{
    char number[24];
    snprintf(number, sizeof number, "%" PRId64, source->row);
    if (source->ids && !read_id(source)) {
        problem_set(&source->problem, "",
                    "there is no id for row %" PRId64 ": the file of ids ends before it",
                    source->row);
        return IMPORT_WRONG;
    }
    const char *id = source->ids ? source->id_line : number;
    for (uint32_t i = 0; i < source->vectors.dimension; i++) {
        if (isfinite(numbers[i]))
            continue;
        problem_set(&source->problem, "embedding", "number %u is not finite", i);
        return IMPORT_BAD_ROW;
    }
    if (!*id) {
        problem_set(&source->problem, "id", "is empty");
        return IMPORT_BAD_ROW;
    }
    if (record_piece_add(piece, id, numbers, source->vectors.dimension, (size_t)source->row))
        return IMPORT_ROW;
    problem_set(&source->problem, "", "out of memory");
    return IMPORT_WRONG;
}

static enum import_read read_vector(struct import_source *source, struct record_piece *piece)
{
    float numbers[VECTOR_DIMENSION_MAX];
    source->row = source->vectors.row;
    switch (vector_file_read(&source->vectors, numbers)) {
    case VECTOR_END:
        return IMPORT_END;
    case VECTOR_WRONG:
        source->problem = source->vectors.problem;
        return IMPORT_WRONG;
    case VECTOR_READ:
        break;
    }
    enum import_read read = add_vector(source, piece, numbers);
    if (read == IMPORT_WRONG)
        source->vectors.row = source->row; // it is not done: who goes on begins with it
    return read;
}

// --- lines

static enum import_read read_line(struct import_source *source, struct record_piece *piece)
{
    enum record_read read = record_source_read(&source->lines, piece);
    source->row = (int64_t)source->lines.line_number;
    source->problem = source->lines.problem;
    if (read == RECORD_END)
        return IMPORT_END;
    if (read == RECORD_READ)
        return IMPORT_ROW;
    // A line that is too long has not been read to its end.
    bool is_whole = source->lines.line_length + 2 < RECORD_LINE_BYTES_MAX;
    return is_whole && !ferror(source->file) ? IMPORT_BAD_ROW : IMPORT_WRONG;
}

enum import_read import_source_read(struct import_source *source, struct record_piece *piece)
{
    return source->has_vectors ? read_vector(source, piece) : read_line(source, piece);
}

// --- positions

struct import_position import_source_tell(const struct import_source *source)
{
    if (source->has_vectors)
        return (struct import_position){.rows = source->vectors.row};
    return (struct import_position){.bytes = ftello(source->file),
                                    .rows = (int64_t)source->lines.line_number};
}

bool import_source_seek(struct import_source *source, struct import_position position)
{
    bool is_there = true;
    if (!source->has_vectors) {
        is_there = fseeko(source->file, position.bytes, SEEK_SET) == 0;
        source->lines.line_number = (size_t)position.rows;
    } else {
        is_there = vector_file_skip(&source->vectors, position.rows);
        for (int64_t i = 0; source->ids && is_there && i < position.rows; i++)
            is_there = read_id(source);
    }
    if (!is_there)
        problem_set(&source->problem, "", "does not reach the place where the import stopped");
    return is_there;
}

double import_source_percent(const struct import_source *source, int64_t bytes_total)
{
    int64_t at = ftello(source->file);
    if (source->has_vectors && source->vectors.row_count > 0)
        return 100.0 * (double)source->vectors.row / (double)source->vectors.row_count;
    return bytes_total > 0 && at >= 0 ? 100.0 * (double)at / (double)bytes_total : -1;
}
