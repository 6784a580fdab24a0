// Does memory hold what the database holds, does the index lead to it, and how much does it find?
// Reads only; a check takes a snapshot as a query does, and nobody waits for it.
#ifndef VECTORS_CHECK_H
#define VECTORS_CHECK_H

#include "vectors/collection.h"

enum {
    CHECK_K = 10,       // neighbours that recall is measured over
    CHECK_EXAMPLES = 5, // ids named for each kind of finding
    CHECK_SAMPLE_DEFAULT = 100
};

// What can disagree.
enum check_kind {
    CHECK_ROW_MISSING,
    CHECK_ROW_EXTRA,
    CHECK_ROW_DIFFERS,
    CHECK_NODE_MISSING,
    CHECK_CODE_DIFFERS,
    CHECK_ANSWER_DELETED,
    CHECK_EMBEDDING_DAMAGED,
    CHECK_CONTENT_DAMAGED,
    CHECK_EMBEDDING_EXTRA,
    CHECK_TEXT_DIFFERS,
    CHECK_COUNT_DIFFERS,
    CHECK_KINDS
};

struct check_finding {
    const char *kind; // static: "ROW_MISSING"
    const char *text; // static: what it means
    int64_t count;
    const char *ids[CHECK_EXAMPLES]; // of the first records concerned, in the arena
    size_t id_count;
};

struct check_report {
    int64_t sequence;       // of the state that was checked
    int64_t records;        // in the database
    int64_t rows;           // in memory
    int64_t rows_indexed;   // of these in the graph; the others are compared exactly
    const char *index_kind; // "exact" or "hnsw": how the sample was answered
    uint32_t sampled;       // rows whose neighbours were looked for
    double recall;          // of all, 0 to 1; 1 where there was nothing to find
    double recall_min;      // of the worst of them
    struct check_finding findings[CHECK_KINDS]; // those that occurred
    size_t finding_count;                       // 0: all agrees
};

struct check_request {
    const char *collection; // name, alias or uid
    uint32_t sample;        // rows to measure recall with
    struct mono_time deadline;
};

// COLLECTION_NOT_FOUND, MEMORY_BUDGET, DEADLINE_EXCEEDED, OUT_OF_MEMORY. Takes 8 MiB and what the
// sample needs, whatever the collection's size.
enum soma_code collection_check(struct store *store, struct vectors *vectors,
                                const struct check_request *request, struct arena *arena,
                                struct check_report *ret_report, struct soma_error *err);

#endif
