// One chunk of rows (rows.h): making, filling, giving back.
#ifndef VECTORS_CHUNK_H
#define VECTORS_CHUNK_H

#include "vectors/rows.h"

// With one reference. directory: where a file for the vectors is made; NULL: they are in memory.
// NULL: out of memory, or of disk.
struct row_chunk *chunk_new(uint32_t capacity, uint32_t dim, const char *directory);
// Of count rows of mapped ones, from the first on. NULL: out of memory, or ids do not end where
// they should.
struct row_chunk *chunk_map(const struct mapped_rows *mapped, size_t first, uint32_t count,
                            uint32_t dim, bool is_on_disk);
void chunk_hold(struct row_chunk *chunk);
void chunk_release(struct row_chunk *chunk);

// Appends a living row to a chunk with room, without publishing it. NULL: out of memory; otherwise
// where its vector is to be written before chunk_publish.
float *chunk_append(struct row_chunk *chunk, uint32_t dim, int64_t num, const char *id,
                    int64_t born);
void chunk_publish(struct row_chunk *chunk);

// The row has got its place in the graph, or will have none (rows.h); from any one thread.
void chunk_set_node(struct row_chunk *chunk, uint32_t row, uint32_t node);
// All is done about one row more that has a node, or none for ever: with all of them the chunk may
// be merged.
void chunk_settle(struct row_chunk *chunk);

// Takes up to max rows for the graph that nobody took before; from any thread. Returns how many,
// from *ret_first on.
uint32_t chunk_claim(struct row_chunk *chunk, uint32_t max, uint32_t *ret_first);

void chunk_kill(struct row_chunk *chunk, uint32_t row, int64_t sequence);

#endif
