#include "store/examine.h"

#include <stdbool.h>

#include "store/sqlite.h"

enum {
    INSTRUCTIONS = 20000 // of SQLite's, from one look at the clock to the next
};

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

// What a broken file says of itself comes as findings, or as an error of reading it.
static enum soma_code examine_file(struct store_txn *txn, store_found *found, void *user,
                                   bool *ret_is_broken, struct soma_error *err)
{
    enum soma_code code = run_examination(txn, examinations[0], found, user, ret_is_broken, err);
    if (code != SOMA_DATA_LOSS)
        return code;
    found(user, err->text);
    *err = (struct soma_error){0};
    *ret_is_broken = true;
    return SOMA_OK;
}

enum soma_code store_examine_file(struct store_txn *txn, store_found *found, void *user,
                                  struct soma_error *err)
{
    return examine_file(txn, found, user, &(bool){false}, err);
}

static int is_late(void *deadline)
{
    return clock_left_ms(*(const struct mono_time *)deadline) == 0;
}

enum soma_code store_examine_in(struct store_txn *txn, struct mono_time deadline,
                                store_found *found, void *user, struct soma_error *err)
{
    bool is_broken = false;
    sqlite3_progress_handler(txn->db, INSTRUCTIONS, is_late, &deadline);
    enum soma_code code = examine_file(txn, found, user, &is_broken, err);
    size_t count = sizeof examinations / sizeof examinations[0];
    for (size_t i = 1; i < count && code == SOMA_OK && !is_broken; i++)
        code = run_examination(txn, examinations[i], found, user, &(bool){false}, err);
    sqlite3_progress_handler(txn->db, 0, NULL, NULL);
    return code;
}
