// Which records a query's filter lets through, by bitmaps where there are any, else by looking at
// every record.
#ifndef VECTORS_QUERY_FILTER_H
#define VECTORS_QUERY_FILTER_H

#include "vectors/document_filter.h"
#include "vectors/filter_index.h"

struct filter_search {
    struct vectors *vectors;
    const struct collection_reader *reader; // NULL: the collection is not in memory
    struct store_txn *txn;
    const struct collection_row *row;  // as the transaction sees it
    const struct filter *filter;       // NULL: all
    struct document_filter *documents; // NULL: all
    struct mono_time deadline;
};

// *ret_source: "bitmaps" or "scan", for the filter on metadata. The caller frees with
// filter_matches_fini. DEADLINE_EXCEEDED.
enum soma_code filter_search_run(const struct filter_search *search,
                                 struct filter_matches *ret_matches, const char **ret_source,
                                 struct soma_error *err);

#endif
