#include "cli/record_source.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

void record_source_fini(struct record_source *source)
{
    free(source->line);
    source->line = NULL;
    source->line_room = 0;
}

// --- lines

static bool line_make_room(struct record_source *source)
{
    size_t room = source->line_room ? source->line_room * 2 : 64 * 1024;
    if (source->line_length + 2 < source->line_room)
        return true;
    if (room > (size_t)RECORD_LINE_BYTES_MAX) {
        problem_set(&source->problem, "", "the line is longer than %d bytes",
                    RECORD_LINE_BYTES_MAX);
        return false;
    }
    char *line = realloc(source->line, room);
    if (!line) {
        problem_set(&source->problem, "", "out of memory");
        return false;
    }
    source->line = line;
    source->line_room = room;
    return true;
}

// The next line without its end. Bytes of one line are bounded; the stream is read by its own
// buffer.
static enum record_read read_line(struct record_source *source)
{
    int c;
    source->line_length = 0;
    flockfile(source->file);
    while ((c = getc_unlocked(source->file)) != EOF && c != '\n') {
        if (!line_make_room(source)) {
            funlockfile(source->file);
            source->line_number++;
            return RECORD_WRONG;
        }
        source->line[source->line_length++] = (char)c;
    }
    funlockfile(source->file);
    if (c == EOF && ferror(source->file)) {
        problem_set(&source->problem, "", "cannot be read: %s", strerror(errno));
        return RECORD_WRONG;
    }
    if (c == EOF && source->line_length == 0)
        return RECORD_END;
    source->line_number++;
    return RECORD_READ;
}

static bool line_is_empty(const struct record_source *source)
{
    for (size_t i = 0; i < source->line_length; i++) {
        if (!strchr(" \t\r", source->line[i]) || !source->line[i])
            return false;
    }
    return true;
}

static enum record_read read_full_line(struct record_source *source)
{
    enum record_read read = RECORD_READ;
    if (source->is_held) {
        source->is_held = false;
        return RECORD_READ;
    }
    do {
        read = read_line(source);
    } while (read == RECORD_READ && line_is_empty(source));
    return read;
}

// --- one record

bool embedding_from_json(const json_t *list, const char *field, float *ret_numbers, size_t count,
                         struct problem *ret_problem)
{
    if (!json_is_array(list)) {
        problem_set(ret_problem, field, "is no list of numbers");
        return false;
    }
    if (json_array_size(list) != count) {
        problem_set(ret_problem, field, "has %zu numbers, but the collection's dimension is %zu",
                    json_array_size(list), count);
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        const json_t *number = json_array_get(list, i);
        char place[64];
        ret_numbers[i] = (float)json_number_value(number);
        snprintf(place, sizeof place, "%s[%zu]", field, i);
        if (!json_is_number(number)) {
            problem_set(ret_problem, place, "is no number");
            return false;
        }
        if (!isfinite(ret_numbers[i])) {
            problem_set(ret_problem, place, "is too large for a 32-bit float");
            return false;
        }
    }
    return true;
}

static bool check_keys(const json_t *object, struct problem *problem)
{
    static const char *const known[] = {"id", "embedding", "document", "metadata"};
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)object, key, value)
    {
        size_t i = 0;
        while (i < 4 && strcmp(known[i], key) != 0)
            i++;
        if (i == 4) {
            problem_set(problem, key,
                        "is not known; a record has id, embedding, document and "
                        "metadata");
            return false;
        }
    }
    return true;
}

// A text member, or NULL where it is missing or null.
static bool copy_text(const json_t *object, const char *key, struct pool *pool,
                      const char **ret_text, struct problem *problem)
{
    const json_t *value = json_object_get(object, key);
    if (!value || json_is_null(value))
        return true;
    if (!json_is_string(value)) {
        problem_set(problem, key, "is no text");
        return false;
    }
    *ret_text = pool_text(pool, json_string_value(value), json_string_length(value));
    if (!*ret_text)
        problem_set(problem, key, "out of memory");
    return *ret_text;
}

static bool copy_record(const struct record_source *source, const json_t *object,
                        struct record_piece *piece, struct soma_record *record,
                        struct problem *problem)
{
    const json_t *metadata = json_object_get(object, "metadata");
    if (!check_keys(object, problem) ||
        !copy_text(object, "id", &piece->pool, &record->id, problem) ||
        !copy_text(object, "document", &piece->pool, &record->document, problem))
        return false;
    if (record->id && !*record->id) {
        problem_set(problem, "id", "is empty; leave it out to derive it from the content");
        return false;
    }
    if (source->is_update && !record->id) {
        problem_set(problem, "id", "is missing; an update needs it");
        return false;
    }
    return !metadata || json_is_null(metadata) ||
           metadata_from_json(metadata, source->is_update, &piece->pool, &record->metadata,
                              &record->metadata_count, problem);
}

static bool piece_begin(struct record_piece *piece, uint32_t dimension)
{
    if (piece->records)
        return true;
    piece->records = pool_array(&piece->pool, PIECE_RECORDS_MAX, sizeof *piece->records);
    piece->line_numbers = pool_array(&piece->pool, PIECE_RECORDS_MAX, sizeof *piece->line_numbers);
    piece->embeddings =
        pool_array(&piece->pool, (size_t)PIECE_RECORDS_MAX * dimension, sizeof *piece->embeddings);
    // The room for embeddings is counted as it fills.
    piece->pool.bytes = 0;
    return piece->records && piece->line_numbers && piece->embeddings;
}

static enum record_read add_record(struct record_source *source, const json_t *object,
                                   struct record_piece *piece)
{
    const json_t *embedding = json_object_get(object, "embedding");
    bool has_embedding = embedding && !json_is_null(embedding);
    struct soma_record *record;
    if (!json_is_object(object)) {
        problem_set(&source->problem, "", "a record is an object");
        return RECORD_WRONG;
    }
    if (!has_embedding && !source->is_update) {
        problem_set(&source->problem, "embedding", "is missing");
        return RECORD_WRONG;
    }
    if (piece->record_count && has_embedding != piece->has_embeddings)
        return RECORD_NEXT_PIECE;
    if (!piece_begin(piece, source->dimension)) {
        problem_set(&source->problem, "", "out of memory");
        return RECORD_WRONG;
    }
    record = &piece->records[piece->record_count];
    *record = (struct soma_record){0};
    if (has_embedding &&
        !embedding_from_json(embedding, "embedding",
                             piece->embeddings + piece->record_count * source->dimension,
                             source->dimension, &source->problem))
        return RECORD_WRONG;
    if (!copy_record(source, object, piece, record, &source->problem))
        return RECORD_WRONG;
    piece->has_embeddings = has_embedding;
    piece->pool.bytes += has_embedding ? source->dimension * sizeof(float) : 0;
    piece->line_numbers[piece->record_count++] = source->line_number;
    return RECORD_READ;
}

enum record_read record_source_read(struct record_source *source, struct record_piece *piece)
{
    json_error_t error;
    enum record_read read = read_full_line(source);
    if (read != RECORD_READ)
        return read;
    json_t *object = json_loadb(source->line, source->line_length, JSON_REJECT_DUPLICATES, &error);
    if (!object) {
        char place[64];
        snprintf(place, sizeof place, "character %d", error.column);
        problem_set(&source->problem, place, "%s", error.text);
        return RECORD_WRONG;
    }
    read = add_record(source, object, piece);
    source->is_held = read == RECORD_NEXT_PIECE;
    json_decref(object);
    return read;
}

bool record_piece_is_full(const struct record_piece *piece)
{
    return piece->record_count == PIECE_RECORDS_MAX || piece->pool.bytes >= PIECE_BYTES_MAX;
}

void record_piece_empty(struct record_piece *piece)
{
    pool_empty(&piece->pool);
    *piece = (struct record_piece){0};
}

bool record_piece_add(struct record_piece *piece, const char *id, const float *embedding,
                      uint32_t dimension, size_t line_number)
{
    if (!piece_begin(piece, dimension))
        return false;
    struct soma_record *record = &piece->records[piece->record_count];
    *record = (struct soma_record){.id = pool_text(&piece->pool, id, strlen(id))};
    if (!record->id)
        return false;
    memcpy(piece->embeddings + piece->record_count * dimension, embedding,
           dimension * sizeof *embedding);
    piece->has_embeddings = true;
    piece->pool.bytes += dimension * sizeof *embedding;
    piece->line_numbers[piece->record_count++] = line_number;
    return true;
}

void record_piece_remove(struct record_piece *piece, size_t first, size_t count, uint32_t dimension)
{
    size_t behind = piece->record_count - first - count;
    memmove(piece->records + first, piece->records + first + count,
            behind * sizeof *piece->records);
    memmove(piece->line_numbers + first, piece->line_numbers + first + count,
            behind * sizeof *piece->line_numbers);
    memmove(piece->embeddings + first * dimension, piece->embeddings + (first + count) * dimension,
            behind * dimension * sizeof *piece->embeddings);
    piece->record_count -= count;
}

bool record_piece_find(const struct record_piece *piece, struct soma_error *err, size_t *ret_index)
{
    static const char *const lists[] = {"records[", "embeddings["};
    for (size_t i = 0; i < 2; i++) {
        size_t length = strlen(lists[i]);
        const char *rest;
        char *end;
        if (strncmp(err->field, lists[i], length) != 0)
            continue;
        unsigned long index = strtoul(err->field + length, &end, 10);
        if (*end != ']' || index >= piece->record_count)
            return false;
        *ret_index = index;
        rest = end + (end[1] == '.' ? 2 : 1);
        if (i == 1 && !*rest)
            rest = "embedding";
        memmove(err->field, rest, strlen(rest) + 1);
        return true;
    }
    return false;
}
