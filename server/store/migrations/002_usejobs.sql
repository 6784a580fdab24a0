-- Finished uploads that jobs have taken; until the job is removed, nobody else gets them.
CREATE TABLE job_upload (
    id TEXT PRIMARY KEY,
    num INTEGER NOT NULL                -- of the job
) WITHOUT ROWID;
CREATE INDEX job_upload_by_job ON job_upload (num);

-- Files that the latest attempt left.
ALTER TABLE job ADD COLUMN artifact_count INTEGER NOT NULL DEFAULT 0;
ALTER TABLE job ADD COLUMN artifact_bytes INTEGER NOT NULL DEFAULT 0;
ALTER TABLE job ADD COLUMN artifact_left_out INTEGER NOT NULL DEFAULT 0;
