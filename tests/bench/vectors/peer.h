// What every contestant of `./dev bench vectors` implements, in one file of C or C++; peer_main.c
// does the rest: reads a data set, takes orders from standard input, times by the thread's
// processor time.
#ifndef BENCH_VECTORS_PEER_H
#define BENCH_VECTORS_PEER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct peer_settings {
    size_t dim, max_rows;
    bool is_cosine; // vectors have length 1; else l2
    uint32_t m, ef_construction;
};

struct peer;

extern const char *const peer_name;

struct peer *peer_new(const struct peer_settings *settings);
void peer_free(struct peer *peer);
// Adds or replaces the row of that label, or rows, in the calling thread; searchable afterwards.
void peer_add(struct peer *peer, const float *rows, size_t count, size_t first_label);
void peer_update(struct peer *peer, const float *row, size_t label);
// Leaves the labels of the k nearest, nearest first.
void peer_search(struct peer *peer, const float *query, size_t k, size_t ef, int32_t *ret_labels);
// only: one byte for each label; false: there are no filters here.
bool peer_search_only(struct peer *peer, const float *query, size_t k, size_t ef,
                      const uint8_t *only, int32_t *ret_labels);
// To the file and from it; false: there is no such thing.
bool peer_save(struct peer *peer, const char *path);
bool peer_load(struct peer *peer, const char *path);

// What a vector's code takes beside its float32.
size_t peer_code_bytes(const struct peer *peer);

#ifdef __cplusplus
}
#endif

#endif
