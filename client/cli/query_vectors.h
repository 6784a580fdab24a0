// The vectors of a query: --vector, any number of times, and --vectors FILE.
#ifndef CLI_QUERY_VECTORS_H
#define CLI_QUERY_VECTORS_H

#include "cli/cli.h"

struct query_vectors {
    // float[count][dimension], on the heap.
    float *numbers;
    size_t count;
    size_t room;
    uint32_t dimension;
};

// None is no error.
int query_vectors_read(const struct cli *cli, const struct options *options,
                       struct query_vectors *ret_vectors);
void query_vectors_fini(struct query_vectors *vectors);

#endif
