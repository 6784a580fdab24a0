-- A token's name is of its namespace: another one may have the same.
CREATE TABLE token_by_space (
    namespace TEXT NOT NULL,            -- '': the default one
    name TEXT NOT NULL,
    hash BLOB NOT NULL UNIQUE,          -- SHA-256 of its secret
    scopes INTEGER NOT NULL,            -- bits of enum scope
    created_unix_ms INTEGER NOT NULL,
    expires_unix_ms INTEGER NOT NULL,   -- 0: never
    last_used_unix_ms INTEGER NOT NULL, -- 0: not yet
    PRIMARY KEY (namespace, name)
) WITHOUT ROWID;
INSERT INTO token_by_space
    SELECT namespace, name, hash, scopes, created_unix_ms, expires_unix_ms, last_used_unix_ms
    FROM token;
DROP TABLE token;
ALTER TABLE token_by_space RENAME TO token;
