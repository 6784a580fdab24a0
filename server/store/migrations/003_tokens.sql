-- Tokens of callers, by what they are called; of their secrets only the SHA-256.
CREATE TABLE token (
    name TEXT PRIMARY KEY,
    hash BLOB NOT NULL UNIQUE,
    scopes INTEGER NOT NULL,            -- bits of enum scope
    created_unix_ms INTEGER NOT NULL,
    expires_unix_ms INTEGER NOT NULL,   -- 0: never
    last_used_unix_ms INTEGER NOT NULL  -- 0: not yet
) WITHOUT ROWID;
