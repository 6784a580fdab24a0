// JSON lines of records, as `soma upsert` and `soma update` read them: byte 0 says which.
#include <stdio.h>

#include "cli/record_source.h"
#include "fuzz.h"

enum {
    DIMENSION = 3
};

static void read_all(struct record_source *source)
{
    struct record_piece piece = {0};
    enum record_read read = RECORD_READ;
    while (read == RECORD_READ || read == RECORD_NEXT_PIECE) {
        if (record_piece_is_full(&piece) || read == RECORD_NEXT_PIECE)
            record_piece_empty(&piece);
        read = record_source_read(source, &piece);
    }
    MUST(read == RECORD_END || source->problem.text[0]);
    record_piece_empty(&piece);
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
