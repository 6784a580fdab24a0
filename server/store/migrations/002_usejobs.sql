-- Finished uploads that jobs have taken; until the job is removed, nobody else gets them.
CREATE TABLE job_upload (
    id TEXT PRIMARY KEY,
    num INTEGER NOT NULL                -- of the job
) WITHOUT ROWID;
CREATE INDEX job_upload_by_job ON job_upload (num);
