-- Follows one call through the logs, from the socket to the verdict; null for what was recorded before there was one.
ALTER TABLE postbacks ADD COLUMN request_id TEXT;
ALTER TABLE refused ADD COLUMN request_id TEXT;

-- Work by the clock: one row for each time that a job was due. Whoever inserts it pushes the job, in the same
-- transaction, so a slot is worked on once however many processes look at the clock.
CREATE TABLE scheduled (
    job         TEXT    NOT NULL,
    -- the business date
    slot        TEXT    NOT NULL,
    pushed_at   INTEGER NOT NULL,
    -- how often it was begun: counted by us, because a job that kills its process is handed out again for ever
    attempts    INTEGER NOT NULL,
    finished_at INTEGER,
    PRIMARY KEY (job, slot)
) STRICT, WITHOUT ROWID;

-- How far the addresses of rewards have been shortened: up to and including this one.
CREATE TABLE retention (
    subject     TEXT    PRIMARY KEY,
    received_at INTEGER NOT NULL,
    id          INTEGER NOT NULL
) STRICT;

-- A postback that was put aside and is taken once more: who, when, and what it was before.
CREATE TABLE replays (
    id          INTEGER PRIMARY KEY,
    postback_id INTEGER NOT NULL,
    actor       TEXT    NOT NULL,
    -- refused or quarantined
    was         TEXT    NOT NULL CHECK (was IN ('refused', 'quarantined')),
    reason      TEXT    NOT NULL,
    replayed_at INTEGER NOT NULL
) STRICT;

CREATE INDEX replays_postback ON replays (postback_id);

CREATE TRIGGER replays_are_frozen BEFORE UPDATE ON replays
BEGIN SELECT RAISE(ABORT, 'a replay never changes'); END;

-- How often something was dropped, for ever.
CREATE TABLE tallies (
    name  TEXT    PRIMARY KEY,
    tally INTEGER NOT NULL
) STRICT;
