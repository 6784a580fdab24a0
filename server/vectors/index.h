// What answers "the k nearest": exact search, or the graph and exact search of what it does not
// hold; where a filter leaves few records, a look at the codes of these.
//
// A search sees the rows that are alive at one sequence, and of those only the ones it is allowed
// to: a row set, as a bit for each record number with their count. It takes no lock and allocates
// only scratch memory of bounded size.
#ifndef VECTORS_INDEX_H
#define VECTORS_INDEX_H

#include "base/clock.h"
#include "base/error.h"
#include "vectors/kernels/kernels.h"
#include "vectors/rows.h"
#include "vectors/spread.h"
#include "vectors/topk.h"

// The numbers of vectors.proto.
enum metric {
    METRIC_COSINE = 1,
    METRIC_L2 = 2,
    METRIC_DOT = 3
};

// Which records a filtered search may find: one bit for each number of the partition.
struct num_set {
    int64_t first;   // the number of bit 0
    size_t size;     // bits
    uint64_t *words; // the maker's
    size_t count;    // of bits that are set
};

static inline bool num_set_has(const struct num_set *set, int64_t num)
{
    uint64_t bit = (uint64_t)(num - set->first);
    return bit < set->size && (set->words[bit / 64] >> bit % 64 & 1);
}

struct index_search {
    enum metric metric;
    uint32_t dim;
    const float *queries; // float[query_count][dim]; of length 1 where the metric is cosine
    size_t query_count;
    int64_t sequence;
    const struct num_set *only; // NULL: all; otherwise only these count, on the way to k as well
    uint32_t ef;                // candidates of the walk through the graph; 0: the collection's
    bool is_exact;              // compare with every row that may be found
    bool has_waiting;           // set by index_search: rows outside the graph were offered already
    struct mono_time deadline;
    const struct spread *spread; // who helps where there are many queries; NULL: nobody
};

// What is searched: given by collection_read_at. The graph may be NULL.
struct index_view {
    struct row_set *rows;
    struct graph *graph;
};

// How a search was answered.
struct index_report {
    const char *kind; // "exact", "codes" (of all that match) or "hnsw"
    uint32_t ef;      // of hnsw
};

// Offers the nearest rows to each query's topk: all that may be among them where the search is
// exact, else those that the graph leads to and all that it does not hold yet. With a row set every
// query gets min(k, rows of the set that are alive), whatever the plan. DEADLINE_EXCEEDED,
// OUT_OF_MEMORY.
enum soma_code index_search(const struct index_view *view, const struct index_search *search,
                            struct topk *topks, struct index_report *ret_report,
                            struct soma_error *err);

// Exact search (exact.c). only_waiting: of the rows that are not in the graph. ret_compared may be
// NULL: how many rows were found that may be.
enum soma_code exact_search(const struct row_set *rows, const struct index_search *search,
                            bool only_waiting, struct topk *topks, size_t *ret_compared,
                            struct soma_error *err);

// The metric's distance from what a kernel gave: Σ (q - x)² for METRIC_L2, else q·x; exact where
// that was too large for float32.
double index_distance(const struct index_search *search, const float *query, const float *row,
                      float raw);

#endif
