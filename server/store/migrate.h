// Brings a database file to the newest schema: forward only, in one transaction, after a copy of
// the old file. For the files of this folder alone.
#ifndef STORE_MIGRATE_H
#define STORE_MIGRATE_H

#include "store/sqlite.h"

// One file of migrations/: NNN_name.sql. All files of one number make one version.
struct migration {
    int version;
    const char *name;
    const char *sql;
};

// By rising version; ends with a row whose sql is NULL. Made by the build from the files.
extern const struct migration migration_table[];

// The connection is a writing one without a transaction. The copy is path.vOLD.bak, for an old
// version other than 0, an empty file. SCHEMA_TOO_NEW where the file's version is past the last
// row's, DATA_DAMAGED where it is a database of another program.
enum soma_code migrate(struct store_txn *txn, const char *path, const struct migration *table,
                       struct soma_error *err);

// The file's version, and whether it is one that this program knows: otherwise as migrate.
enum soma_code migrate_check(struct store_txn *txn, const struct migration *table, int *ret_version,
                             struct soma_error *err);

// The database as it is now into the new file path, which is there or not: mode 0600, synced. Not
// in a transaction.
enum soma_code migrate_copy(struct store_txn *txn, const char *path, struct soma_error *err);

#endif
