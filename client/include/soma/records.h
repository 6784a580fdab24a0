// Records of a collection: write, read, query. Include <soma/soma.h>.
#ifndef SOMA_RECORDS_H
#define SOMA_RECORDS_H

#include <soma/collections.h>

#ifdef __cplusplus
extern "C" {
#endif

struct soma_record {
    // NULL or "" in an upsert or insert: derived from the content.
    const char *id;
    // NULL: none (in an update: keep).
    const char *document;
    const struct soma_metadata_field *metadata;
    size_t metadata_count;
};

struct soma_records_write_request {
    size_t struct_size;
    const char *collection;
    const struct soma_record *records;
    size_t record_count;
    // float[record_count][dimension], row-major. NULL in an update: keep all embeddings.
    const float *embeddings;
    uint32_t dimension;
};
#define SOMA_RECORDS_WRITE_REQUEST_INIT SOMA_INIT(struct soma_records_write_request)

struct soma_record_error {
    // Place in records.
    size_t index;
    const char *id;
    enum soma_code code;
    const char *reason;
    const char *message;
};

// inserted + updated + unchanged + skipped + failed = records.
struct soma_records_written {
    int64_t inserted;
    int64_t updated;
    int64_t unchanged;
    // Followed by another record with the same id.
    int64_t skipped;
    int64_t failed;
    const struct soma_record_error *errors;
    size_t error_count;
    int64_t sequence;
    // One for each record where some came without: the ids they got. NULL otherwise.
    const char *const *ids;
    size_t id_count;
};

// Any number of records: the library sends them in pieces of about 1 MiB, in order, each piece
// whole or not at all. When a piece fails, *ret_result is what the pieces before it did (NULL:
// none), also in the asynchronous form, and err.field counts records from the beginning. Repeating
// the whole is safe: what is there already is unchanged. A soma_call_options.request_id names the
// first piece; those of the others are derived from it, the same ones for the same records.
SOMA_METHOD(records_upsert, soma_records_write_request, soma_records_written);
// Ids that exist are errors of their records, the others are written.
SOMA_METHOD(records_insert, soma_records_write_request, soma_records_written);
// Ids that do not exist are errors of their records, the others are merged into.
SOMA_METHOD(records_update, soma_records_write_request, soma_records_written);

struct soma_include {
    bool document;
    bool metadata;
    bool embedding;
};

struct soma_records_get_request {
    size_t struct_size;
    const char *collection;
    // Any number.
    const char *const *ids;
    size_t id_count;
    // NULL: documents and metadata.
    const struct soma_include *include;
    int64_t min_sequence;
};
#define SOMA_RECORDS_GET_REQUEST_INIT SOMA_INIT(struct soma_records_get_request)

struct soma_records {
    const struct soma_record *records;
    size_t record_count;
    // float[record_count][dimension]; NULL where not asked for.
    const float *embeddings;
    uint32_t dimension;
    const char *const *missing_ids;
    size_t missing_count;
    int64_t sequence;
    // From a scan; NULL: this was the last page.
    const char *next_cursor;
};
SOMA_METHOD(records_get, soma_records_get_request, soma_records);

struct soma_records_scan_request {
    size_t struct_size;
    const char *collection;
    // JSON text; NULL: all.
    const char *where;
    // 0: 100. At most 10 000.
    uint32_t page_size;
    const char *cursor;
    const struct soma_include *include;
    int64_t min_sequence;
    // JSON text, a filter on documents; NULL: all.
    const char *where_document;
    // A metadata key whose values give the order; NULL: by id. Records without it come last.
    const char *order_by;
    // From the last to the first.
    bool descending;
};
#define SOMA_RECORDS_SCAN_REQUEST_INIT SOMA_INIT(struct soma_records_scan_request)
SOMA_METHOD(records_scan, soma_records_scan_request, soma_records);

struct soma_records_delete_request {
    size_t struct_size;
    const char *collection;
    // Exactly one of ids and where. Any number of ids, sent in pieces as in soma_records_upsert.
    const char *const *ids;
    size_t id_count;
    const char *where;
    bool dry_run;
};
#define SOMA_RECORDS_DELETE_REQUEST_INIT SOMA_INIT(struct soma_records_delete_request)
SOMA_METHOD(records_delete, soma_records_delete_request, soma_records_deleted);

struct soma_records_count_request {
    size_t struct_size;
    const char *collection;
    const char *where;
    int64_t min_sequence;
    // As in a scan.
    const char *where_document;
};
#define SOMA_RECORDS_COUNT_REQUEST_INIT SOMA_INIT(struct soma_records_count_request)

struct soma_records_count {
    int64_t count;
    int64_t sequence;
};
SOMA_METHOD(records_count, soma_records_count_request, soma_records_count);

struct soma_records_facet_request {
    size_t struct_size;
    const char *collection;
    // The metadata key whose values are counted; each value of a list counts.
    const char *key;
    const char *where;
    const char *where_document;
    // Values wanted, the most frequent. 0: 10. At most 1 000.
    uint32_t limit;
    int64_t min_sequence;
};
#define SOMA_RECORDS_FACET_REQUEST_INIT SOMA_INIT(struct soma_records_facet_request)

struct soma_facet_count {
    // The key with one value that is no list.
    struct soma_metadata_field value;
    // Records that hold it.
    int64_t count;
};

struct soma_records_facets {
    // Most frequent first.
    const struct soma_facet_count *counts;
    size_t count_count;
    // Different values there are.
    int64_t value_count;
    // Records that match the filters, and of those the ones without the key.
    int64_t matched;
    int64_t without;
    int64_t sequence;
};
// How often which values of a metadata key occur.
SOMA_METHOD(records_facet, soma_records_facet_request, soma_records_facets);

// How ranks by vector and by text become one: score = vector_weight / (k + vector_rank) +
// text_weight / (k + text_rank).
struct soma_fusion {
    // 1 to 10 000; 0: 60.
    double k;
    // 0 or more, not both 0.
    double vector_weight;
    double text_weight;
};

// Queries are vectors, the vectors of records, texts, or vectors and texts together.
struct soma_records_query_request {
    size_t struct_size;
    const char *collection;
    // float[query_count][dimension], row-major. NULL: see ids and texts.
    const float *embeddings;
    size_t query_count;
    uint32_t dimension;
    // Hits for each query; groups, where they are grouped. 0: 10.
    uint32_t k;
    const char *where;
    const struct soma_include *include;
    // Hits farther than *max_distance are left out; NULL: no cut-off.
    const double *max_distance;
    int64_t min_sequence;
    // JSON text, a filter on documents; NULL: all.
    const char *where_document;
    // Records whose embeddings are the queries; [query_count], without embeddings. None is its own
    // hit.
    const char *const *ids;
    // Words to look for in documents; [query_count]. Any text will do.
    const char *const *texts;
    // Hits (groups) left out before the first.
    uint32_t offset;
    // Hits with a score below *min_score are left out; NULL: no cut-off.
    const double *min_score;
    // For vectors and texts together; NULL: k 60, weights 1.
    const struct soma_fusion *fusion;
    // A metadata key: hits come in groups with one value of it; NULL: not grouped.
    const char *group_by;
    // Hits in a group at most. 0: 1. At most 100.
    uint32_t group_size;
    // Fill in explain.
    bool explain;
    // Candidates of the walk through the index: more find more and take longer. 0: the
    // collection's; 10 000 at most.
    uint32_t ef;
    // Compare with every record that may be found.
    bool exact;
};
#define SOMA_RECORDS_QUERY_REQUEST_INIT SOMA_INIT(struct soma_records_query_request)

struct soma_hit {
    // Smaller is nearer. NaN where it was found by text alone.
    double distance;
    // Larger is better: of the metric, of the text (BM25), or of both, fused.
    double score;
    struct soma_record record;
    // float[dimension]; NULL where not asked for.
    const float *embedding;
    // Places among the hits by vector and by text, from 1; 0: not found so.
    uint32_t vector_rank;
    uint32_t text_rank;
    // 0 where text_rank is.
    double text_score;
    // The key and value that its group has in common; NULL: not grouped.
    const struct soma_metadata_field *group;
};

struct soma_query_result {
    const struct soma_hit *hits;
    size_t hit_count;
    // Why there are fewer than k, "FEWER_MATCHES", "MAX_DISTANCE", "MIN_SCORE", "GROUP_DEPTH";
    // NULL: there are k.
    const char *short_reason;
};

// What a query did; counts of -1: it was not done.
struct soma_query_explain {
    int64_t records;
    // "bitmaps", "scan"; NULL: no filter on metadata.
    const char *filter_source;
    int64_t estimated_matches;
    int64_t matches;
    int64_t text_matches;
    // Hits that each way of searching was asked for, and how often.
    int64_t candidates;
    uint32_t rounds;
    // Microseconds.
    int64_t open_us;
    int64_t filter_us;
    int64_t vector_us;
    int64_t text_us;
    int64_t rank_us;
    int64_t read_us;
};

struct soma_query_results {
    // One for each query, in order.
    const struct soma_query_result *results;
    size_t result_count;
    // What ran.
    const char *plan;
    int64_t sequence;
    // NULL where not asked for. Of many queries, sent in pieces: of the last piece.
    const struct soma_query_explain *explain;
    // Of the hits' embeddings, where they were asked for; 0: there are none.
    uint32_t dimension;
};
SOMA_METHOD(records_query, soma_records_query_request, soma_query_results);

#ifdef __cplusplus
}
#endif

#endif
