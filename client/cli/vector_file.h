// Files of vectors: .npy (NumPy's format 1 to 3, C order, two dimensions, float16, float32, float64
// or uint8, little-endian) and .fvecs (each row: its length as an int32, then float32s). Rows come
// out as float32.
#ifndef CLI_VECTOR_FILE_H
#define CLI_VECTOR_FILE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "cli/metadata.h"

enum vector_format {
    VECTOR_NPY,
    VECTOR_FVECS
};

enum vector_element {
    VECTOR_F2,
    VECTOR_F4,
    VECTOR_F8,
    VECTOR_U1
};

enum {
    VECTOR_DIMENSION_MAX = 4096
};

struct vector_file {
    FILE *file;
    enum vector_format format;
    enum vector_element element;
    uint32_t dimension;
    // -1: not known before the end.
    int64_t row_count;
    // Rows read or passed over.
    int64_t row;
    // One row as it stands in the file.
    unsigned char *bytes;
    struct problem problem;
};

enum vector_read {
    VECTOR_READ,
    VECTOR_END,
    // The file is damaged from here on; problem says how.
    VECTOR_WRONG
};

// By the path's ending. False: it is neither.
bool vector_format_of(const char *path, enum vector_format *ret_format);

// Reads the head. False: problem says what is wrong. The stream stays the caller's.
bool vector_file_begin(struct vector_file *vectors, FILE *file, enum vector_format format);
void vector_file_fini(struct vector_file *vectors);

// float[dimension]. Numbers that are too large for a float32 become infinite.
enum vector_read vector_file_read(struct vector_file *vectors, float *ret_numbers);
// Passes over rows without looking at them; false: there are not so many, or the stream fails.
bool vector_file_skip(struct vector_file *vectors, int64_t rows);

// The head of a .npy file of float32 for so many rows; always as long. False: the stream fails.
bool npy_write_head(FILE *file, int64_t rows, uint32_t dimension);

#endif
