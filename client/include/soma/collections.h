// Collections of records, and what a query of them means. Include <soma/soma.h>.
#ifndef SOMA_COLLECTIONS_H
#define SOMA_COLLECTIONS_H

#include <soma/client.h>

#ifdef __cplusplus
extern "C" {
#endif

// --- collections ---------------------------------------------------------------------

// docs/PROTOCOL.md and proto/soma/v1/vectors.proto define distance and score of each.
enum soma_metric {
    SOMA_METRIC_COSINE = 1,
    SOMA_METRIC_L2 = 2,
    SOMA_METRIC_DOT = 3,
};
// "cosine", "l2", "dot"; "unknown".
SOMA_API const char *soma_metric_name(enum soma_metric metric);
SOMA_API bool soma_metric_from_name(const char *name, enum soma_metric *ret_metric);

enum soma_value_type {
    // In an update: remove the key.
    SOMA_VALUE_NONE = 0,
    SOMA_VALUE_STRING = 1,
    SOMA_VALUE_INT = 2,
    SOMA_VALUE_DOUBLE = 3,
    SOMA_VALUE_BOOL = 4,
    SOMA_VALUE_STRING_LIST = 5,
    SOMA_VALUE_INT_LIST = 6,
    SOMA_VALUE_DOUBLE_LIST = 7,
    SOMA_VALUE_BOOL_LIST = 8,
};

struct soma_metadata_field {
    const char *key;
    enum soma_value_type type;
    // Values in the list that value points to.
    size_t list_count;
    union {
        const char *string;
        int64_t integer;
        double number;
        bool boolean;
        const char *const *strings;
        const int64_t *integers;
        const double *numbers;
        const bool *booleans;
    } value;
};

// The codes that a search walks on; the nearest are always compared in float32.
enum soma_quantization {
    SOMA_QUANTIZATION_NONE = 1,
    SOMA_QUANTIZATION_BF16 = 2,
    SOMA_QUANTIZATION_INT8 = 3,
    SOMA_QUANTIZATION_INT4 = 4,
};

// "none", "bf16", "int8", "int4"; "unknown" for another number.
SOMA_API const char *soma_quantization_name(enum soma_quantization quantization);
SOMA_API bool soma_quantization_from_name(const char *name,
                                          enum soma_quantization *ret_quantization);

// Where the embeddings are that the nearest are compared by.
enum soma_rerank {
    SOMA_RERANK_MEMORY = 1,
    // In mapped files: only codes and links are held in memory.
    SOMA_RERANK_DISK = 2,
};

// "memory", "disk"; "unknown" for another number.
SOMA_API const char *soma_rerank_name(enum soma_rerank rerank);
SOMA_API bool soma_rerank_from_name(const char *name, enum soma_rerank *ret_rerank);

// How a collection is indexed. In a request 0 is the default.
struct soma_index_settings {
    // int8.
    enum soma_quantization quantization;
    // Links of a new row: 4 to 64; 16.
    uint32_t m;
    // Candidates that are looked at for them: 8 to 1 000; 200.
    uint32_t ef_construction;
    // Candidates of a query that does not say: 1 to 10 000; 64.
    uint32_t ef_search;
    // memory.
    enum soma_rerank rerank;
};

struct soma_collection {
    const char *name;
    const char *uid;
    uint32_t dimension;
    enum soma_metric metric;
    const struct soma_metadata_field *metadata;
    size_t metadata_count;
    int64_t created_ms;
    int64_t sequence;
    int64_t record_count;
    // 0: not loaded.
    int64_t memory_bytes;
    // How queries are answered: "exact" or "hnsw".
    const char *index_kind;
    struct soma_index_settings index;
    // Of a loaded collection; otherwise 0.
    int64_t rows_indexed;
    // Compared exactly by every query until they are indexed.
    int64_t rows_waiting;
    // That are indexed now.
    double rows_per_second;
    // Codes and links, within memory_bytes.
    int64_t index_bytes;
    // The sequence of the index's file; 0: there is none.
    int64_t index_file_sequence;
    // Other names.
    const char *const *aliases;
    size_t alias_count;
};

struct soma_collection_create_request {
    size_t struct_size;
    const char *name;
    uint32_t dimension;
    // 0: cosine.
    enum soma_metric metric;
    const struct soma_metadata_field *metadata;
    size_t metadata_count;
    // One of the same dimension and metric is taken as it is.
    bool exist_ok;
    struct soma_index_settings index;
};
#define SOMA_COLLECTION_CREATE_REQUEST_INIT SOMA_INIT(struct soma_collection_create_request)
SOMA_METHOD(collection_create, soma_collection_create_request, soma_collection);

struct soma_collection_request {
    size_t struct_size;
    // Name, alias or uid, here and below.
    const char *collection;
};
#define SOMA_COLLECTION_REQUEST_INIT SOMA_INIT(struct soma_collection_request)
SOMA_METHOD(collection_get, soma_collection_request, soma_collection);

struct soma_collection_list_request {
    size_t struct_size;
    uint32_t page_size;
    const char *cursor;
};
#define SOMA_COLLECTION_LIST_REQUEST_INIT SOMA_INIT(struct soma_collection_list_request)

struct soma_collection_list {
    const struct soma_collection *collections;
    size_t collection_count;
    const char *next_cursor;
};
SOMA_METHOD(collection_list, soma_collection_list_request, soma_collection_list);

struct soma_collection_update_request {
    size_t struct_size;
    const char *collection;
    // NULL: keep.
    const char *new_name;
    // Merged by key.
    const struct soma_metadata_field *metadata;
    size_t metadata_count;
};
#define SOMA_COLLECTION_UPDATE_REQUEST_INIT SOMA_INIT(struct soma_collection_update_request)
SOMA_METHOD(collection_update, soma_collection_update_request, soma_collection);

struct soma_collection_alias_request {
    size_t struct_size;
    // As a collection's name.
    const char *alias;
    const char *collection;
};
#define SOMA_COLLECTION_ALIAS_REQUEST_INIT SOMA_INIT(struct soma_collection_alias_request)
// The alias stands for the collection from now on, whatever it stood for.
SOMA_METHOD(collection_alias, soma_collection_alias_request, soma_collection);

struct soma_collection_unalias_request {
    size_t struct_size;
    const char *alias;
};
#define SOMA_COLLECTION_UNALIAS_REQUEST_INIT SOMA_INIT(struct soma_collection_unalias_request)

struct soma_collection_unaliased {
    // Always; what is no alias is an error.
    bool was_alias;
};
SOMA_METHOD(collection_unalias, soma_collection_unalias_request, soma_collection_unaliased);

struct soma_collection_clone_request {
    size_t struct_size;
    const char *collection;
    const char *new_name;
};
#define SOMA_COLLECTION_CLONE_REQUEST_INIT SOMA_INIT(struct soma_collection_clone_request)
// Up to 200 000 records, in one step.
SOMA_METHOD(collection_clone, soma_collection_clone_request, soma_collection);

struct soma_collection_check_request {
    size_t struct_size;
    const char *collection;
    // Rows whose ten nearest neighbours are looked for through the index and exactly. 0: 100. At
    // most 1 000.
    uint32_t sample;
};
#define SOMA_COLLECTION_CHECK_REQUEST_INIT SOMA_INIT(struct soma_collection_check_request)

// Something that does not agree; proto/soma/v1/vectors.proto lists the kinds.
struct soma_check_finding {
    // "ROW_MISSING".
    const char *kind;
    // For people.
    const char *message;
    int64_t count;
    // Of the first records concerned.
    const char *const *ids;
    size_t id_count;
};

struct soma_collection_check {
    const struct soma_check_finding *findings;
    // 0: all agrees.
    size_t finding_count;
    // Of the state that was checked.
    int64_t sequence;
    // In the database, in memory, and of these in the graph; the others are compared exactly.
    int64_t records;
    int64_t rows;
    int64_t rows_indexed;
    // How the sample was answered: "exact" or "hnsw".
    const char *index_kind;
    uint32_t sampled;
    // Neighbours found of those that there are, over all of the sample and for its worst row: 0
    // to 1.
    double recall;
    double recall_min;
};
// Compares what is searched with what is stored and measures recall. Reads every record: give large
// collections a long timeout.
SOMA_METHOD(collection_check, soma_collection_check_request, soma_collection_check);

// The checksum (FNV-1a, 64 bits) of bytes that follow others whose checksum was before, as at the
// end of files that hold a snapshot; begins with 14695981039346656037.
SOMA_API uint64_t soma_snapshot_checksum(uint64_t before, const void *bytes, size_t length);

struct soma_snapshot_read_request {
    size_t struct_size;
    const char *collection;
    // The last place of the page before; 0: from the first.
    int64_t after_place;
    // Only records that changed after it; 0: all.
    int64_t since_sequence;
};
#define SOMA_SNAPSHOT_READ_REQUEST_INIT SOMA_INIT(struct soma_snapshot_read_request)

// A page of a snapshot; proto/soma/v1/vectors.proto says how pages make a snapshot.
struct soma_snapshot_page {
    // To be kept as they are and given to soma_snapshot_restore: a SnapshotPage, packed.
    const void *bytes;
    size_t length;
    // What it holds of them.
    const char *collection_uid;
    int64_t sequence;
    // Of the collection, at this sequence.
    int64_t record_count;
    size_t page_records;
    int64_t last_place;
    // Nothing follows in this round.
    bool is_last;
};
SOMA_METHOD(snapshot_read, soma_snapshot_read_request, soma_snapshot_page);

struct soma_snapshot_restore_request {
    size_t struct_size;
    // As the reply to the first page gave it; NULL: this is the first page.
    const char *uid;
    // Of a soma_snapshot_page.
    const void *bytes;
    size_t length;
    // With the last page: the name under which the collection appears. NULL: more pages follow.
    const char *finish_name;
};
#define SOMA_SNAPSHOT_RESTORE_REQUEST_INIT SOMA_INIT(struct soma_snapshot_restore_request)

struct soma_snapshot_restored {
    const char *uid;
    int64_t record_count;
    // Where a name was given: false asks for the same call once more.
    bool is_finished;
};
// soma_collection_delete with the uid gives a restore up.
SOMA_METHOD(snapshot_restore, soma_snapshot_restore_request, soma_snapshot_restored);

struct soma_records_deleted {
    int64_t matched;
    int64_t deleted;
    // Of ids: those that named no record.
    int64_t missing;
    int64_t sequence;
};
SOMA_METHOD(collection_delete, soma_collection_request, soma_records_deleted);
SOMA_METHOD(collection_clear, soma_collection_request, soma_records_deleted);

#ifdef __cplusplus
}
#endif

#endif
