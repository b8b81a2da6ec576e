-- Bearer tokens of the API. Only the SHA-256 of each is kept; it is random, so no slow hash is needed.
CREATE TABLE tokens (
    id         INTEGER PRIMARY KEY,
    name       TEXT    NOT NULL UNIQUE,
    role       TEXT    NOT NULL CHECK (role IN ('risk', 'finance', 'admin')),
    token_hash TEXT    NOT NULL UNIQUE,
    created_at INTEGER NOT NULL
) STRICT;
