-- Jobs that jobs submitted.
ALTER TABLE job ADD COLUMN parent TEXT;     -- id of the job that submitted this one; NULL: none did
CREATE INDEX job_by_parent ON job (parent, num) WHERE parent IS NOT NULL;

-- Jobs that were cancelled and whose children are still to be, those with a num above after_num.
CREATE TABLE job_family (
    id TEXT PRIMARY KEY,
    note TEXT NOT NULL,
    force INTEGER NOT NULL,
    after_num INTEGER NOT NULL
) WITHOUT ROWID;
