-- Outcomes of mutating requests, for a day: a request delivered twice acts once. num rises with
-- time, so that the oldest are found without another index.
CREATE TABLE request (
    num INTEGER PRIMARY KEY,
    id BLOB NOT NULL UNIQUE,        -- 16 bytes, the caller's
    made_unix_ms INTEGER NOT NULL,
    fingerprint BLOB NOT NULL,      -- of method and message
    reply BLOB NOT NULL             -- packed
);
