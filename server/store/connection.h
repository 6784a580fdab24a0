// One connection to the database file, and the writing transaction that the writer runs on its own.
// For the files of this folder alone.
#ifndef STORE_CONNECTION_H
#define STORE_CONNECTION_H

#include "store/sqlite.h"

enum connection_kind {
    CONNECTION_WRITER,
    CONNECTION_READER
};

// Opens the file, which must exist; a writer also makes it a WAL database. The caller frees with
// connection_close.
enum soma_code connection_open(const char *path, enum connection_kind kind,
                               struct store_txn **ret_txn, struct soma_error *err);

// Takes NULL.
void connection_close(struct store_txn *txn);

// The writing connection, which belongs to the writer thread alone.
struct store_txn *store_writing(struct store *store);

// The room kept for removals; the writer thread's.
struct ballast *store_ballast(struct store *store);

// A writer's begins with the right to write; a reader's snapshot is that of its first read.
enum soma_code txn_begin(struct store_txn *txn, enum connection_kind kind, struct soma_error *err);

// Durable when it returns SOMA_OK. Otherwise nothing was changed and no transaction is open.
enum soma_code txn_commit(struct store_txn *txn, struct soma_error *err);
void txn_rollback(struct store_txn *txn);

// False when SQLite itself has rolled the whole transaction back, as it does where the disk is full
// or an operation of the file system failed.
bool txn_is_open(const struct store_txn *txn);

// A part that can be undone alone. Not nested.
enum soma_code txn_part_begin(struct store_txn *txn, struct soma_error *err);
enum soma_code txn_part_keep(struct store_txn *txn, struct soma_error *err);
enum soma_code txn_part_undo(struct store_txn *txn, struct soma_error *err);

// A part without a savepoint, for what changes nothing where it fails.
void txn_bare_begin(struct store_txn *txn);
void txn_bare_keep(struct store_txn *txn);
// False where the database was changed all the same, or the transaction is gone: it has to be
// rolled back whole.
bool txn_bare_undo(struct store_txn *txn);

// Moves the log's pages into the database file where that is due: when idle past a small size, past
// a larger one in any case. Never fails the caller; what could not be moved is moved next time.
void txn_checkpoint(struct store_txn *txn, bool is_idle);

#endif
