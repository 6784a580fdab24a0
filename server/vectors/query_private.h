// What the files of a query share: query.c opens and checks, query_legs.c searches, query_rank.c
// makes hits of what was found.
#ifndef VECTORS_QUERY_PRIVATE_H
#define VECTORS_QUERY_PRIVATE_H

#include "vectors/query.h"
#include "vectors/query_filter.h"

struct query {
    const struct query_request *request;
    struct query_answer *answer;
    struct arena *arena; // the answer's
    struct arena *round; // of one search of several, each deeper than the one before
    const float
        *vectors; // float[query_count][dimension], as the kernels want them; NULL: only texts
    const int64_t *own_nums;       // [query_count], of records that are queries; NULL: none are
    const struct num_set *matches; // NULL: all records
    uint32_t depth;                // hits that each leg gives
    struct index_report report;    // of the latest search by vector
    struct topk *by_vector;        // [query_count], sorted, the round's; NULL: there are no vectors
    struct topk *by_text;          // the same, distance = -score; NULL: no texts
};

// Vectors from the request's embeddings, or from its records, which are read in the answer's
// transaction.
enum soma_code query_vectors_prepare(struct query *query, struct soma_error *err);

// Both legs to the query's depth.
enum soma_code query_legs_run(struct query *query, struct soma_error *err);

// Fills the answer's results from the legs. *ret_is_enough: no more depth would give more; where
// hits are grouped it may be false.
enum soma_code query_rank(struct query *query, bool *ret_is_enough, struct soma_error *err);

// Leaves the best groups of the hits of one query in their place, and how many hits those are;
// *ret_groups: groups there are, none of the offset's.
enum soma_code query_group(struct query *query, struct query_result *result, uint32_t *ret_groups,
                           bool *ret_are_full, struct soma_error *err);

#endif
