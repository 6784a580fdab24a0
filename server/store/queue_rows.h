// Columns of a queue's row and how one is read and bound. For the files of this folder alone.
#ifndef STORE_QUEUE_ROWS_H
#define STORE_QUEUE_ROWS_H

#include "store/job_counters.h"
#include "store/sqlite.h"

// In the order of enum queue_column; the counts in that of the states.
#define QUEUE_COLUMNS                                                                         \
    "name, paused, max_running, keep_ms, keep_jobs, keep_bytes, queued, running, succeeded, " \
    "failed, cancelled, timed_out, lost, output_bytes"

enum queue_column {
    QUEUE_COLUMN_NAME,
    QUEUE_COLUMN_PAUSED,
    QUEUE_COLUMN_MAX_RUNNING,
    QUEUE_COLUMN_KEEP_MS,
    QUEUE_COLUMN_KEEP_JOBS,
    QUEUE_COLUMN_KEEP_BYTES,
    QUEUE_COLUMN_COUNTS, // and six more
    QUEUE_COLUMN_OUTPUT = QUEUE_COLUMN_COUNTS + JOB_STATE_COUNT - 1,
};

// All but the name.
void queue_row_read(const struct query *query, struct queue_values *ret_values);
// Parameter 1 + column for each of them.
void queue_row_bind(struct query *query, const struct queue_values *values);

#endif
