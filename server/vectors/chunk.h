// One chunk of rows (rows.h): making, filling, giving back.
#ifndef VECTORS_CHUNK_H
#define VECTORS_CHUNK_H

#include "vectors/rows.h"

// With one reference. NULL: out of memory.
struct row_chunk *chunk_new(uint32_t capacity, uint32_t dim);
void chunk_hold(struct row_chunk *chunk);
void chunk_release(struct row_chunk *chunk);

// Appends a living row to a chunk with room, without publishing it. NULL: out of memory; otherwise
// where its vector is to be written before chunk_publish.
float *chunk_append(struct row_chunk *chunk, uint32_t dim, int64_t num, const char *id,
                    int64_t born);
void chunk_publish(struct row_chunk *chunk);

void chunk_kill(struct row_chunk *chunk, uint32_t row, int64_t sequence);

#endif
