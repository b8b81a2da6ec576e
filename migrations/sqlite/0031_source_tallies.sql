-- How much each source sends, written with each batch: an hour, and each calling network by the day. The page of sources and
-- the watch for silence read these few rows; an index on `postbacks` would cost some 30 bytes for each postback.
CREATE TABLE source_tallies (
    source      TEXT    NOT NULL,
    -- 1: all postbacks of an hour; 24: those that one network sent on a day in UTC
    hours       INTEGER NOT NULL,
    -- the first of these hours, since 1970 in UTC; by the time of receipt
    began       INTEGER NOT NULL,
    -- of the caller, /24 or /48; empty for an hour, and for callers that are not counted apart
    network     TEXT    NOT NULL,
    postbacks   INTEGER NOT NULL,
    -- those of them that were quarantined and not replayed since
    quarantined INTEGER NOT NULL,
    first_at    INTEGER NOT NULL,
    last_at     INTEGER NOT NULL,
    PRIMARY KEY (source, hours, began, network)
) STRICT, WITHOUT ROWID;

-- Sources that are silent now, as the worker noticed it.
CREATE TABLE silences (
    source     TEXT    NOT NULL PRIMARY KEY,
    -- the last postback before the silence
    last_at    INTEGER NOT NULL,
    -- the usual gap that it exceeds, in milliseconds
    usual_ms   INTEGER NOT NULL,
    noticed_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
