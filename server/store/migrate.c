#include "store/migrate.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "store/connection.h"

enum {
    APPLICATION_ID = 0x534f4d41 // "SOMA", in the file's header
};

static enum soma_code pragma_get(struct store_txn *txn, const char *pragma, int *ret_value,
                                 struct soma_error *err)
{
    QUERY_CLEANUP struct query query;
    query_begin(&query, txn, pragma);
    bool row;
    enum soma_code code = query_next(&query, &row, err);
    if (code == SOMA_OK)
        *ret_value = row ? (int)query_int(&query, 0) : 0;
    return code;
}

// A pragma takes no parameters.
static enum soma_code pragma_set(struct store_txn *txn, const char *name, int value,
                                 struct soma_error *err)
{
    char sql[64];
    snprintf(sql, sizeof sql, "PRAGMA %s = %d", name, value);
    int rc = sqlite3_exec(txn->db, sql, NULL, NULL, NULL);
    return rc == SQLITE_OK ? SOMA_OK : sqlite_error(txn->db, rc, err);
}

static int newest(const struct migration *table)
{
    int version = 0;
    for (; table->sql; table++)
        version = table->version;
    return version;
}

static enum soma_code check_file(struct store_txn *txn, int version, int newest_version,
                                 struct soma_error *err)
{
    int application = 0;
    enum soma_code code = pragma_get(txn, "PRAGMA application_id", &application, err);
    if (code != SOMA_OK)
        return code;
    if (version != 0 && application != APPLICATION_ID)
        return error_set(err, REASON_DATA_DAMAGED, NULL, "soma.db is no database of SOMA");
    if (version > newest_version)
        return error_set(err, REASON_SCHEMA_TOO_NEW, NULL,
                         "soma.db has schema version %d, this program knows up to %d", version,
                         newest_version);
    return SOMA_OK;
}

static enum soma_code sync_path(const char *path, int flags, struct soma_error *err)
{
    FD_CLEANUP int fd = open(path, flags | O_CLOEXEC);
    if (fd < 0 || fsync(fd))
        return error_set_errno(err, errno, "cannot sync %s", path);
    return SOMA_OK;
}

enum soma_code migrate_copy(struct store_txn *txn, const char *path, struct soma_error *err)
{
    // Made first, so that nobody else can read it; VACUUM INTO takes an empty file.
    unlink(path);
    FD_CLEANUP int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return error_set_errno(err, errno, "cannot make %s", path);
    QUERY_CLEANUP struct query query;
    query_begin(&query, txn, "VACUUM INTO ?1");
    query_bind_text(&query, 1, path);
    enum soma_code code = query_run(&query, err);
    return code == SOMA_OK ? sync_path(path, O_RDONLY, err) : code;
}

static enum soma_code back_up(struct store_txn *txn, const char *path, int version,
                              struct soma_error *err)
{
    char copy[PATH_MAX];
    char beside[PATH_MAX];
    int length = snprintf(copy, sizeof copy, "%s.v%d.bak", path, version);
    int beside_length = snprintf(beside, sizeof beside, "%s.v%d.bak.new", path, version);
    if (length >= (int)sizeof copy || beside_length >= (int)sizeof beside)
        return error_set_errno(err, ENAMETOOLONG, "cannot copy %s", path);
    enum soma_code code = migrate_copy(txn, beside, err);
    if (code != SOMA_OK) {
        unlink(beside);
        return code;
    }
    if (rename(beside, copy))
        return error_set_errno(err, errno, "cannot rename %s", beside);
    log_info("STORE-BACKUP", "copied the database of schema version %d to %s", version, copy);
    return SOMA_OK;
}

static enum soma_code apply(struct store_txn *txn, int version, const struct migration *table,
                            struct soma_error *err)
{
    for (; table->sql; table++) {
        if (table->version <= version)
            continue;
        int rc = sqlite3_exec(txn->db, table->sql, NULL, NULL, NULL);
        if (rc == SQLITE_OK)
            continue;
        enum soma_code code = sqlite_error(txn->db, rc, err);
        log_error("STORE-MIGRATION", "migration %d (%s) fails", table->version, table->name);
        return code;
    }
    return SOMA_OK;
}

static enum soma_code migrate_in_txn(struct store_txn *txn, int version,
                                     const struct migration *table, struct soma_error *err)
{
    enum soma_code code = apply(txn, version, table, err);
    if (code == SOMA_OK)
        code = pragma_set(txn, "application_id", APPLICATION_ID, err);
    if (code == SOMA_OK)
        code = pragma_set(txn, "user_version", newest(table), err);
    return code;
}

enum soma_code migrate_check(struct store_txn *txn, const struct migration *table, int *ret_version,
                             struct soma_error *err)
{
    enum soma_code code = pragma_get(txn, "PRAGMA user_version", ret_version, err);
    if (code == SOMA_OK && *ret_version == 0)
        return error_set(err, REASON_DATA_DAMAGED, NULL, "soma.db is no database of SOMA");
    return code == SOMA_OK ? check_file(txn, *ret_version, newest(table), err) : code;
}

enum soma_code migrate(struct store_txn *txn, const char *path, const struct migration *table,
                       struct soma_error *err)
{
    int version = 0;
    enum soma_code code = pragma_get(txn, "PRAGMA user_version", &version, err);
    if (code == SOMA_OK)
        code = check_file(txn, version, newest(table), err);
    if (code != SOMA_OK || version == newest(table))
        return code;
    if (version > 0)
        code = back_up(txn, path, version, err);
    if (code == SOMA_OK)
        code = txn_begin(txn, CONNECTION_WRITER, err);
    if (code != SOMA_OK)
        return code;
    code = migrate_in_txn(txn, version, table, err);
    if (code == SOMA_OK)
        return txn_commit(txn, err);
    txn_rollback(txn);
    return code;
}
