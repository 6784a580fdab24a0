// JSON lines of records, as `soma upsert` and `soma update` read them: byte 0 says which. What was
// read is written as `soma export` writes it, and has to come back as it was.
#include <stdio.h>
#include <string.h>

#include "cli/json_out.h"
#include "cli/record_print.h"
#include "cli/record_source.h"
#include "fuzz.h"

enum {
    DIMENSION = 3
};

// On the heap.
static char *print(const struct record_piece *piece, size_t i)
{
    static const struct soma_include include = {.document = true, .metadata = true};
    char *text = NULL;
    size_t length;
    struct json_out out;
    FILE *file = open_memstream(&text, &length);
    MUST(file);
    out_init(&out, file, false);
    out_begin(&out, '{');
    record_to_json(&out, &piece->records[i],
                   piece->has_embeddings ? piece->embeddings + i * DIMENSION : NULL, DIMENSION,
                   &include);
    out_end(&out, '}');
    out_line(&out);
    fclose(file);
    return text;
}

static void check_way_back(const struct record_piece *piece, size_t i)
{
    char *text = print(piece, i);
    struct record_piece again = {0};
    struct record_source source = {
        .file = fmemopen(text, strlen(text), "r"), .name = "again", .dimension = DIMENSION};
    MUST(source.file);
    MUST(record_source_read(&source, &again) == RECORD_READ);
    char *text_again = print(&again, 0);
    MUST(strcmp(text, text_again) == 0);
    free(text_again);
    free(text);
    record_source_fini(&source);
    fclose(source.file);
    record_piece_empty(&again);
}

// Of an update not: in one, null takes a key out.
static void check_piece(const struct record_source *source, struct record_piece *piece)
{
    for (size_t i = 0; !source->is_update && i < piece->record_count; i++)
        check_way_back(piece, i);
    record_piece_empty(piece);
}

static void read_all(struct record_source *source)
{
    struct record_piece piece = {0};
    enum record_read read = RECORD_READ;
    while (read == RECORD_READ || read == RECORD_NEXT_PIECE) {
        if (record_piece_is_full(&piece) || read == RECORD_NEXT_PIECE)
            check_piece(source, &piece);
        read = record_source_read(source, &piece);
    }
    MUST(read == RECORD_END || source->problem.text[0]);
    check_piece(source, &piece);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    if (length < 2)
        return 0;
    struct record_source source = {
        .file = fmemopen((void *)(bytes + 1), length - 1, "r"),
        .name = "input",
        .dimension = DIMENSION,
        .is_update = bytes[0] & 1,
    };
    MUST(source.file);
    read_all(&source);
    record_source_fini(&source);
    fclose(source.file);
    return 0;
}
