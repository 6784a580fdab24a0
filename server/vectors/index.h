// What answers "the k nearest": the interface that exact search implements, and that a graph will.
//
// A search sees the rows that are alive at one sequence, and of those only the ones it is allowed
// to. It takes no lock and allocates only scratch memory of bounded size.
#ifndef VECTORS_INDEX_H
#define VECTORS_INDEX_H

#include "base/clock.h"
#include "base/error.h"
#include "vectors/kernels.h"
#include "vectors/rows.h"
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
    const struct num_set *only; // NULL: all
    struct mono_time deadline;
};

struct index_kind {
    const char *name; // "exact"
    // Offers every row that may be among the nearest to each query's topk. DEADLINE_EXCEEDED,
    // OUT_OF_MEMORY.
    enum soma_code (*search)(const struct row_set *rows, const struct index_search *search,
                             struct topk *topks, struct soma_error *err);
};

extern const struct index_kind index_exact;

#endif
