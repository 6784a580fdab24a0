#include "store/offline.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#include "store/connection.h"
#include "store/migrate.h"

static enum soma_code path_of(const char *directory, char ret_path[PATH_MAX],
                              struct soma_error *err)
{
    if (snprintf(ret_path, PATH_MAX, "%s/soma.db", directory) >= PATH_MAX)
        return error_set_errno(err, ENAMETOOLONG, "cannot open the database in %s", directory);
    return SOMA_OK;
}

static enum soma_code open_existing(const char *directory, struct store_txn **ret_txn,
                                    int *ret_version, struct soma_error *err)
{
    char path[PATH_MAX];
    enum soma_code code = path_of(directory, path, err);
    if (code == SOMA_OK && access(path, F_OK))
        code = error_set_errno(err, errno, "there is no database %s", path);
    if (code == SOMA_OK)
        code = connection_open(path, CONNECTION_WRITER, ret_txn, err);
    if (code != SOMA_OK)
        return code;
    code = migrate_check(*ret_txn, migration_table, ret_version, err);
    if (code != SOMA_OK)
        connection_close(*ret_txn);
    return code;
}

enum soma_code store_copy(const char *directory, const char *path, struct soma_error *err)
{
    struct store_txn *txn;
    int version;
    enum soma_code code = open_existing(directory, &txn, &version, err);
    if (code != SOMA_OK)
        return code;
    code = migrate_copy(txn, path, err);
    connection_close(txn);
    return code;
}

enum soma_code store_examine(const char *directory, store_found *found, void *user,
                             bool *ret_is_older, struct soma_error *err)
{
    struct store_txn *txn;
    int version;
    enum soma_code code = open_existing(directory, &txn, &version, err);
    if (code != SOMA_OK)
        return code;
    *ret_is_older = version < STORE_SCHEMA_VERSION;
    code = txn_begin(txn, CONNECTION_READER, err);
    if (code == SOMA_OK)
        code = *ret_is_older ? store_examine_file(txn, found, user, err)
                             : store_examine_in(txn, MONO_NEVER, found, user, err);
    txn_rollback(txn);
    connection_close(txn);
    return code;
}
