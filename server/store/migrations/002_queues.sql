-- Queues, what a queued job waits for, and the attempts before the latest.

-- A queue is there while it has jobs or settings. The counts are the totals of its jobs by state; the
-- totals of the server are their sums. Limits: 0 is none.
CREATE TABLE job_queue (
    name TEXT PRIMARY KEY,
    paused INTEGER NOT NULL,
    max_running INTEGER NOT NULL,
    keep_ms INTEGER NOT NULL,           -- finished jobs: by age,
    keep_jobs INTEGER NOT NULL,         -- by count,
    keep_bytes INTEGER NOT NULL,        -- by their kept output
    queued INTEGER NOT NULL,
    running INTEGER NOT NULL,
    succeeded INTEGER NOT NULL,
    failed INTEGER NOT NULL,
    cancelled INTEGER NOT NULL,
    timed_out INTEGER NOT NULL,
    lost INTEGER NOT NULL,
    output_bytes INTEGER NOT NULL       -- kept by final jobs
) WITHOUT ROWID;
INSERT INTO job_queue
    SELECT queue, 0, 0, 0, 0, 0, sum(state = 1), sum(state = 2), sum(state = 3), sum(state = 4),
        sum(state = 5), sum(state = 6), sum(state = 7),
        sum(CASE WHEN state > 2 THEN stdout_kept + stderr_kept ELSE 0 END)
    FROM job GROUP BY queue;
ALTER TABLE job_total DROP COLUMN queued;
ALTER TABLE job_total DROP COLUMN running;
ALTER TABLE job_total DROP COLUMN succeeded;
ALTER TABLE job_total DROP COLUMN failed;
ALTER TABLE job_total DROP COLUMN cancelled;
ALTER TABLE job_total DROP COLUMN timed_out;
ALTER TABLE job_total DROP COLUMN lost;
ALTER TABLE job_total DROP COLUMN output_bytes;

-- What a queued job waits for: 0 a place, 1 due_unix_ms, 2 the jobs of job_after.
DROP INDEX job_ready;
DROP INDEX job_delayed;
ALTER TABLE job RENAME COLUMN delayed TO hold;
ALTER TABLE job ADD COLUMN due_unix_ms INTEGER NOT NULL DEFAULT 0;      -- not to be started before
ALTER TABLE job ADD COLUMN start_by_unix_ms INTEGER NOT NULL DEFAULT 0; -- and not after; 0: whenever
ALTER TABLE job ADD COLUMN tries_from INTEGER NOT NULL DEFAULT 0;       -- attempts before the latest RetryJob
ALTER TABLE job ADD COLUMN is_awaited INTEGER NOT NULL DEFAULT 0;       -- job_after names it
ALTER TABLE job ADD COLUMN dedupe_key TEXT;
ALTER TABLE job ADD COLUMN dedupe_print BLOB;                           -- of the request that submitted it
UPDATE job SET due_unix_ms = not_before_unix_ms WHERE state = 1;

-- A claim takes the first row of each queue that may start a job; a submit writes to this one only.
CREATE INDEX job_ready ON job (queue, priority DESC, num) WHERE state = 1 AND hold = 0;
CREATE INDEX job_due ON job (due_unix_ms) WHERE state = 1 AND hold = 1;
CREATE INDEX job_start_by ON job (start_by_unix_ms) WHERE state = 1 AND start_by_unix_ms > 0;
CREATE UNIQUE INDEX job_dedupe ON job (dedupe_key) WHERE state < 3 AND dedupe_key IS NOT NULL;
CREATE INDEX job_by_queue_end ON job (queue, finished_unix_ms) WHERE state > 2;

-- num waits for the end of after_num. Both are unfinished, or after_num stands in job_settle.
CREATE TABLE job_after (
    after_num INTEGER NOT NULL,
    num INTEGER NOT NULL,
    PRIMARY KEY (after_num, num)
) WITHOUT ROWID;
CREATE INDEX job_after_by_waiter ON job_after (num);

-- Awaited jobs that have ended, whose waiters are still to be told.
CREATE TABLE job_settle (
    num INTEGER PRIMARY KEY,
    id TEXT NOT NULL,
    succeeded INTEGER NOT NULL
);

-- Attempts that were followed by another one; the latest stands in job.
CREATE TABLE job_attempt (
    num INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    reason INTEGER NOT NULL,
    exit_code INTEGER NOT NULL,
    signal INTEGER NOT NULL,
    message TEXT NOT NULL,
    started_unix_ms INTEGER NOT NULL,
    finished_unix_ms INTEGER NOT NULL,
    PRIMARY KEY (num, attempt)
) WITHOUT ROWID;
