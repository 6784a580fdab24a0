#include "store/restores.h"

#include <stdio.h>
#include <string.h>

#include "store/sqlite.h"
#include "wire/limit_reached.h"
#include "wire/limits.h"

static const char SQL_COUNT[] = "SELECT count(*) FROM collection WHERE name < '/'";
static const char SQL_OLD[] = "SELECT uid, partition FROM collection WHERE name < '/'"
                              " AND created_unix_ms < ?1 LIMIT 1";

static enum soma_code check_count(struct store_txn *txn, struct soma_error *err)
{
    QUERY_CLEANUP struct query query;
    query_begin(&query, txn, SQL_COUNT);
    bool found;
    enum soma_code code = query_next(&query, &found, err);
    if (!code && query_int(&query, 0) >= LIMIT_RESTORES)
        return limit_reached(err, REASON_COLLECTION_LIMIT, NULL, "restores", LIMIT_RESTORES);
    return code;
}

enum soma_code restores_begin(struct store_txn *txn, const char *space, struct collection_row *row,
                              struct soma_error *err)
{
    enum soma_code code = check_count(txn, err);
    snprintf(row->name, sizeof row->name, ".");
    if (!code)
        code = collections_insert(txn, row, err);
    if (code)
        return code;
    snprintf(row->name, sizeof row->name, ".%s%s%s", space, space[0] ? "/" : "", row->uid);
    return collections_save(txn, row, err);
}

enum soma_code restores_find(struct store_txn *txn, const char *space, const char *uid,
                             struct arena *arena, struct collection_row *ret_row,
                             struct soma_error *err)
{
    enum soma_code code = collections_get(txn, uid, arena, ret_row, err);
    bool is_it = !code && ret_row->name[0] == '.' && namespace_holds(space, ret_row->name + 1);
    if (code == SOMA_NOT_FOUND || (!code && !is_it))
        return error_set(err, REASON_COLLECTION_NOT_FOUND, "uid", "no restore '%s' is under way",
                         uid);
    return code;
}

enum soma_code restores_get(struct store_txn *txn, const char *full_name, struct arena *arena,
                            struct collection_row *ret_row, struct soma_error *err)
{
    char space[NAMESPACE_SIZE];
    namespace_of(full_name, space);
    const char *uid = namespace_plain(full_name);
    enum soma_code code = restores_find(txn, space, uid, arena, ret_row, err);
    if (code == SOMA_NOT_FOUND)
        return error_set(err, REASON_COLLECTION_NOT_FOUND, "collection", "no collection '%s'", uid);
    return code;
}

static enum soma_code find_old(struct store_txn *txn, int64_t before_unix_ms,
                               struct collection_row *ret_row, bool *ret_found,
                               struct soma_error *err)
{
    QUERY_CLEANUP struct query query;
    query_begin(&query, txn, SQL_OLD);
    query_bind_int(&query, 1, before_unix_ms);
    enum soma_code code = query_next(&query, ret_found, err);
    if (code || !*ret_found)
        return code;
    snprintf(ret_row->uid, sizeof ret_row->uid, "%s", query_peek_text(&query, 0));
    ret_row->partition = query_int(&query, 1);
    return SOMA_OK;
}

enum soma_code restores_sweep(struct store_txn *txn, int64_t before_unix_ms, struct soma_error *err)
{
    for (;;) {
        bool found = false;
        struct collection_row row = {0};
        enum soma_code code = find_old(txn, before_unix_ms, &row, &found, err);
        if (!code && found)
            code = collections_delete(txn, &row, err);
        if (code || !found)
            return code;
    }
}
