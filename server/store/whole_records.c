#include "store/whole_records.h"

#include <string.h>

#include "store/sqlite.h"

static const char SQL_SCAN[] =
    "SELECT r.num, r.id, r.hash, r.metadata, d.text, e.vector FROM record r"
    " LEFT JOIN document d ON d.num = r.num LEFT JOIN embedding e ON e.num = r.num"
    " WHERE r.num > ?1 AND r.num <= ?2 ORDER BY r.num";

// In the order of the members of struct whole_counts; document_text_docsize has a row for each
// document that was split into words.
static const char SQL_COUNT[] =
    "SELECT (SELECT count(*) FROM record WHERE num > ?1 AND num < ?2),"
    " (SELECT count(*) FROM document WHERE num > ?1 AND num < ?2),"
    " (SELECT count(*) FROM document_text_docsize WHERE id > ?1 AND id < ?2),"
    " (SELECT count(*) FROM embedding e WHERE e.num > ?1 AND e.num < ?2"
    "  AND NOT EXISTS (SELECT 1 FROM record r WHERE r.num = e.num))";

static void read_row(const struct query *query, uint32_t dimension, struct whole_record *record)
{
    size_t length;
    *record =
        (struct whole_record){.row = {.num = query_int(query, 0), .id = query_peek_text(query, 1)}};
    record->hash = query_peek_blob(query, 2, &length);
    if (length != RECORD_HASH_BYTES)
        record->hash = NULL;
    record->row.metadata.bytes = query_peek_blob(query, 3, &record->row.metadata.length);
    if (!query_is_null(query, 4)) {
        record->row.document = query_peek_text(query, 4);
        record->row.document_length = strlen(record->row.document);
    }
    record->row.embedding = query_peek_blob(query, 5, &length);
    if (length != dimension * sizeof(float))
        record->row.embedding = NULL;
}

enum soma_code whole_records_scan(struct store_txn *txn, int64_t after, int64_t last,
                                  uint32_t dimension, whole_record_visit *visit, void *context,
                                  struct soma_error *err)
{
    QUERY_CLEANUP struct query query;
    query_begin(&query, txn, SQL_SCAN);
    query_bind_int(&query, 1, after);
    query_bind_int(&query, 2, last);
    for (;;) {
        bool found;
        struct whole_record record;
        enum soma_code code = query_next(&query, &found, err);
        if (code || !found)
            return code;
        read_row(&query, dimension, &record);
        if (!visit(context, &record))
            return SOMA_OK;
    }
}

enum soma_code whole_records_count(struct store_txn *txn, int64_t partition,
                                   struct whole_counts *ret_counts, struct soma_error *err)
{
    QUERY_CLEANUP struct query query;
    query_begin(&query, txn, SQL_COUNT);
    query_bind_int(&query, 1, partition << PARTITION_SHIFT);
    query_bind_int(&query, 2, (partition + 1) << PARTITION_SHIFT);
    bool found;
    enum soma_code code = query_next(&query, &found, err);
    if (!code)
        *ret_counts = (struct whole_counts){.records = query_int(&query, 0),
                                            .documents = query_int(&query, 1),
                                            .texts = query_int(&query, 2),
                                            .embeddings = query_int(&query, 3)};
    return code;
}
