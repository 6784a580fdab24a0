#include "store/jobs.h"

#include <stdio.h>

#include "store/job_after.h"
#include "store/job_counters.h"
#include "store/job_isolation.h"
#include "store/job_notes.h"
#include "store/job_rows.h"
#include "store/job_uploads.h"
#include "store/queues.h"

static const char SQL_TOTALS[] =
    "SELECT revision, queued, running, succeeded, failed, cancelled, timed_out, lost, output_bytes "
    "FROM job_total, (SELECT coalesce(sum(queued), 0) AS queued, coalesce(sum(running), 0) AS "
    "running, coalesce(sum(succeeded), 0) AS succeeded, coalesce(sum(failed), 0) AS failed, "
    "coalesce(sum(cancelled), 0) AS cancelled, coalesce(sum(timed_out), 0) AS timed_out, "
    "coalesce(sum(lost), 0) AS lost, coalesce(sum(output_bytes), 0) AS output_bytes FROM "
    "job_queue)";
static const char SQL_INSERT[] =
    "INSERT INTO job (num, id, state, revision, queue, priority, not_before_unix_ms, keep_ms, "
    "hold, due_unix_ms, start_by_unix_ms, dedupe_key, dedupe_print, created_unix_ms, spec, parent, "
    "namespace) VALUES (?1, ?2, 1, ?1, ?3, ?4, ?5, ?6, ?7, ?5, ?8, ?9, ?10, ?11, ?12, ?13, ?14)";
static const char SQL_FIND_DEDUPE[] =
    "SELECT num, dedupe_print = ?2 FROM job INDEXED BY job_dedupe WHERE dedupe_key = ?1 AND "
    "namespace = ?3 AND state < 3";
static const char SQL_INSERT_BODY[] = "INSERT INTO job_body (num, body) VALUES (?1, ?2)";
static const char SQL_INSERT_LABEL[] =
    "INSERT INTO job_label (num, key, value) VALUES (?1, ?2, ?3)";
static const char SQL_BY_ID[] = "SELECT " JOB_COLUMNS " FROM job WHERE id = ?1";
static const char SQL_BY_NUM[] = "SELECT " JOB_COLUMNS " FROM job WHERE num = ?1";
static const char SQL_BODY[] = "SELECT body FROM job_body WHERE num = ?1";
static const char SQL_DELETE[] =
    "DELETE FROM job WHERE num = ?1 AND state > 2 "
    "RETURNING id, state, stdout_kept + stderr_kept + artifact_bytes, queue";
static const char SQL_DELETE_BODY[] = "DELETE FROM job_body WHERE num = ?1";
static const char SQL_DELETE_LABELS[] = "DELETE FROM job_label WHERE num = ?1";
static const char SQL_DELETE_ATTEMPTS[] = "DELETE FROM job_attempt WHERE num = ?1";
static const char SQL_EXISTS[] = "SELECT 1 FROM job WHERE num = ?1";
static const char SQL_REMOVED[] =
    "INSERT INTO job_removed (revision, id, removed_unix_ms, namespace) VALUES (?1, ?2, ?3, ?4)";

// A change within a state leaves every index but the revision's alone.
#define UPDATE_HEAD                                                                             \
    "UPDATE job SET revision = ?3, reason = ?4, attempt = ?5, exit_code = ?6, signal = ?7, "    \
    "message = ?8, started_unix_ms = ?9, progress_percent = ?10, progress_message = ?11, "      \
    "progress_unix_ms = ?12, wall_ms = ?13, user_ms = ?14, system_ms = ?15, peak_bytes = ?16, " \
    "stdout_kept = ?17, stdout_dropped = ?18, stderr_kept = ?19, stderr_dropped = ?20, "        \
    "cancel_unix_ms = ?21, cancel_note = ?22, cancel_force = ?23, runner_pid = ?24, "           \
    "artifact_count = ?32, artifact_bytes = ?33, artifact_left_out = ?34, isolation = ?35, "    \
    "disk_bytes = ?36, asked_count = ?37, killed_count = ?38"
#define UPDATE_TAIL " WHERE num = ?1 AND revision = ?2"

static const char SQL_UPDATE[] = UPDATE_HEAD UPDATE_TAIL;
static const char SQL_UPDATE_STATE[] =
    UPDATE_HEAD ", state = ?25, finished_unix_ms = ?26, "
                "expires_unix_ms = CASE WHEN ?25 > 2 THEN ?26 + keep_ms ELSE 0 END, "
                "hold = ?27, due_unix_ms = ?28, start_by_unix_ms = ?29, tries_from = ?30, "
                "is_awaited = ?31" UPDATE_TAIL;

// --- totals

static bool is_final(enum job_state state)
{
    return (JOB_STATES_FINAL >> state & 1) != 0;
}

static int64_t final_bytes(const struct job_status *status)
{
    return is_final(status->state) ? job_kept_bytes(status) : 0;
}

static enum soma_code totals_of_writer(struct store_txn *txn, struct job_totals *ret_totals,
                                       struct soma_error *err)
{
    struct job_counters *counters;
    enum soma_code code = counters_get(txn, &counters, err);
    if (code != SOMA_OK)
        return code;
    *ret_totals = (struct job_totals){.revision = counters->revision};
    for (size_t i = 0; i < counters->count; i++) {
        const struct queue_values *values = &counters->nodes[i]->now;
        for (int state = 1; state < JOB_STATE_COUNT; state++)
            ret_totals->count_of[state] += values->count_of[state];
        ret_totals->output_bytes += values->output_bytes;
    }
    return SOMA_OK;
}

enum soma_code job_store_totals(struct store_txn *txn, struct job_totals *ret_totals,
                                struct soma_error *err)
{
    if (txn->counters)
        return totals_of_writer(txn, ret_totals, err);
    QUERY_CLEANUP struct query query;
    query_begin(&query, txn, SQL_TOTALS);
    bool row = false;
    enum soma_code code = query_next(&query, &row, err);
    if (code != SOMA_OK)
        return code;
    if (!row)
        return error_set(err, REASON_DATA_DAMAGED, NULL, "the table job_total is empty");
    *ret_totals = (struct job_totals){.revision = query_int(&query, 0)};
    for (int state = 1; state < JOB_STATE_COUNT; state++)
        ret_totals->count_of[state] = query_int(&query, state);
    ret_totals->output_bytes = query_int(&query, JOB_STATE_COUNT);
    return SOMA_OK;
}

// --- insert

static enum soma_code insert_job(struct store_txn *txn, const struct job *job,
                                 const struct job_new *new, struct soma_error *err)
{
    const struct job_spec *spec = &job->spec;
    QUERY_CLEANUP struct query query;
    query_begin(&query, txn, SQL_INSERT);
    query_bind_int(&query, 1, job->num);
    query_bind_text(&query, 2, job->id);
    query_bind_text(&query, 3, spec->queue);
    query_bind_int(&query, 4, spec->priority);
    query_bind_int(&query, 5, spec->not_before.ms);
    query_bind_int(&query, 6, spec->keep_ms);
    query_bind_int(&query, 7, job_hold_of(job->status.wait));
    query_bind_int(&query, 8, spec->start_by.ms);
    if (spec->dedupe_key) {
        query_bind_text(&query, 9, spec->dedupe_key);
        query_bind_blob(&query, 10, new->dedupe_print, DEDUPE_PRINT_BYTES);
    }
    query_bind_int(&query, 11, job->status.created.ms);
    query_bind_blob(&query, 12, new->bytes.head, new->bytes.head_length);
    if (new->parent)
        query_bind_text(&query, 13, new->parent);
    char space[NAMESPACE_SIZE];
    namespace_of(spec->queue, space);
    query_bind_text(&query, 14, space);
    return query_run(&query, err);
}

static enum soma_code insert_body(struct store_txn *txn, int64_t num,
                                  const struct spec_bytes *bytes, struct soma_error *err)
{
    if (!bytes->body)
        return SOMA_OK;
    QUERY_CLEANUP struct query query;
    query_begin(&query, txn, SQL_INSERT_BODY);
    query_bind_int(&query, 1, num);
    query_bind_blob(&query, 2, bytes->body, bytes->body_length);
    return query_run(&query, err);
}

static enum soma_code insert_labels(struct store_txn *txn, const struct job *job,
                                    struct soma_error *err)
{
    if (job->spec.label_count == 0)
        return SOMA_OK;
    QUERY_CLEANUP struct query query;
    query_begin(&query, txn, SQL_INSERT_LABEL);
    enum soma_code code = SOMA_OK;
    for (size_t i = 0; i < job->spec.label_count && code == SOMA_OK; i++) {
        query_again(&query);
        query_bind_int(&query, 1, job->num);
        query_bind_text(&query, 2, job->spec.labels[i].key);
        query_bind_text(&query, 3, job->spec.labels[i].value);
        code = query_run(&query, err);
    }
    return code;
}

// Checks first, so that what is refused has changed nothing.
static enum soma_code count_in(struct store_txn *txn, const struct job_new *new,
                               int64_t *ret_revision, struct soma_error *err)
{
    enum soma_code code = queue_store_check_room(txn, new->spec->queue, &new->room, err);
    if (code != SOMA_OK)
        return code;
    return counters_move(txn, new->spec->queue, 0, JOB_QUEUED, 0, ret_revision, err);
}

static struct job_status first_status(const struct job_new *new, int64_t revision)
{
    const struct job_spec *spec = new->spec;
    return (struct job_status){
        .state = JOB_QUEUED,
        .message = "",
        .revision = revision,
        .created = new->now,
        .cancel_note = "",
        .wait = new->is_blocked                     ? JOB_WAIT_AFTER
                : spec->not_before.ms > new->now.ms ? JOB_WAIT_TIME
                                                    : JOB_WAIT_PLACE,
        .due = spec->not_before,
        .start_by = spec->start_by,
    };
}

enum soma_code job_store_insert(struct store_txn *txn, const struct job_new *new,
                                struct job_row *ret_row, struct soma_error *err)
{
    struct job_row row = {.job.spec = *new->spec, .spec = new->bytes};
    struct job *job = &row.job;
    enum soma_code code = count_in(txn, new, &job->num, err);
    if (code != SOMA_OK)
        return code;
    snprintf(job->id, sizeof job->id, "%s", new->id);
    snprintf(job->parent, sizeof job->parent, "%s", new->parent ? new->parent : "");
    job->status = first_status(new, job->num);
    code = insert_job(txn, job, new, err);
    if (code == SOMA_OK)
        code = insert_body(txn, job->num, &new->bytes, err);
    if (code == SOMA_OK)
        code = insert_labels(txn, job, err);
    if (code != SOMA_OK)
        return code;
    if (job->status.wait == JOB_WAIT_PLACE)
        counters_ready(txn, job->spec.queue, job->spec.priority, job->num);
    row.stored = job->status;
    job_notes_add(txn->notes, job, 0);
    *ret_row = row;
    return SOMA_OK;
}

enum soma_code job_store_find_dedupe(struct store_txn *txn, const char *key, const char *queue,
                                     const uint8_t *print, int64_t *ret_num, bool *ret_is_same,
                                     struct soma_error *err)
{
    char space[NAMESPACE_SIZE];
    namespace_of(queue, space);
    QUERY_CLEANUP struct query query;
    query_begin(&query, txn, SQL_FIND_DEDUPE);
    query_bind_text(&query, 1, key);
    query_bind_blob(&query, 2, print, DEDUPE_PRINT_BYTES);
    query_bind_text(&query, 3, space);
    bool found = false;
    enum soma_code code = query_next(&query, &found, err);
    if (code != SOMA_OK)
        return code;
    *ret_num = found ? query_int(&query, 0) : 0;
    *ret_is_same = found && query_int(&query, 1) != 0;
    return SOMA_OK;
}

// --- read

static enum soma_code read_body(struct store_txn *txn, struct arena *arena, struct job_row *row,
                                struct soma_error *err)
{
    QUERY_CLEANUP struct query query;
    query_begin(&query, txn, SQL_BODY);
    query_bind_int(&query, 1, row->job.num);
    bool found = false;
    enum soma_code code = query_next(&query, &found, err);
    if (code != SOMA_OK || !found)
        return code;
    row->spec.body = query_copy_blob(&query, 0, arena, &row->spec.body_length);
    return row->spec.body ? SOMA_OK : error_set_no_memory(err);
}

static enum soma_code read_one(struct query *query, bool with_body, struct arena *arena,
                               struct job_row *ret_row, struct soma_error *err)
{
    bool found = false;
    enum soma_code code = query_next(query, &found, err);
    if (code != SOMA_OK)
        return code;
    if (!found)
        return error_set(err, REASON_JOB_NOT_FOUND, "job_id", "no such job");
    struct job_row row;
    code = job_row_read(query, arena, &row, err);
    if (code == SOMA_OK && with_body)
        code = read_body(query->txn, arena, &row, err);
    if (code == SOMA_OK && with_body)
        code =
            job_isolation_read(query->txn, row.isolation_id, arena, &row.job.status.isolation, err);
    if (code == SOMA_OK)
        *ret_row = row;
    return code;
}

enum soma_code job_store_get(struct store_txn *txn, const char *id, bool with_body,
                             struct arena *arena, struct job_row *ret_row, struct soma_error *err)
{
    QUERY_CLEANUP struct query query;
    query_begin(&query, txn, SQL_BY_ID);
    query_bind_text(&query, 1, id);
    return read_one(&query, with_body, arena, ret_row, err);
}

enum soma_code job_store_get_num(struct store_txn *txn, int64_t num, bool with_body,
                                 struct arena *arena, struct job_row *ret_row,
                                 struct soma_error *err)
{
    QUERY_CLEANUP struct query query;
    query_begin(&query, txn, SQL_BY_NUM);
    query_bind_int(&query, 1, num);
    return read_one(&query, with_body, arena, ret_row, err);
}

// --- update

static void bind_status(struct query *query, const struct job_status *status)
{
    query_bind_int(query, 4, status->reason);
    query_bind_int(query, 5, status->attempt);
    query_bind_int(query, 6, status->exit_code);
    query_bind_int(query, 7, status->signal);
    query_bind_text(query, 8, status->message);
    query_bind_int(query, 9, status->started.ms);
    if (status->has_progress) {
        query_bind_double(query, 10, status->progress.percent);
        query_bind_text(query, 11, status->progress.message);
        query_bind_int(query, 12, status->progress.reported.ms);
    }
    if (status->has_resources) {
        query_bind_int(query, 13, status->resources.wall_time_ms);
        query_bind_int(query, 14, status->resources.user_time_ms);
        query_bind_int(query, 15, status->resources.system_time_ms);
        query_bind_int(query, 16, status->resources.peak_memory_bytes);
    }
    query_bind_int(query, 17, status->stdout_size.kept_bytes);
    query_bind_int(query, 18, status->stdout_size.dropped_bytes);
    query_bind_int(query, 19, status->stderr_size.kept_bytes);
    query_bind_int(query, 20, status->stderr_size.dropped_bytes);
    query_bind_int(query, 21, status->cancel_requested.ms);
    query_bind_text(query, 22, status->cancel_note);
    query_bind_int(query, 23, status->cancel_force);
    query_bind_int(query, 24, status->runner_pid);
    query_bind_int(query, 32, status->artifacts.file_count);
    query_bind_int(query, 33, status->artifacts.total_bytes);
    query_bind_int(query, 34, status->artifacts.left_out_count);
    query_bind_int(query, 36, status->resources.disk_bytes);
    query_bind_int(query, 37, status->asked_count);
    query_bind_int(query, 38, status->killed_count);
}

static enum soma_code write_status(struct store_txn *txn, const struct job_row *row,
                                   int64_t revision, struct soma_error *err)
{
    const struct job_status *status = &row->job.status;
    // What is left alone here changes only with the state, or while the job is queued.
    bool same_state = status->state == row->stored.state && status->state != JOB_QUEUED;
    QUERY_CLEANUP struct query query;
    query_begin(&query, txn, same_state ? SQL_UPDATE : SQL_UPDATE_STATE);
    query_bind_int(&query, 1, row->job.num);
    query_bind_int(&query, 2, row->stored.revision);
    query_bind_int(&query, 3, revision);
    bind_status(&query, status);
    if (row->isolation_id)
        query_bind_int(&query, 35, row->isolation_id);
    if (!same_state) {
        query_bind_int(&query, 25, status->state);
        query_bind_int(&query, 26, status->finished.ms);
        query_bind_int(&query, 27, job_hold_of(status->wait));
        query_bind_int(&query, 28, status->due.ms);
        query_bind_int(&query, 29, status->start_by.ms);
        query_bind_int(&query, 30, status->tries_from);
        query_bind_int(&query, 31, status->is_awaited);
    }
    return query_run(&query, err);
}

static bool is_ready(const struct job_status *status)
{
    return status->state == JOB_QUEUED && job_hold_of(status->wait) == HOLD_NONE;
}

// Who waits for this job, and whom this job waited for.
static enum soma_code follow_up(struct store_txn *txn, struct job_row *row, struct soma_error *err)
{
    const struct job *job = &row->job;
    const struct job_status *status = &job->status, *stored = &row->stored;
    if (is_ready(status))
        counters_ready(txn, job->spec.queue, job->spec.priority, job->num);
    else if (is_ready(stored))
        counters_not_ready(txn, job->spec.queue, job->num);
    enum soma_code code = SOMA_OK;
    if (stored->wait == JOB_WAIT_AFTER && status->wait != JOB_WAIT_AFTER)
        code = job_after_remove_all(txn, job->num, err);
    if (code == SOMA_OK && stored->is_awaited && is_final(status->state))
        code = job_settle_add(txn, job->num, job->id, status->state == JOB_SUCCEEDED, err);
    return code;
}

enum soma_code job_store_update(struct store_txn *txn, struct job_row *row, struct soma_error *err)
{
    struct job_status *status = &row->job.status;
    int64_t bytes = final_bytes(status) - final_bytes(&row->stored);
    int64_t revision = 0;
    // The waiters are told once; who comes later is a new one.
    if (is_final(status->state))
        status->is_awaited = false;
    enum soma_code code = counters_move(txn, row->job.spec.queue, row->stored.state, status->state,
                                        bytes, &revision, err);
    if (code == SOMA_OK && row->stored.state == JOB_RUNNING && status->state != JOB_RUNNING)
        code = job_isolation_name(txn, status->isolation, &row->isolation_id, err);
    if (code == SOMA_OK)
        code = write_status(txn, row, revision, err);
    if (code != SOMA_OK)
        return code;
    if (txn_changes(txn) != 1)
        return error_set(err, REASON_INTERNAL, NULL, "job %s was changed in between", row->job.id);
    status->revision = revision;
    code = follow_up(txn, row, err);
    job_notes_add(txn->notes, &row->job, row->stored.state);
    row->stored = *status;
    return code;
}

// --- delete

static enum soma_code run_with_num(struct store_txn *txn, const char *sql, int64_t num,
                                   struct soma_error *err)
{
    QUERY_CLEANUP struct query query;
    query_begin(&query, txn, sql);
    query_bind_int(&query, 1, num);
    return query_run(&query, err);
}

static enum soma_code not_deleted(struct store_txn *txn, int64_t num, struct soma_error *err)
{
    QUERY_CLEANUP struct query query;
    query_begin(&query, txn, SQL_EXISTS);
    query_bind_int(&query, 1, num);
    bool found = false;
    enum soma_code code = query_next(&query, &found, err);
    if (code != SOMA_OK)
        return code;
    if (!found)
        return error_set(err, REASON_JOB_NOT_FOUND, "job_id", "no such job");
    return error_set(err, REASON_JOB_NOT_FINAL, "job_id", "the job is queued or running");
}

// What of a removed row is still needed.
struct removed {
    char id[ID_SIZE];
    char queue[QUEUE_NAME_BYTES + 1];
    unsigned state;
    int64_t bytes;
};

static enum soma_code note_removed(struct store_txn *txn, int64_t revision,
                                   const struct removed *removed, struct wall_time now,
                                   struct soma_error *err)
{
    char space[NAMESPACE_SIZE];
    namespace_of(removed->queue, space);
    QUERY_CLEANUP struct query query;
    query_begin(&query, txn, SQL_REMOVED);
    query_bind_int(&query, 1, revision);
    query_bind_text(&query, 2, removed->id);
    query_bind_int(&query, 3, now.ms);
    query_bind_text(&query, 4, space);
    return query_run(&query, err);
}

static enum soma_code delete_row(struct store_txn *txn, int64_t num, struct removed *ret_removed,
                                 struct soma_error *err)
{
    QUERY_CLEANUP struct query query;
    query_begin(&query, txn, SQL_DELETE);
    query_bind_int(&query, 1, num);
    bool found = false;
    enum soma_code code = query_next(&query, &found, err);
    if (code != SOMA_OK)
        return code;
    if (!found)
        return not_deleted(txn, num, err);
    snprintf(ret_removed->id, sizeof ret_removed->id, "%s", query_peek_text(&query, 0));
    ret_removed->state = (unsigned)query_int(&query, 1);
    ret_removed->bytes = query_int(&query, 2);
    snprintf(ret_removed->queue, sizeof ret_removed->queue, "%s", query_peek_text(&query, 3));
    return query_run(&query, err);
}

enum soma_code job_store_delete(struct store_txn *txn, int64_t num, struct wall_time now,
                                struct soma_error *err)
{
    struct removed removed = {0};
    int64_t revision = 0;
    enum soma_code code = delete_row(txn, num, &removed, err);
    if (code == SOMA_OK)
        code = run_with_num(txn, SQL_DELETE_BODY, num, err);
    if (code == SOMA_OK)
        code = run_with_num(txn, SQL_DELETE_LABELS, num, err);
    if (code == SOMA_OK)
        code = run_with_num(txn, SQL_DELETE_ATTEMPTS, num, err);
    if (code == SOMA_OK)
        code = job_uploads_forget(txn, num, err);
    if (code == SOMA_OK)
        code = counters_move(txn, removed.queue, removed.state, 0, -removed.bytes, &revision, err);
    return code == SOMA_OK ? note_removed(txn, revision, &removed, now, err) : code;
}
