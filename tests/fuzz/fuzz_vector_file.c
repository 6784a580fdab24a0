// .npy and .fvecs files, as `soma import` reads them: byte 0 says which, and how many rows are
// passed over.
#include <stdio.h>

#include "cli/vector_file.h"
#include "fuzz.h"

enum {
    ROWS_MAX = 1000
};

static void read_rows(struct vector_file *vectors, int64_t skipped)
{
    static float numbers[VECTOR_DIMENSION_MAX];
    enum vector_read read = VECTOR_READ;
    MUST(vectors->dimension > 0 && vectors->dimension <= VECTOR_DIMENSION_MAX);
    if (skipped > 0 && !vector_file_skip(vectors, skipped))
        return;
    for (int i = 0; i < ROWS_MAX && read == VECTOR_READ; i++)
        read = vector_file_read(vectors, numbers);
    MUST(read != VECTOR_WRONG || vectors->problem.text[0]);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    if (length < 2)
        return 0;
    struct vector_file vectors = {0};
    FILE *file = fmemopen((void *)(bytes + 1), length - 1, "r");
    MUST(file);
    if (vector_file_begin(&vectors, file, bytes[0] & 1 ? VECTOR_FVECS : VECTOR_NPY))
        read_rows(&vectors, bytes[0] >> 1);
    else
        MUST(vectors.problem.text[0]);
    vector_file_fini(&vectors);
    fclose(file);
    return 0;
}
