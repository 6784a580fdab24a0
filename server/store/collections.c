#include "store/collections.h"

#include <stdio.h>
#include <string.h>

#include "store/aliases.h"
#include "store/records.h"
#include "store/sqlite.h"
#include "wire/limit_reached.h"
#include "wire/limits.h"

#define COLUMNS                                                                                   \
    "uid, name, partition, dimension, metric, metadata, created_unix_ms, sequence, record_count," \
    " last_record, quantization, index_m, ef_construction, ef_search, rerank"

static const char SQL_BY_NAME[] = "SELECT " COLUMNS " FROM collection WHERE name = ?1";
static const char SQL_BY_UID[] = "SELECT " COLUMNS " FROM collection WHERE uid = ?1";
// Those that are being restored have names below '/' (restores.h).
static const char SQL_BY_PUBLIC_UID[] =
    "SELECT " COLUMNS " FROM collection WHERE uid = ?1 AND name > '/'";
static const char SQL_LIST[] =
    "SELECT " COLUMNS " FROM collection WHERE name > max('/', ?1) AND name < ?3 "
    "AND (?4 OR instr(name, '/') = 0) ORDER BY name LIMIT ?2";
static const char SQL_COUNT[] =
    "SELECT count(*), total(record_count) FROM collection WHERE name > '/'";
static const char SQL_NAME_TAKEN[] =
    "SELECT 1 FROM collection WHERE (name = ?1 OR uid = ?3) AND uid <> ?2";
static const char SQL_INSERT[] =
    "INSERT INTO collection (" COLUMNS ")"
    " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 0, 0, 0, ?8, ?9, ?10, ?11, ?12)";
static const char SQL_SAVE[] = "UPDATE collection SET name = ?2, metadata = ?3 WHERE uid = ?1";
static const char SQL_SAVE_COUNTERS[] = "UPDATE collection SET partition = ?2, sequence = ?3,"
                                        " record_count = ?4, last_record = ?5 WHERE uid = ?1";
static const char SQL_DELETE[] = "DELETE FROM collection WHERE uid = ?1";
static const char SQL_PARTITION_NEW[] = "INSERT INTO partition DEFAULT VALUES";
static const char SQL_PARTITION_LEAVE[] = "UPDATE partition SET is_dead = 1 WHERE num = ?1";
static const char SQL_PARTITION_DEAD[] =
    "SELECT num FROM partition WHERE is_dead = 1 ORDER BY num LIMIT 1";
static const char SQL_PARTITION_DELETE[] = "DELETE FROM partition WHERE num = ?1";

static enum soma_code read_row(const struct query *query, struct arena *arena,
                               struct collection_row *ret_row, struct soma_error *err)
{
    struct collection_row row = {.partition = query_int(query, 2),
                                 .dimension = (uint32_t)query_int(query, 3),
                                 .metric = (int)query_int(query, 4),
                                 .created_unix_ms = query_int(query, 6),
                                 .sequence = query_int(query, 7),
                                 .record_count = query_int(query, 8),
                                 .last_record = query_int(query, 9),
                                 .index = {.quantization = (enum quantization)query_int(query, 10),
                                           .m = (uint32_t)query_int(query, 11),
                                           .ef_construction = (uint32_t)query_int(query, 12),
                                           .ef_search = (uint32_t)query_int(query, 13),
                                           .flat_rows = INDEX_FLAT_ROWS_DEFAULT,
                                           .rerank = (enum rerank)query_int(query, 14)}};
    snprintf(row.uid, sizeof row.uid, "%s", query_peek_text(query, 0));
    snprintf(row.name, sizeof row.name, "%s", query_peek_text(query, 1));
    row.metadata.bytes = query_copy_blob(query, 5, arena, &row.metadata.length);
    if (!row.metadata.bytes)
        return error_set_no_memory(err);
    *ret_row = row;
    return SOMA_OK;
}

static enum soma_code find_by(struct store_txn *txn, const char *sql, const char *key,
                              struct arena *arena, struct collection_row *ret_row, bool *ret_found,
                              struct soma_error *err)
{
    QUERY_CLEANUP struct query query;
    query_begin(&query, txn, sql);
    query_bind_text(&query, 1, key);
    enum soma_code code = query_next(&query, ret_found, err);
    if (code || !*ret_found)
        return code;
    return read_row(&query, arena, ret_row, err);
}

static enum soma_code not_found(const char *name, struct soma_error *err)
{
    return error_set(err, REASON_COLLECTION_NOT_FOUND, "collection", "no collection '%s'",
                     namespace_plain(name));
}

enum soma_code collections_find(struct store_txn *txn, const char *full_name, struct arena *arena,
                                struct collection_row *ret_row, struct soma_error *err)
{
    bool found = false;
    enum soma_code code = SOMA_OK;
    if (full_name[0] != '.')
        code = find_by(txn, SQL_BY_NAME, full_name, arena, ret_row, &found, err);
    if (code || found)
        return code;
    char uid[ID_SIZE];
    code = aliases_find(txn, full_name, uid, &found, err);
    if (!code)
        code = find_by(txn, SQL_BY_PUBLIC_UID, found ? uid : namespace_plain(full_name), arena,
                       ret_row, &found, err);
    if (!code && !(found && namespace_is_shared(ret_row->name, full_name)))
        return not_found(full_name, err);
    return code;
}

enum soma_code collections_get(struct store_txn *txn, const char *uid, struct arena *arena,
                               struct collection_row *ret_row, struct soma_error *err)
{
    bool found;
    enum soma_code code = find_by(txn, SQL_BY_UID, uid, arena, ret_row, &found, err);
    if (!code && !found)
        return not_found(uid, err);
    return code;
}

enum soma_code collections_list(struct store_txn *txn, const struct name_range *range, size_t count,
                                struct arena *arena, struct collection_row *ret_rows,
                                size_t *ret_count, struct soma_error *err)
{
    QUERY_CLEANUP struct query query;
    query_begin(&query, txn, SQL_LIST);
    query_bind_text(&query, 1, range->after);
    query_bind_int(&query, 2, (int64_t)count);
    query_bind_text(&query, 3, range->before);
    query_bind_int(&query, 4, range->others_too);
    size_t read = 0;
    bool row = true;
    while (read < count) {
        enum soma_code code = query_next(&query, &row, err);
        if (!code && row)
            code = read_row(&query, arena, &ret_rows[read], err);
        if (code)
            return code;
        if (!row)
            break;
        read++;
    }
    *ret_count = read;
    return SOMA_OK;
}

enum soma_code collections_count(struct store_txn *txn, int64_t *ret_collections,
                                 int64_t *ret_records, struct soma_error *err)
{
    QUERY_CLEANUP struct query query;
    query_begin(&query, txn, SQL_COUNT);
    bool row;
    enum soma_code code = query_next(&query, &row, err);
    if (code)
        return code;
    *ret_collections = query_int(&query, 0);
    *ret_records = query_int(&query, 1);
    return SOMA_OK;
}

static enum soma_code partition_new(struct store_txn *txn, int64_t *ret_partition,
                                    struct soma_error *err)
{
    enum soma_code code = txn_exec(txn, SQL_PARTITION_NEW, err);
    if (code)
        return code;
    if (txn_last_num(txn) > PARTITION_MAX)
        return error_set(err, REASON_COLLECTION_LIMIT, NULL, "partition numbers are used up");
    *ret_partition = txn_last_num(txn);
    return SOMA_OK;
}

static enum soma_code check_name_is_free(struct store_txn *txn, const struct collection_row *row,
                                         struct soma_error *err)
{
    QUERY_CLEANUP struct query query;
    query_begin(&query, txn, SQL_NAME_TAKEN);
    query_bind_text(&query, 1, row->name);
    query_bind_text(&query, 2, row->uid);
    query_bind_text(&query, 3, namespace_plain(row->name));
    bool taken;
    enum soma_code code = query_next(&query, &taken, err);
    if (!code && taken)
        return error_set(err, REASON_COLLECTION_EXISTS, "name", "collection '%s' exists",
                         namespace_plain(row->name));
    char uid[ID_SIZE];
    if (!code)
        code = aliases_find(txn, row->name, uid, &taken, err);
    if (!code && taken)
        return error_set(err, REASON_COLLECTION_EXISTS, "name",
                         "'%s' is an alias of another collection", namespace_plain(row->name));
    return code;
}

static void bind_metadata(struct query *query, int index, struct metadata metadata)
{
    query_bind_blob(query, index, metadata.length ? metadata.bytes : (const uint8_t *)"",
                    metadata.length);
}

static enum soma_code insert_row(struct store_txn *txn, const struct collection_row *row,
                                 struct soma_error *err)
{
    QUERY_CLEANUP struct query query;
    query_begin(&query, txn, SQL_INSERT);
    query_bind_text(&query, 1, row->uid);
    query_bind_text(&query, 2, row->name);
    query_bind_int(&query, 3, row->partition);
    query_bind_int(&query, 4, row->dimension);
    query_bind_int(&query, 5, row->metric);
    bind_metadata(&query, 6, row->metadata);
    query_bind_int(&query, 7, row->created_unix_ms);
    query_bind_int(&query, 8, row->index.quantization);
    query_bind_int(&query, 9, row->index.m);
    query_bind_int(&query, 10, row->index.ef_construction);
    query_bind_int(&query, 11, row->index.ef_search);
    query_bind_int(&query, 12, row->index.rerank);
    return query_run(&query, err);
}

enum soma_code collections_insert(struct store_txn *txn, struct collection_row *row,
                                  struct soma_error *err)
{
    int64_t collections, records;
    row->uid[0] = '\0';
    enum soma_code code = check_name_is_free(txn, row, err);
    if (!code)
        code = collections_count(txn, &collections, &records, err);
    if (!code && collections >= LIMIT_COLLECTIONS)
        return limit_reached(err, REASON_COLLECTION_LIMIT, NULL, "collections", LIMIT_COLLECTIONS);
    if (!code)
        code = partition_new(txn, &row->partition, err);
    if (code)
        return code;
    id_make(row->uid);
    row->sequence = 0;
    row->record_count = 0;
    row->last_record = 0;
    return insert_row(txn, row, err);
}

enum soma_code collections_save_counters(struct store_txn *txn, const struct collection_row *row,
                                         struct soma_error *err)
{
    QUERY_CLEANUP struct query query;
    query_begin(&query, txn, SQL_SAVE_COUNTERS);
    query_bind_text(&query, 1, row->uid);
    query_bind_int(&query, 2, row->partition);
    query_bind_int(&query, 3, row->sequence);
    query_bind_int(&query, 4, row->record_count);
    query_bind_int(&query, 5, row->last_record);
    return query_run(&query, err);
}

enum soma_code collections_save(struct store_txn *txn, const struct collection_row *row,
                                struct soma_error *err)
{
    enum soma_code code = check_name_is_free(txn, row, err);
    if (code)
        return code;
    QUERY_CLEANUP struct query query;
    query_begin(&query, txn, SQL_SAVE);
    query_bind_text(&query, 1, row->uid);
    query_bind_text(&query, 2, row->name);
    bind_metadata(&query, 3, row->metadata);
    code = query_run(&query, err);
    return code ? code : collections_save_counters(txn, row, err);
}

static enum soma_code run_with_num(struct store_txn *txn, const char *sql, int64_t num,
                                   struct soma_error *err)
{
    QUERY_CLEANUP struct query query;
    query_begin(&query, txn, sql);
    query_bind_int(&query, 1, num);
    return query_run(&query, err);
}

enum soma_code collections_clear(struct store_txn *txn, struct collection_row *row,
                                 struct soma_error *err)
{
    enum soma_code code = run_with_num(txn, SQL_PARTITION_LEAVE, row->partition, err);
    if (!code)
        code = partition_new(txn, &row->partition, err);
    if (code)
        return code;
    row->record_count = 0;
    row->last_record = 0;
    return SOMA_OK;
}

enum soma_code collections_delete(struct store_txn *txn, const struct collection_row *row,
                                  struct soma_error *err)
{
    enum soma_code code = run_with_num(txn, SQL_PARTITION_LEAVE, row->partition, err);
    if (!code)
        code = aliases_remove_all(txn, row->uid, err);
    if (code)
        return code;
    QUERY_CLEANUP struct query query;
    query_begin(&query, txn, SQL_DELETE);
    query_bind_text(&query, 1, row->uid);
    return query_run(&query, err);
}

static enum soma_code dead_partition(struct store_txn *txn, int64_t *ret_partition, bool *ret_found,
                                     struct soma_error *err)
{
    QUERY_CLEANUP struct query query;
    query_begin(&query, txn, SQL_PARTITION_DEAD);
    enum soma_code code = query_next(&query, ret_found, err);
    if (!code && *ret_found)
        *ret_partition = query_int(&query, 0);
    return code;
}

enum soma_code collections_purge(struct store_txn *txn, int64_t max_records, bool *ret_done,
                                 struct soma_error *err)
{
    int64_t partition = 0, removed = 0;
    bool found = false;
    enum soma_code code = dead_partition(txn, &partition, &found, err);
    if (!code && found)
        code = records_purge(txn, partition, max_records, &removed, err);
    if (!code && found && removed < max_records)
        code = run_with_num(txn, SQL_PARTITION_DELETE, partition, err);
    if (!code)
        *ret_done = !found;
    return code;
}
