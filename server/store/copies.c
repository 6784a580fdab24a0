#include "store/copies.h"

#include "store/records.h"
#include "store/sqlite.h"

// ?1, ?2: the old partition's range, both outside; ?3: what is added to a number; ?4: the new
// partition.
static const char *const sql_of_copy[] = {
    "INSERT INTO record (num, partition, id, sequence, hash, metadata)"
    " SELECT num + ?3, ?4, id, 1, hash, metadata FROM record WHERE num > ?1 AND num < ?2",
    "INSERT INTO embedding (num, vector)"
    " SELECT num + ?3, vector FROM embedding WHERE num > ?1 AND num < ?2 AND ?4",
    "INSERT INTO document (num, text)"
    " SELECT num + ?3, text FROM document WHERE num > ?1 AND num < ?2 AND ?4",
    "INSERT INTO document_text (rowid, text)"
    " SELECT num + ?3, text FROM document WHERE num > ?1 AND num < ?2 AND ?4",
};

static enum soma_code copy_rows(struct store_txn *txn, const char *sql, int64_t from, int64_t to,
                                struct soma_error *err)
{
    QUERY_CLEANUP struct query query;
    query_begin(&query, txn, sql);
    query_bind_int(&query, 1, from << PARTITION_SHIFT);
    query_bind_int(&query, 2, (from + 1) << PARTITION_SHIFT);
    query_bind_int(&query, 3, (to - from) << PARTITION_SHIFT);
    query_bind_int(&query, 4, to);
    return query_run(&query, err);
}

enum soma_code copies_make(struct store_txn *txn, const struct collection_row *from,
                           struct collection_row *copy, struct soma_error *err)
{
    enum soma_code code = collections_insert(txn, copy, err);
    for (size_t i = 0; i < sizeof sql_of_copy / sizeof sql_of_copy[0] && !code; i++)
        code = copy_rows(txn, sql_of_copy[i], from->partition, copy->partition, err);
    copy->sequence = 1;
    copy->record_count = from->record_count;
    copy->last_record = from->last_record;
    return code ? code : collections_save_counters(txn, copy, err);
}
