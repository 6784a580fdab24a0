#include "store/job_rows.h"

#include <stdio.h>

static struct wall_time time_at(const struct query *query, int column)
{
    return (struct wall_time){query_int(query, column)};
}

static void read_progress(const struct query *query, struct arena *arena, struct job_status *status)
{
    status->has_progress = !query_is_null(query, COLUMN_PROGRESS_PERCENT);
    if (!status->has_progress)
        return;
    status->progress.percent = query_double(query, COLUMN_PROGRESS_PERCENT);
    status->progress.message = query_copy_text(query, COLUMN_PROGRESS_MESSAGE, arena);
    status->progress.reported = time_at(query, COLUMN_PROGRESS_TIME);
}

static void read_resources(const struct query *query, struct job_status *status)
{
    status->has_resources = !query_is_null(query, COLUMN_WALL);
    if (!status->has_resources)
        return;
    status->resources = (struct job_resources){
        .wall_time_ms = query_int(query, COLUMN_WALL),
        .user_time_ms = query_int(query, COLUMN_USER),
        .system_time_ms = query_int(query, COLUMN_SYSTEM),
        .peak_memory_bytes = query_int(query, COLUMN_PEAK),
        .disk_bytes = query_int(query, COLUMN_DISK),
    };
}

enum job_hold job_hold_of(enum job_wait wait)
{
    switch (wait) {
    case JOB_WAIT_TIME:
    case JOB_WAIT_BACKOFF:
        return HOLD_TIME;
    case JOB_WAIT_AFTER:
        return HOLD_AFTER;
    case JOB_WAIT_NONE:
    case JOB_WAIT_PLACE:
    case JOB_WAIT_QUEUE_PAUSED:
    case JOB_WAIT_QUEUE_LIMIT:
        break;
    }
    return HOLD_NONE;
}

static enum job_wait read_wait(const struct query *query, const struct job_status *status)
{
    if (status->state != JOB_QUEUED)
        return JOB_WAIT_NONE;
    switch ((enum job_hold)query_int(query, COLUMN_HOLD)) {
    case HOLD_TIME:
        return status->attempt > status->tries_from ? JOB_WAIT_BACKOFF : JOB_WAIT_TIME;
    case HOLD_AFTER:
        return JOB_WAIT_AFTER;
    case HOLD_NONE:
        break;
    }
    bool is_free = query_is_null(query, COLUMN_QUEUE_WAIT);
    return is_free ? JOB_WAIT_PLACE : (enum job_wait)query_int(query, COLUMN_QUEUE_WAIT);
}

// The table's CHECK and this program alone wrote the numbers of state and reason.
static void read_status(const struct query *query, struct arena *arena, struct job_status *status)
{
    *status = (struct job_status){
        .state = (enum job_state)query_int(query, COLUMN_STATE),
        .reason = (enum job_reason)query_int(query, COLUMN_REASON),
        .exit_code = (int32_t)query_int(query, COLUMN_EXIT_CODE),
        .signal = (int32_t)query_int(query, COLUMN_SIGNAL),
        .message = query_copy_text(query, COLUMN_MESSAGE, arena),
        .revision = query_int(query, COLUMN_REVISION),
        .created = time_at(query, COLUMN_CREATED),
        .started = time_at(query, COLUMN_STARTED),
        .finished = time_at(query, COLUMN_FINISHED),
        .attempt = (uint32_t)query_int(query, COLUMN_ATTEMPT),
        .stdout_size = {query_int(query, COLUMN_STDOUT_KEPT),
                        query_int(query, COLUMN_STDOUT_DROPPED)},
        .stderr_size = {query_int(query, COLUMN_STDERR_KEPT),
                        query_int(query, COLUMN_STDERR_DROPPED)},
        .cancel_requested = time_at(query, COLUMN_CANCEL_TIME),
        .cancel_note = query_copy_text(query, COLUMN_CANCEL_NOTE, arena),
        .cancel_force = query_int(query, COLUMN_CANCEL_FORCE) != 0,
        .runner_pid = query_int(query, COLUMN_RUNNER_PID),
        .asked_count = query_int(query, COLUMN_ASKED),
        .killed_count = query_int(query, COLUMN_KILLED),
        .artifacts = {query_int(query, COLUMN_ARTIFACT_COUNT),
                      query_int(query, COLUMN_ARTIFACT_BYTES),
                      query_int(query, COLUMN_ARTIFACT_LEFT_OUT)},
        .due = time_at(query, COLUMN_DUE),
        .start_by = time_at(query, COLUMN_START_BY),
        .tries_from = (uint32_t)query_int(query, COLUMN_TRIES_FROM),
        .is_awaited = query_int(query, COLUMN_IS_AWAITED) != 0,
    };
    status->wait = read_wait(query, status);
    read_progress(query, arena, status);
    read_resources(query, status);
}

enum soma_code job_row_read(const struct query *query, struct arena *arena, struct job_row *ret_row,
                            struct soma_error *err)
{
    struct job_row row = {.job.num = query_int(query, COLUMN_NUM)};
    snprintf(row.job.id, sizeof row.job.id, "%s", query_peek_text(query, COLUMN_ID));
    if (!query_is_null(query, COLUMN_PARENT))
        snprintf(row.job.parent, sizeof row.job.parent, "%s",
                 query_peek_text(query, COLUMN_PARENT));
    read_status(query, arena, &row.job.status);
    row.job.spec.queue = query_copy_text(query, COLUMN_QUEUE, arena);
    row.job.spec.priority = (int32_t)query_int(query, COLUMN_PRIORITY);
    row.job.spec.not_before = time_at(query, COLUMN_NOT_BEFORE);
    row.job.spec.keep_ms = query_int(query, COLUMN_KEEP);
    row.isolation_id = query_int(query, COLUMN_ISOLATION);
    row.spec.head = query_copy_blob(query, COLUMN_SPEC, arena, &row.spec.head_length);
    const struct job_status *status = &row.job.status;
    if (!status->message || !status->cancel_note || !row.job.spec.queue || !row.spec.head ||
        (status->has_progress && !status->progress.message))
        return error_set_no_memory(err);
    row.stored = row.job.status;
    *ret_row = row;
    return SOMA_OK;
}
