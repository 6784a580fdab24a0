#include "store/aliases.h"

#include <stdio.h>

#include "base/namespaces.h"
#include "store/sqlite.h"
#include "wire/limit_reached.h"
#include "wire/limits.h"

static const char SQL_FIND[] = "SELECT uid FROM collection_alias WHERE name = ?1";
static const char SQL_LIST[] = "SELECT name FROM collection_alias WHERE uid = ?1 ORDER BY name";
static const char SQL_COUNT[] = "SELECT count(*) FROM collection_alias WHERE uid = ?1";
static const char SQL_IS_COLLECTION[] = "SELECT 1 FROM collection WHERE name = ?1 OR uid = ?2";
static const char SQL_SET[] = "INSERT OR REPLACE INTO collection_alias VALUES (?1, ?2)";
static const char SQL_REMOVE[] = "DELETE FROM collection_alias WHERE name = ?1";
static const char SQL_REMOVE_ALL[] = "DELETE FROM collection_alias WHERE uid = ?1";

enum soma_code aliases_find(struct store_txn *txn, const char *name, char ret_uid[ID_SIZE],
                            bool *ret_found, struct soma_error *err)
{
    QUERY_CLEANUP struct query query;
    query_begin(&query, txn, SQL_FIND);
    query_bind_text(&query, 1, name);
    enum soma_code code = query_next(&query, ret_found, err);
    if (!code && *ret_found)
        snprintf(ret_uid, ID_SIZE, "%s", query_peek_text(&query, 0));
    return code;
}

// The first column of the first row; 0 where there is none.
static enum soma_code number_for(struct store_txn *txn, const char *sql, const char *text,
                                 const char *second, int64_t *ret_number, struct soma_error *err)
{
    QUERY_CLEANUP struct query query;
    query_begin(&query, txn, sql);
    query_bind_text(&query, 1, text);
    if (second)
        query_bind_text(&query, 2, second);
    bool found;
    enum soma_code code = query_next(&query, &found, err);
    if (!code)
        *ret_number = found ? query_int(&query, 0) : 0;
    return code;
}

enum soma_code aliases_list(struct store_txn *txn, const char *uid, struct arena *arena,
                            const char ***ret_names, size_t *ret_count, struct soma_error *err)
{
    const char **names = arena_alloc(arena, LIMIT_ALIASES * sizeof *names);
    size_t count = 0;
    if (!names)
        return error_set_no_memory(err);
    QUERY_CLEANUP struct query query;
    query_begin(&query, txn, SQL_LIST);
    query_bind_text(&query, 1, uid);
    bool found = true;
    while (count < LIMIT_ALIASES) {
        enum soma_code code = query_next(&query, &found, err);
        if (code)
            return code;
        if (!found)
            break;
        names[count] = query_copy_text(&query, 0, arena);
        if (!names[count++])
            return error_set_no_memory(err);
    }
    *ret_names = names;
    *ret_count = count;
    return SOMA_OK;
}

static enum soma_code run_with_text(struct store_txn *txn, const char *sql, const char *text,
                                    struct soma_error *err)
{
    QUERY_CLEANUP struct query query;
    query_begin(&query, txn, sql);
    query_bind_text(&query, 1, text);
    return query_run(&query, err);
}

enum soma_code aliases_set(struct store_txn *txn, const char *name, const char *uid,
                           struct soma_error *err)
{
    int64_t is_collection = 0, count = 0;
    enum soma_code code =
        number_for(txn, SQL_IS_COLLECTION, name, namespace_plain(name), &is_collection, err);
    if (!code && is_collection)
        return error_set(err, REASON_COLLECTION_EXISTS, "alias", "'%s' is a collection's own name",
                         namespace_plain(name));
    if (!code)
        code = run_with_text(txn, SQL_REMOVE, name, err);
    if (!code)
        code = number_for(txn, SQL_COUNT, uid, NULL, &count, err);
    if (!code && count >= LIMIT_ALIASES)
        return limit_reached(err, REASON_ALIAS_LIMIT, "alias", "aliases", LIMIT_ALIASES);
    if (code)
        return code;
    QUERY_CLEANUP struct query query;
    query_begin(&query, txn, SQL_SET);
    query_bind_text(&query, 1, name);
    query_bind_text(&query, 2, uid);
    return query_run(&query, err);
}

enum soma_code aliases_remove(struct store_txn *txn, const char *name, struct soma_error *err)
{
    enum soma_code code = run_with_text(txn, SQL_REMOVE, name, err);
    if (!code && !txn_changes(txn))
        return error_set(err, REASON_ALIAS_NOT_FOUND, "alias", "no collection has the alias '%s'",
                         namespace_plain(name));
    return code;
}

enum soma_code aliases_remove_all(struct store_txn *txn, const char *uid, struct soma_error *err)
{
    return run_with_text(txn, SQL_REMOVE_ALL, uid, err);
}
