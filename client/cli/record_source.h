// Reads records from JSON lines, and gathers them into pieces to be sent.
#ifndef CLI_RECORD_SOURCE_H
#define CLI_RECORD_SOURCE_H

#include <stdio.h>

#include "cli/metadata.h"
#include "cli/pool.h"

enum {
    // A record with the largest document and metadata that a server takes fits, escaped.
    RECORD_LINE_BYTES_MAX = 16 * 1024 * 1024,
    PIECE_RECORDS_MAX = 2000,
    PIECE_BYTES_MAX = 8 * 1024 * 1024,
};

enum record_read {
    RECORD_READ,
    RECORD_END,
    // The record does not fit to those in the piece (embedding or none); it is read again.
    RECORD_NEXT_PIECE,
    RECORD_WRONG,
};

// Lines of one stream.
struct record_source {
    FILE *file;
    // For messages.
    const char *name;
    // Of the line read last, from 1.
    size_t line_number;
    char *line;
    size_t line_room;
    size_t line_length;
    // The line read last was not taken yet.
    bool is_held;
    // Numbers that an embedding must have.
    uint32_t dimension;
    // In an update: records without embedding, null in metadata; ids are required.
    bool is_update;
    struct problem problem;
};

// Records gathered, in the form that the library takes. Memory is the pool's.
struct record_piece {
    struct pool pool;
    struct soma_record *records;
    // Where each stood.
    size_t *line_numbers;
    size_t record_count;
    // float[PIECE_RECORDS_MAX][dimension].
    float *embeddings;
    bool has_embeddings;
};

// Gives the source's line back; the stream stays the caller's.
void record_source_fini(struct record_source *source);

// Adds the next record to the piece. RECORD_WRONG: source->problem says what, in line_number.
enum record_read record_source_read(struct record_source *source, struct record_piece *piece);

// Adds a record that is an id and a vector; false: out of memory.
bool record_piece_add(struct record_piece *piece, const char *id, const float *embedding,
                      uint32_t dimension, size_t line_number);
// Takes out count records from first on.
void record_piece_remove(struct record_piece *piece, size_t first, size_t count,
                         uint32_t dimension);
// Finds the record that a field such as "records[17].id" or "embeddings[17]" speaks of, and leaves
// in err what stands after it. False: no record of the piece.
bool record_piece_find(const struct record_piece *piece, struct soma_error *err, size_t *ret_index);

bool record_piece_is_full(const struct record_piece *piece);
void record_piece_empty(struct record_piece *piece);

// A JSON list of numbers as floats. field is for the message.
bool embedding_from_json(const json_t *list, const char *field, float *ret_numbers, size_t count,
                         struct problem *ret_problem);

#endif
