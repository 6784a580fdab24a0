#include "store/records.h"

#include <string.h>

#include "store/sqlite.h"
#include "store/texts.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
               "embeddings are stored as they lie in memory, little-endian");

static const char SQL_FIND[] = "SELECT num, hash FROM record WHERE partition = ?1 AND id = ?2";
static const char SQL_RECORD[] = "SELECT id, metadata FROM record WHERE num = ?1";
static const char SQL_HAS[] = "SELECT 1 FROM record WHERE num = ?1";
static const char SQL_EMBEDDING[] = "SELECT vector FROM embedding WHERE num = ?1";
static const char SQL_DOCUMENT[] = "SELECT text FROM document WHERE num = ?1";
static const char SQL_INSERT[] = "INSERT INTO record (num, sequence, hash, metadata, partition, id)"
                                 " VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
static const char SQL_UPDATE[] =
    "UPDATE record SET sequence = ?2, hash = ?3, metadata = ?4 WHERE num = ?1";
static const char SQL_PUT_EMBEDDING[] = "INSERT OR REPLACE INTO embedding VALUES (?1, ?2)";
static const char SQL_DELETE_RECORD[] = "DELETE FROM record WHERE num = ?1";
static const char SQL_DELETE_EMBEDDING[] = "DELETE FROM embedding WHERE num = ?1";
static const char SQL_SCAN_METADATA[] =
    "SELECT num, id, metadata FROM record WHERE num > ?1 AND num < ?2 ORDER BY num";
static const char SQL_SCAN_IDS[] =
    "SELECT num, id, metadata FROM record WHERE partition = ?1 AND id > ?2 ORDER BY id";
static const char SQL_SCAN_EMBEDDINGS[] =
    "SELECT r.num, r.id, e.vector FROM record r JOIN embedding e USING (num)"
    " WHERE r.num > ?1 AND r.num < ?2 ORDER BY r.num";
static const char SQL_SCAN_SEQUENCES[] =
    "SELECT num, sequence FROM record WHERE num > ?1 AND num < ?2 AND sequence > ?3 ORDER BY num";
static const char SQL_PURGE_LIMIT[] =
    "SELECT max(num), count(*) FROM"
    " (SELECT num FROM record WHERE num > ?1 AND num < ?2 ORDER BY num LIMIT ?3)";
static const char SQL_PURGE_RECORDS[] = "DELETE FROM record WHERE num > ?1 AND num <= ?2";
static const char SQL_PURGE_EMBEDDINGS[] = "DELETE FROM embedding WHERE num > ?1 AND num <= ?2";

static int64_t first_num(int64_t partition)
{
    return partition << PARTITION_SHIFT;
}

static enum soma_code damaged(int64_t num, const char *what, struct soma_error *err)
{
    return error_set(err, REASON_DATA_DAMAGED, NULL, "record %lld: %s", (long long)num, what);
}

enum soma_code records_find(struct store_txn *txn, int64_t partition, const char *id,
                            int64_t *ret_num, uint8_t ret_hash[RECORD_HASH_BYTES], bool *ret_found,
                            struct soma_error *err)
{
    QUERY_CLEANUP struct query query;
    query_begin(&query, txn, SQL_FIND);
    query_bind_int(&query, 1, partition);
    query_bind_text(&query, 2, id);
    enum soma_code code = query_next(&query, ret_found, err);
    if (code || !*ret_found)
        return code;
    size_t length;
    const void *hash = query_peek_blob(&query, 1, &length);
    *ret_num = query_int(&query, 0);
    if (length != RECORD_HASH_BYTES)
        return damaged(*ret_num, "its hash has another length", err);
    memcpy(ret_hash, hash, RECORD_HASH_BYTES);
    return SOMA_OK;
}

enum soma_code records_has(struct store_txn *txn, int64_t num, bool *ret_has,
                           struct soma_error *err)
{
    QUERY_CLEANUP struct query query;
    query_begin(&query, txn, SQL_HAS);
    query_bind_int(&query, 1, num);
    return query_next(&query, ret_has, err);
}

static enum soma_code read_record(struct store_txn *txn, int64_t num, struct record_parts parts,
                                  struct arena *arena, struct record_row *row,
                                  struct soma_error *err)
{
    QUERY_CLEANUP struct query query;
    query_begin(&query, txn, SQL_RECORD);
    query_bind_int(&query, 1, num);
    bool found;
    enum soma_code code = query_next(&query, &found, err);
    if (code)
        return code;
    if (!found)
        return damaged(num, "it is not there", err);
    row->num = num;
    row->id = query_copy_text(&query, 0, arena);
    if (parts.metadata)
        row->metadata.bytes = query_copy_blob(&query, 1, arena, &row->metadata.length);
    return row->id && (row->metadata.bytes || !parts.metadata) ? SOMA_OK : error_set_no_memory(err);
}

static enum soma_code read_document(struct store_txn *txn, int64_t num, struct arena *arena,
                                    struct record_row *row, struct soma_error *err)
{
    QUERY_CLEANUP struct query query;
    query_begin(&query, txn, SQL_DOCUMENT);
    query_bind_int(&query, 1, num);
    bool found;
    enum soma_code code = query_next(&query, &found, err);
    if (code || !found)
        return code;
    row->document = query_copy_text(&query, 0, arena);
    if (!row->document)
        return error_set_no_memory(err);
    row->document_length = strlen(row->document);
    return SOMA_OK;
}

static enum soma_code read_embedding(struct store_txn *txn, int64_t num, uint32_t dimension,
                                     struct arena *arena, struct record_row *row,
                                     struct soma_error *err)
{
    QUERY_CLEANUP struct query query;
    query_begin(&query, txn, SQL_EMBEDDING);
    query_bind_int(&query, 1, num);
    bool found;
    enum soma_code code = query_next(&query, &found, err);
    if (code)
        return code;
    size_t length = 0;
    const void *vector = found ? query_peek_blob(&query, 0, &length) : NULL;
    if (length != dimension * sizeof(float))
        return damaged(num, "its embedding is missing or has another length", err);
    void *copy = arena_copy(arena, vector, length);
    if (!copy)
        return error_set_no_memory(err);
    row->embedding = copy;
    return SOMA_OK;
}

enum soma_code records_read(struct store_txn *txn, int64_t num, struct record_parts parts,
                            uint32_t dimension, struct arena *arena, struct record_row *ret_row,
                            struct soma_error *err)
{
    struct record_row row = {0};
    enum soma_code code = read_record(txn, num, parts, arena, &row, err);
    if (!code && parts.document)
        code = read_document(txn, num, arena, &row, err);
    if (!code && parts.embedding)
        code = read_embedding(txn, num, dimension, arena, &row, err);
    if (!code)
        *ret_row = row;
    return code;
}

static enum soma_code put_blob(struct store_txn *txn, const char *sql, int64_t num,
                               const void *bytes, size_t length, struct soma_error *err)
{
    QUERY_CLEANUP struct query query;
    query_begin(&query, txn, sql);
    query_bind_int(&query, 1, num);
    query_bind_blob(&query, 2, bytes, length);
    return query_run(&query, err);
}

static enum soma_code run_with_num(struct store_txn *txn, const char *sql, int64_t num,
                                   struct soma_error *err)
{
    QUERY_CLEANUP struct query query;
    query_begin(&query, txn, sql);
    query_bind_int(&query, 1, num);
    return query_run(&query, err);
}

static void bind_content(struct query *query, const struct record_row *row, const uint8_t *hash,
                         int64_t sequence)
{
    query_bind_int(query, 1, row->num);
    query_bind_int(query, 2, sequence);
    query_bind_blob(query, 3, hash, RECORD_HASH_BYTES);
    query_bind_blob(query, 4, row->metadata.length ? row->metadata.bytes : (const uint8_t *)"",
                    row->metadata.length);
}

enum soma_code records_insert(struct store_txn *txn, int64_t partition,
                              const struct record_row *row, const uint8_t hash[RECORD_HASH_BYTES],
                              int64_t sequence, uint32_t dimension, struct soma_error *err)
{
    QUERY_CLEANUP struct query query;
    query_begin(&query, txn, SQL_INSERT);
    bind_content(&query, row, hash, sequence);
    query_bind_int(&query, 5, partition);
    query_bind_text(&query, 6, row->id);
    enum soma_code code = query_run(&query, err);
    if (!code)
        code = put_blob(txn, SQL_PUT_EMBEDDING, row->num, row->embedding, dimension * sizeof(float),
                        err);
    if (!code && row->document)
        code = texts_put(txn, row->num, row->document, err);
    return code;
}

enum soma_code records_replace(struct store_txn *txn, const struct record_row *row,
                               const uint8_t hash[RECORD_HASH_BYTES], int64_t sequence,
                               uint32_t dimension, struct soma_error *err)
{
    QUERY_CLEANUP struct query query;
    query_begin(&query, txn, SQL_UPDATE);
    bind_content(&query, row, hash, sequence);
    enum soma_code code = query_run(&query, err);
    if (!code && row->embedding)
        code = put_blob(txn, SQL_PUT_EMBEDDING, row->num, row->embedding, dimension * sizeof(float),
                        err);
    if (code)
        return code;
    return row->document ? texts_put(txn, row->num, row->document, err)
                         : texts_delete(txn, row->num - 1, row->num, err);
}

enum soma_code records_delete(struct store_txn *txn, int64_t num, struct soma_error *err)
{
    enum soma_code code = run_with_num(txn, SQL_DELETE_RECORD, num, err);
    if (!code)
        code = run_with_num(txn, SQL_DELETE_EMBEDDING, num, err);
    if (!code)
        code = texts_delete(txn, num - 1, num, err);
    return code;
}

static enum soma_code visit_all(struct query *query, record_visit *visit, void *context,
                                struct soma_error *err)
{
    for (;;) {
        bool found;
        enum soma_code code = query_next(query, &found, err);
        if (code || !found)
            return code;
        struct record_row row = {.num = query_int(query, 0), .id = query_peek_text(query, 1)};
        row.metadata.bytes = query_peek_blob(query, 2, &row.metadata.length);
        if (!visit(context, &row))
            return SOMA_OK;
    }
}

enum soma_code records_scan_metadata(struct store_txn *txn, int64_t partition, record_visit *visit,
                                     void *context, struct soma_error *err)
{
    QUERY_CLEANUP struct query query;
    query_begin(&query, txn, SQL_SCAN_METADATA);
    query_bind_int(&query, 1, first_num(partition));
    query_bind_int(&query, 2, first_num(partition + 1));
    return visit_all(&query, visit, context, err);
}

enum soma_code records_scan_ids(struct store_txn *txn, int64_t partition, const char *after_id,
                                record_visit *visit, void *context, struct soma_error *err)
{
    QUERY_CLEANUP struct query query;
    query_begin(&query, txn, SQL_SCAN_IDS);
    query_bind_int(&query, 1, partition);
    query_bind_text(&query, 2, after_id);
    return visit_all(&query, visit, context, err);
}

enum soma_code records_scan_embeddings(struct store_txn *txn, int64_t partition, uint32_t dimension,
                                       record_visit *visit, void *context, struct soma_error *err)
{
    QUERY_CLEANUP struct query query;
    query_begin(&query, txn, SQL_SCAN_EMBEDDINGS);
    query_bind_int(&query, 1, first_num(partition));
    query_bind_int(&query, 2, first_num(partition + 1));
    for (;;) {
        bool found;
        enum soma_code code = query_next(&query, &found, err);
        if (code || !found)
            return code;
        struct record_row row = {.num = query_int(&query, 0), .id = query_peek_text(&query, 1)};
        size_t length;
        row.embedding = query_peek_blob(&query, 2, &length);
        if (length != dimension * sizeof(float))
            return damaged(row.num, "its embedding has another length", err);
        if (!visit(context, &row))
            return SOMA_OK;
    }
}

// The number up to which max_records records go, and how many those are.
static enum soma_code purge_limit(struct store_txn *txn, int64_t partition, int64_t max_records,
                                  int64_t *ret_last, int64_t *ret_count, struct soma_error *err)
{
    QUERY_CLEANUP struct query query;
    query_begin(&query, txn, SQL_PURGE_LIMIT);
    query_bind_int(&query, 1, first_num(partition));
    query_bind_int(&query, 2, first_num(partition + 1));
    query_bind_int(&query, 3, max_records);
    bool found;
    enum soma_code code = query_next(&query, &found, err);
    if (code)
        return code;
    *ret_last = query_int(&query, 0);
    *ret_count = query_int(&query, 1);
    return SOMA_OK;
}

enum soma_code records_scan_sequences(struct store_txn *txn, int64_t partition, int64_t after,
                                      int64_t since, record_sequence_visit *visit, void *context,
                                      struct soma_error *err)
{
    QUERY_CLEANUP struct query query;
    query_begin(&query, txn, SQL_SCAN_SEQUENCES);
    query_bind_int(&query, 1, first_num(partition) + after);
    query_bind_int(&query, 2, first_num(partition + 1));
    query_bind_int(&query, 3, since);
    for (;;) {
        bool found;
        enum soma_code code = query_next(&query, &found, err);
        if (code || !found || !visit(context, query_int(&query, 0), query_int(&query, 1)))
            return code;
    }
}

enum soma_code records_purge(struct store_txn *txn, int64_t partition, int64_t max_records,
                             int64_t *ret_removed, struct soma_error *err)
{
    int64_t last, count;
    enum soma_code code = purge_limit(txn, partition, max_records, &last, &count, err);
    static const char *const deletes[] = {SQL_PURGE_RECORDS, SQL_PURGE_EMBEDDINGS};
    for (size_t i = 0; i < 2 && !code && count; i++) {
        QUERY_CLEANUP struct query query;
        query_begin(&query, txn, deletes[i]);
        query_bind_int(&query, 1, first_num(partition));
        query_bind_int(&query, 2, last);
        code = query_run(&query, err);
    }
    if (!code && count)
        code = texts_delete(txn, first_num(partition), last, err);
    if (!code)
        *ret_removed = count;
    return code;
}
