// What every contestant of `./dev bench vectors` that is a library implements, in one file of C or
// C++; peer_main.c does the rest: takes orders from standard input and measures.
#ifndef BENCH_VECTORS_PEER_H
#define BENCH_VECTORS_PEER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

enum {
    K = 10
};

struct peer_settings {
    size_t dim, max_rows;
    bool is_cosine; // vectors have length 1; else l2
    uint32_t m, ef_construction;
    // Of those that are asked over a wire; the order `calls` changes them at any time.
    size_t queries_a_call, calls_in_flight;
};

// Which rows may be found: those whose label is 3 modulo `modulus`.
struct peer_filter {
    size_t modulus;
    const uint8_t *only; // one byte for each label
};

struct peer;

extern const char *const peer_name;

// The settings outlive the peer.
struct peer *peer_new(const struct peer_settings *settings);
void peer_free(struct peer *peer);
// Adds rows, or replaces those of their labels; all are searchable at full speed afterwards.
void peer_add(struct peer *peer, const float *rows, size_t count, size_t first_label);
// Leaves the labels of the K nearest of each query, nearest first; labels is [count][K]. False:
// there are no filters here.
bool peer_search(struct peer *peer, const float *queries, size_t count, size_t ef,
                 const struct peer_filter *filter, int32_t *ret_labels);
// To the file and from it; false: there is no such thing.
bool peer_save(struct peer *peer, const char *path);
bool peer_load(struct peer *peer, const char *path);

// What a vector's code takes beside its float32.
size_t peer_code_bytes(const struct peer *peer);
// The process that does the work, whose processor time counts too; 0: this one.
pid_t peer_server(const struct peer *peer);

#ifdef __cplusplus
}
#endif

#endif
