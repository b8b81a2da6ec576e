-- Calls of the past that were imported, so that none is imported twice: the beginning of the SHA-256 of source, time, target,
-- body and, of calls that agree in all of them, which one it is.
CREATE TABLE imported_calls (
    id TEXT NOT NULL PRIMARY KEY
) STRICT, WITHOUT ROWID;

-- What users had before the gateway kept their balance; booked once for each of them.
CREATE TABLE opening_balances (
    app            TEXT    NOT NULL,
    user_id        TEXT    NOT NULL,
    currency       TEXT    NOT NULL,
    balance_micros INTEGER NOT NULL,
    booked_at      INTEGER NOT NULL,
    PRIMARY KEY (app, user_id, currency)
) STRICT, WITHOUT ROWID;
