// A search from beginning to end: collection, snapshot, filter, rows, hits.
#ifndef VECTORS_QUERY_H
#define VECTORS_QUERY_H

#include "vectors/collection.h"
#include "vectors/filter.h"

enum {
    PLAN_SIZE = 96
};

struct query_request {
    const char *collection;      // name or uid
    const float *embeddings;     // float[number_count], row-major
    size_t number_count;         // queries × dimension; what is wrong with it is found out here
    uint32_t k;                  // 1 or more
    const struct filter *filter; // NULL: all records
    double max_distance;         // INFINITY: no cut-off
    int64_t min_sequence;
    struct mono_time deadline;
};

// Open until query_answer_close, and not to be moved: the transaction to read the hits' records in,
// and what their ids point to.
struct query_answer {
    struct store_txn *txn;
    struct collection_row row; // as the transaction sees it
    struct topk *results;      // [query_count], each nearest first
    size_t query_count;
    char plan[PLAN_SIZE];
    struct collection_reader reader;
    bool has_reader;
};

// Memory from the arena. Besides collection_read_begin's errors: DIMENSION_MISMATCH,
// EMBEDDING_NOT_FINITE, EMBEDDING_ZERO, FIELD_OUT_OF_RANGE, SEQUENCE_AHEAD. Nothing is open after
// an error.
enum soma_code query_answer_open(struct store *store, struct vectors *vectors,
                                 const struct query_request *request, struct arena *arena,
                                 struct query_answer *ret_answer, struct soma_error *err);
void query_answer_close(struct query_answer *answer);

// "FEWER_MATCHES" or "MAX_DISTANCE" where there are fewer than k hits, else "".
const char *query_short_reason(const struct topk *result);

// SEQUENCE_AHEAD where the collection has not reached min_sequence.
enum soma_code check_min_sequence(const struct collection_row *row, int64_t min_sequence,
                                  struct soma_error *err);

// The collection as a fresh read transaction sees it; the transaction stays open in *ret_txn.
enum soma_code collection_snapshot(struct store *store, const char *name, int64_t min_sequence,
                                   struct arena *arena, struct store_txn **ret_txn,
                                   struct collection_row *ret_row, struct soma_error *err);

#endif
