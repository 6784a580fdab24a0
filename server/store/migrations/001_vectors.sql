-- Collections and their records. The records of a collection form a partition: the numbers from
-- partition × 2^36 + 1 on, in all three tables. So they lie together, are read in one sweep, and a
-- cleared or deleted collection just leaves its partition behind, to be purged in small steps.

CREATE TABLE partition (
    num INTEGER PRIMARY KEY AUTOINCREMENT,
    is_dead INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX partition_dead ON partition (num) WHERE is_dead = 1;

CREATE TABLE collection (
    uid TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    partition INTEGER NOT NULL UNIQUE,
    dimension INTEGER NOT NULL,
    metric INTEGER NOT NULL,            -- of enum Metric in vectors.proto
    metadata BLOB NOT NULL,             -- vectors/metadata.h
    created_unix_ms INTEGER NOT NULL,
    sequence INTEGER NOT NULL DEFAULT 0,
    record_count INTEGER NOT NULL DEFAULT 0,
    last_record INTEGER NOT NULL DEFAULT 0  -- highest number given in the partition
) WITHOUT ROWID;

-- What a filter reads, apart from documents and embeddings so that it lies densely.
CREATE TABLE record (
    num INTEGER PRIMARY KEY,
    partition INTEGER NOT NULL,
    id TEXT NOT NULL,
    sequence INTEGER NOT NULL,          -- of the collection, at the latest write
    hash BLOB NOT NULL,                 -- of the content, 16 bytes
    metadata BLOB NOT NULL,
    UNIQUE (partition, id)
);

-- float32, little-endian.
CREATE TABLE embedding (
    num INTEGER PRIMARY KEY,
    vector BLOB NOT NULL
);

-- No row: the record has no document.
CREATE TABLE document (
    num INTEGER PRIMARY KEY,
    text TEXT NOT NULL
);
