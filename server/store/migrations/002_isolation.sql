-- What an attempt used and what stood around it. Many jobs share one text about their isolation.
CREATE TABLE job_isolation (
    id INTEGER PRIMARY KEY,
    text TEXT NOT NULL UNIQUE           -- lines "+name detail" and "-name detail"
);
ALTER TABLE job ADD COLUMN isolation INTEGER;                       -- NULL: not known
ALTER TABLE job ADD COLUMN disk_bytes INTEGER NOT NULL DEFAULT 0;   -- of the work directory, at the end
ALTER TABLE job ADD COLUMN asked_count INTEGER NOT NULL DEFAULT 0;  -- processes that got TERM
ALTER TABLE job ADD COLUMN killed_count INTEGER NOT NULL DEFAULT 0; -- and KILL
