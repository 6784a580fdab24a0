// What an import reads: records as JSON lines, or rows of a file of vectors whose ids are their
// numbers or the lines of another file.
#ifndef CLI_IMPORT_SOURCE_H
#define CLI_IMPORT_SOURCE_H

#include "cli/record_source.h"
#include "cli/vector_file.h"

enum import_read {
    IMPORT_ROW,
    IMPORT_END,
    // This row is bad, the next may be read; problem and row say which.
    IMPORT_BAD_ROW,
    // Nothing can be read from here on.
    IMPORT_WRONG
};

// Where a source stands, so that another one can go on from there.
struct import_position {
    int64_t bytes; // of JSON lines
    int64_t rows;  // lines or rows before it, bad ones included
};

struct import_source {
    const char *name;
    FILE *file;
    FILE *ids; // NULL: rows have their numbers as ids
    bool has_vectors;
    struct record_source lines;
    struct vector_file vectors;
    char *id_line; // getline's
    size_t id_room;
    struct problem problem;
    // Of the row read last: lines count from 1, rows of vectors from 0.
    int64_t row;
};

// path "-": stdin, JSON lines. ids_path NULL: none. False: problem says what is wrong.
bool import_source_open(struct import_source *source, const char *path, const char *ids_path,
                        uint32_t dimension);
void import_source_close(struct import_source *source);

// Adds the next row to the piece.
enum import_read import_source_read(struct import_source *source, struct record_piece *piece);

struct import_position import_source_tell(const struct import_source *source);
// Before the first row is read. False: problem says why not.
bool import_source_seek(struct import_source *source, struct import_position position);
// 0 to 100; below 0: not known. bytes_total 0: not known.
double import_source_percent(const struct import_source *source, int64_t bytes_total);

#endif
