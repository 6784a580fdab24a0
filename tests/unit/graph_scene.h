// A graph over seeded rows, with exact search as the oracle.
#ifndef TESTS_UNIT_GRAPH_SCENE_H
#define TESTS_UNIT_GRAPH_SCENE_H

#include "vectors/index.h"
#include "vectors/index/graph.h"

enum {
    K = 10,
    ROWS = 2000,
    DIM = 24,
    QUERIES = 40,
    CLUSTERS = 40
};

struct scene {
    enum metric metric;
    struct rows *rows;
    struct graph *graph;
    int64_t sequence;
    float queries[QUERIES * DIM];
};

// Clusters of different widths, as real embeddings have them.
void fill(float *vectors, size_t count);

void scene_open(struct scene *scene, enum metric metric, enum quantization quantization);
void scene_close(struct scene *scene);
void put(struct scene *scene, int64_t num, const float *vector);
void put_new(struct scene *scene, int64_t first, size_t count);
void catch_up(struct scene *scene);
void sweep(struct scene *scene);
void search(struct scene *scene, const struct index_search *how, struct topk *topks,
            struct hit *hits, struct index_report *ret_report);
// The part of the true nearest that the graph finds; what it finds has the very distance and order
// of the exact search.
double recall_of(struct scene *scene, struct index_search how);
// Every so manyth record, from the first on.
struct num_set every_nth(uint64_t *words, size_t every);

#endif
