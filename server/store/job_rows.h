// Columns of a job's row and how one is read; shared by jobs.c and job_lists.c alone.
#ifndef STORE_JOB_ROWS_H
#define STORE_JOB_ROWS_H

#include "store/jobs.h"
#include "store/sqlite.h"

// In the order of enum job_column.
#define JOB_COLUMNS JOB_COLUMNS_BEFORE_SPEC ", spec"

// Of those who need no specification, which may be 200 KB: it is empty, and the row never complete.
#define JOB_COLUMNS_BARE JOB_COLUMNS_BEFORE_SPEC ", x''"

#define JOB_COLUMNS_BEFORE_SPEC                                                                   \
    "job.num, job.state, job.queue, job.id, reason, revision, priority, not_before_unix_ms, "     \
    "keep_ms, attempt, exit_code, signal, message, created_unix_ms, started_unix_ms, "            \
    "finished_unix_ms, progress_percent, progress_message, progress_unix_ms, wall_ms, user_ms, "  \
    "system_ms, peak_bytes, stdout_kept, stdout_dropped, stderr_kept, stderr_dropped, "           \
    "cancel_unix_ms, cancel_note, cancel_force, runner_pid, isolation, disk_bytes, asked_count, " \
    "killed_count, artifact_count, artifact_bytes, "                                              \
    "artifact_left_out, hold, due_unix_ms, "                                                      \
    "start_by_unix_ms, tries_from, is_awaited, parent, CASE WHEN state = 1 AND hold = 0 THEN "    \
    "(SELECT "                                                                                    \
    "CASE WHEN paused THEN 5 WHEN max_running > 0 AND running >= max_running THEN 6 END FROM "    \
    "job_queue WHERE name = job.queue) END"

enum job_column {
    COLUMN_NUM,
    COLUMN_STATE,
    COLUMN_QUEUE,
    COLUMN_ID,
    COLUMN_REASON,
    COLUMN_REVISION,
    COLUMN_PRIORITY,
    COLUMN_NOT_BEFORE,
    COLUMN_KEEP,
    COLUMN_ATTEMPT,
    COLUMN_EXIT_CODE,
    COLUMN_SIGNAL,
    COLUMN_MESSAGE,
    COLUMN_CREATED,
    COLUMN_STARTED,
    COLUMN_FINISHED,
    COLUMN_PROGRESS_PERCENT,
    COLUMN_PROGRESS_MESSAGE,
    COLUMN_PROGRESS_TIME,
    COLUMN_WALL,
    COLUMN_USER,
    COLUMN_SYSTEM,
    COLUMN_PEAK,
    COLUMN_STDOUT_KEPT,
    COLUMN_STDOUT_DROPPED,
    COLUMN_STDERR_KEPT,
    COLUMN_STDERR_DROPPED,
    COLUMN_CANCEL_TIME,
    COLUMN_CANCEL_NOTE,
    COLUMN_CANCEL_FORCE,
    COLUMN_RUNNER_PID,
    COLUMN_ISOLATION, // a row of job_isolation, or NULL
    COLUMN_DISK,
    COLUMN_ASKED,
    COLUMN_KILLED,
    COLUMN_ARTIFACT_COUNT,
    COLUMN_ARTIFACT_BYTES,
    COLUMN_ARTIFACT_LEFT_OUT,
    COLUMN_HOLD,
    COLUMN_DUE,
    COLUMN_START_BY,
    COLUMN_TRIES_FROM,
    COLUMN_IS_AWAITED,
    COLUMN_PARENT,
    COLUMN_QUEUE_WAIT, // a number of enum job_wait, or NULL
    COLUMN_SPEC,
};

// The column hold: what a queued job waits for, as far as claims look at it.
enum job_hold {
    HOLD_NONE,
    HOLD_TIME,  // due_unix_ms
    HOLD_AFTER, // the jobs of job_after
};
enum job_hold job_hold_of(enum job_wait wait);

// Copies the row that the query stands on. Out of memory, or of the arena's budget, is the only
// failure.
enum soma_code job_row_read(const struct query *query, struct arena *arena, struct job_row *ret_row,
                            struct soma_error *err);

#endif
