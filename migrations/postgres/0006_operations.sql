-- Follows one call through the logs, from the socket to the verdict; null for what was recorded before there was one.
ALTER TABLE postbacks ADD COLUMN request_id TEXT;
ALTER TABLE refused ADD COLUMN request_id TEXT;

-- Work by the clock: one row for each time that a job was due. Whoever inserts it pushes the job, in the same
-- transaction, so a slot is worked on once however many processes look at the clock.
CREATE TABLE scheduled (
    job         TEXT    NOT NULL,
    -- the business date
    slot        TEXT    NOT NULL,
    pushed_at   BIGINT  NOT NULL,
    -- how often it was begun: counted by us, because a job that kills its process is handed out again for ever
    attempts    BIGINT  NOT NULL,
    finished_at BIGINT,
    PRIMARY KEY (job, slot)
);

-- How far the addresses of rewards have been shortened: up to and including this one.
CREATE TABLE retention (
    subject     TEXT    PRIMARY KEY,
    received_at BIGINT  NOT NULL,
    id          BIGINT  NOT NULL
);
