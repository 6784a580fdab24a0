// How hits are shown.
#ifndef CLI_HIT_PRINT_H
#define CLI_HIT_PRINT_H

#include "cli/record_print.h"

// What was asked for, as far as it changes what is shown.
struct hit_view {
    const struct soma_include *include;
    // Numbers of an embedding.
    uint32_t dimension;
    // Ranks and scores by text are shown.
    bool has_texts;
    // Queries before the first of these results.
    size_t queries_before;
    // One query is all there is.
    bool is_one;
};

// As the format wants it: a table of hits, one object, or one line for each query.
int hits_print(const struct cli *cli, const struct soma_query_results *results,
               const struct hit_view *view);

#endif
