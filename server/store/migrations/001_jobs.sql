-- Jobs. State and reason are the numbers of proto/soma/v1/jobs.proto; times are milliseconds since
-- 1970, 0: not yet.

-- One row: what would otherwise be counted.
CREATE TABLE job_total (
    revision INTEGER NOT NULL,          -- of the latest change of any job
    history_revision INTEGER NOT NULL,  -- removals up to this one are forgotten
    queued INTEGER NOT NULL,
    running INTEGER NOT NULL,
    succeeded INTEGER NOT NULL,
    failed INTEGER NOT NULL,
    cancelled INTEGER NOT NULL,
    timed_out INTEGER NOT NULL,
    lost INTEGER NOT NULL,
    output_bytes INTEGER NOT NULL       -- kept by final jobs
);
INSERT INTO job_total VALUES (0, 0, 0, 0, 0, 0, 0, 0, 0, 0);

CREATE TABLE job (
    num INTEGER PRIMARY KEY,            -- the revision of its submit, so never used again
    id TEXT NOT NULL UNIQUE,
    state INTEGER NOT NULL CHECK (state BETWEEN 1 AND 7),
    reason INTEGER NOT NULL DEFAULT 0,
    revision INTEGER NOT NULL UNIQUE,   -- of the latest change
    -- what was asked for, as far as SQL looks at it
    queue TEXT NOT NULL,
    priority INTEGER NOT NULL,
    not_before_unix_ms INTEGER NOT NULL,
    keep_ms INTEGER NOT NULL,
    -- waits for not_before_unix_ms; a claim clears it when the time has come
    delayed INTEGER NOT NULL,
    -- what is true
    attempt INTEGER NOT NULL DEFAULT 0,
    exit_code INTEGER NOT NULL DEFAULT 0,
    signal INTEGER NOT NULL DEFAULT 0,
    message TEXT,
    created_unix_ms INTEGER NOT NULL,
    started_unix_ms INTEGER NOT NULL DEFAULT 0,
    finished_unix_ms INTEGER NOT NULL DEFAULT 0,
    expires_unix_ms INTEGER NOT NULL DEFAULT 0,
    progress_percent REAL,              -- NULL: nothing was reported
    progress_message TEXT,
    progress_unix_ms INTEGER,
    wall_ms INTEGER,                    -- NULL: resources are not known
    user_ms INTEGER,
    system_ms INTEGER,
    peak_bytes INTEGER,
    stdout_kept INTEGER NOT NULL DEFAULT 0,
    stdout_dropped INTEGER NOT NULL DEFAULT 0,
    stderr_kept INTEGER NOT NULL DEFAULT 0,
    stderr_dropped INTEGER NOT NULL DEFAULT 0,
    cancel_unix_ms INTEGER NOT NULL DEFAULT 0,
    cancel_note TEXT,
    cancel_force INTEGER NOT NULL DEFAULT 0,
    runner_pid INTEGER NOT NULL DEFAULT 0,
    spec BLOB NOT NULL                  -- the head of the specification
);

-- Small indexes on what is alive; a submit writes to the first and the third.
CREATE INDEX job_ready ON job (priority DESC, num) WHERE state = 1 AND delayed = 0;
CREATE INDEX job_delayed ON job (not_before_unix_ms) WHERE state = 1 AND delayed = 1;
CREATE INDEX job_unfinished ON job (num) WHERE state < 3;
CREATE INDEX job_by_end ON job (finished_unix_ms) WHERE state > 2;
CREATE INDEX job_by_expiry ON job (expires_unix_ms) WHERE state > 2;

-- Source, standard input and environment: up to megabytes, apart so that lists stay dense.
CREATE TABLE job_body (
    num INTEGER PRIMARY KEY,
    body BLOB NOT NULL
);

CREATE TABLE job_label (
    num INTEGER NOT NULL,
    key TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (num, key)
) WITHOUT ROWID;
CREATE INDEX job_label_by_value ON job_label (key, value, num);

-- Removals, for a day, for those who watch.
CREATE TABLE job_removed (
    revision INTEGER PRIMARY KEY,
    id TEXT NOT NULL,
    removed_unix_ms INTEGER NOT NULL
);
