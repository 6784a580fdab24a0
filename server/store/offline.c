#include "store/offline.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#include "store/connection.h"
#include "store/migrate.h"

// Each gives a row, with one text, for each thing that is wrong.
static const char *const examinations[] = {
    "SELECT 'the file: ' || integrity_check FROM pragma_integrity_check "
    "WHERE integrity_check <> 'ok'",

    "SELECT 'queue ' || name || ': its counts are not those of its jobs' FROM job_queue AS q "
    "WHERE (queued, running, succeeded, failed, cancelled, timed_out, lost, output_bytes) <> "
    "(SELECT total(state = 1), total(state = 2), total(state = 3), total(state = 4), "
    "total(state = 5), total(state = 6), total(state = 7), total(CASE WHEN state > 2 THEN "
    "stdout_kept + stderr_kept + artifact_bytes ELSE 0 END) FROM job WHERE queue = q.name) LIMIT "
    "20",

    "SELECT 'job ' || id || ': its queue ' || queue || ' has no counts' FROM job "
    "WHERE queue NOT IN (SELECT name FROM job_queue) LIMIT 20",

    "SELECT 'job ' || id || ': its revision is past the latest' FROM job, job_total "
    "WHERE job.revision > job_total.revision LIMIT 20",

    "SELECT 'job_body: row ' || num || ' belongs to no job' FROM job_body "
    "WHERE num NOT IN (SELECT num FROM job) LIMIT 20",

    "SELECT 'job_label: row ' || num || ' belongs to no job' FROM job_label "
    "WHERE num NOT IN (SELECT num FROM job) LIMIT 20",

    "SELECT 'job ' || id || ': it waits for nothing' FROM job WHERE state = 1 AND hold = 2 "
    "AND num NOT IN (SELECT num FROM job_after) LIMIT 20",

    "SELECT 'record ' || id || ': its partition ' || partition || ' is not there' FROM record "
    "WHERE partition NOT IN (SELECT num FROM partition) LIMIT 20",

    "SELECT 'collection ' || name || ': its records are not as many as it says' FROM collection AS "
    "c "
    "WHERE record_count <> (SELECT count(*) FROM record WHERE partition = c.partition) LIMIT 20",

    "SELECT 'embedding: row ' || num || ' belongs to no record' FROM embedding "
    "WHERE num NOT IN (SELECT num FROM record) LIMIT 20",
};

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

static enum soma_code run_examination(struct store_txn *txn, const char *sql, store_found *found,
                                      void *user, bool *ret_found, struct soma_error *err)
{
    QUERY_CLEANUP struct query query;
    query_begin(&query, txn, sql);
    bool row = true;
    enum soma_code code = SOMA_OK;
    while (code == SOMA_OK && row) {
        code = query_next(&query, &row, err);
        if (code == SOMA_OK && row) {
            found(user, query_peek_text(&query, 0));
            *ret_found = true;
        }
    }
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
    size_t count = *ret_is_older ? 1 : sizeof examinations / sizeof examinations[0];
    code = txn_begin(txn, CONNECTION_READER, err);
    // What a broken file says of itself would mislead.
    bool is_broken = false;
    if (code == SOMA_OK)
        code = run_examination(txn, examinations[0], found, user, &is_broken, err);
    if (code == SOMA_DATA_LOSS) {
        found(user, err->text);
        *err = (struct soma_error){0};
        is_broken = true;
        code = SOMA_OK;
    }
    for (size_t i = 1; i < count && code == SOMA_OK && !is_broken; i++)
        code = run_examination(txn, examinations[i], found, user, &(bool){false}, err);
    txn_rollback(txn);
    connection_close(txn);
    return code;
}
