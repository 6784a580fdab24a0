// A search from beginning to end: collection, snapshot, filters, rows, words, hits.
#ifndef VECTORS_QUERY_H
#define VECTORS_QUERY_H

#include "vectors/collection.h"
#include "vectors/document_filter.h"
#include "vectors/filter.h"

enum {
    PLAN_SIZE = 96
};

// How the ranks by vector and by text become one: reciprocal rank fusion (Cormack, Clarke and
// Büttcher, SIGIR 2009). Score: sum of weight / (k + rank) over the two lists, ranks from 1.
struct fusion {
    double k;
    double vector_weight, text_weight;
};

// Queries are vectors, records whose embeddings are the vectors, or nothing but texts; where there
// are vectors and texts, the first text belongs to the first vector.
struct query_request {
    const char *collection;      // name or uid
    const float *embeddings;     // float[number_count], row-major
    size_t number_count;         // queries × dimension; what is wrong with it is found out here
    const char *const *ids;      // a record is no hit of its own query
    size_t id_count;             // 0 where there are embeddings
    const char *const *texts;    // words to look for
    size_t text_count;           // 0, or as many as there are vectors
    uint32_t k;                  // 1 or more; groups, where hits are grouped
    uint32_t offset;             // hits (groups) that are left out before the first
    const struct filter *filter; // NULL: all records
    struct document_filter *documents; // NULL: all
    double max_distance;               // INFINITY: no cut-off
    double min_score;                  // -INFINITY: no cut-off
    struct fusion fusion;
    const char *group_by; // metadata key; NULL: not grouped. Records without it are no hits
    uint32_t group_size;  // hits in a group at most
    int64_t min_sequence;
    uint32_t ef;   // 0: the collection's
    bool is_exact; // no walk through the graph
    struct mono_time deadline;
};

struct query_hit {
    double distance; // NAN: not found by vector
    double score;    // of the metric, of the text, or fused
    double text_score;
    int64_t num;
    uint32_t vector_rank, text_rank; // from 1; 0: not found so
    const char *id;                  // lives as long as the answer; NULL: not found by vector
    struct metadata_item group;      // where hits are grouped; in the arena
};

struct query_result {
    struct query_hit *hits; // best first; group after group where they are grouped
    uint32_t count;
    // Why there are fewer than k; "": there are k.
    // "FEWER_MATCHES", "MAX_DISTANCE", "MIN_SCORE", "GROUP_DEPTH"
    const char *short_reason;
};

// What was done and how long it took; counts of -1: it was not done.
struct query_explain {
    const char *filter_source; // "bitmaps", "scan"; "": no filter
    int64_t records;
    int64_t estimated_matches, matches;
    int64_t text_matches; // of all texts together
    int64_t candidates;   // hits looked at for each query, at most
    uint32_t rounds;      // searches until there were enough groups
    int64_t open_us, filter_us, vector_us, text_us, rank_us;
};

// Open until query_answer_close, and not to be moved: the transaction to read the hits' records in,
// and what their ids point to.
struct query_answer {
    struct store_txn *txn;
    struct collection_row row; // as the transaction sees it
    struct query_result *results;
    size_t query_count;
    char plan[PLAN_SIZE];
    struct query_explain explain;
    struct collection_reader reader;
    bool has_reader;
};

// Memory from the arena. Besides collection_read_begin's errors: FIELD_REQUIRED,
// DIMENSION_MISMATCH, EMBEDDING_NOT_FINITE, EMBEDDING_ZERO, FIELD_INVALID, FIELD_OUT_OF_RANGE,
// RECORD_NOT_FOUND, SEQUENCE_AHEAD. Nothing is open after an error.
enum soma_code query_answer_open(struct store *store, struct vectors *vectors,
                                 const struct query_request *request, struct arena *arena,
                                 struct query_answer *ret_answer, struct soma_error *err);
void query_answer_close(struct query_answer *answer);

// SEQUENCE_AHEAD where the collection has not reached the sequence that the field of that name asks
// for.
enum soma_code check_sequence(const struct collection_row *row, const char *field, int64_t sequence,
                              struct soma_error *err);

// The collection as a fresh read transaction sees it; the transaction stays open in *ret_txn.
enum soma_code collection_snapshot(struct store *store, const char *name, int64_t min_sequence,
                                   struct arena *arena, struct store_txn **ret_txn,
                                   struct collection_row *ret_row, struct soma_error *err);

#endif
