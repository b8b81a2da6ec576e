-- Who has ever earned something; also the row that workers lock, so that one user is judged by one worker at a time.
CREATE TABLE users (
    app           TEXT    NOT NULL,
    user_id       TEXT    NOT NULL,
    first_seen_at INTEGER NOT NULL,
    PRIMARY KEY (app, user_id)
) STRICT, WITHOUT ROWID;

-- One row for each event key of a source.
CREATE TABLE rewards (
    id            INTEGER PRIMARY KEY,
    source        TEXT    NOT NULL,
    event_key     TEXT    NOT NULL,
    app           TEXT    NOT NULL,
    user_id       TEXT    NOT NULL,
    tx_id         TEXT    NOT NULL,
    status        TEXT    NOT NULL CHECK (status IN ('credited', 'held', 'rejected', 'reversed')),
    currency      TEXT    NOT NULL,
    -- null while nothing but a reversal without amounts has been seen
    reward_micros INTEGER,
    payout_micros INTEGER,
    offer_id      TEXT,
    offer_name    TEXT,
    event_id      TEXT,
    event_name    TEXT,
    ip            TEXT,
    country_code  TEXT,
    clicked_at    INTEGER,
    sub1          TEXT,
    sub2          TEXT,
    -- first receipt: the completion
    received_at   INTEGER NOT NULL,
    -- of received_at, in the configured zone
    business_date TEXT    NOT NULL,
    -- how many rows it has in steps; the guard against two writers
    steps         INTEGER NOT NULL,
    repeats       INTEGER NOT NULL,
    conflict      INTEGER NOT NULL,
    credit_seen   INTEGER NOT NULL,
    UNIQUE (event_key, source)
) STRICT;

-- Lists run newest first; each filter of the API has its index. A user's also finds the same task done twice.
CREATE INDEX rewards_received ON rewards (received_at, id);
CREATE INDEX rewards_status ON rewards (status, received_at, id);
CREATE INDEX rewards_user ON rewards (user_id, source, offer_id, event_id);

-- Nothing below declares foreign keys: what belongs together is written in one transaction, nothing is ever deleted,
-- `rewardgate verify` proves it, and a check for each row would cost a good part of the speed.

-- The decision on a reward, frozen with everything that was looked at.
CREATE TABLE verdicts (
    reward_id  INTEGER PRIMARY KEY,
    decision   TEXT    NOT NULL CHECK (decision IN ('credit', 'hold')),
    score      INTEGER NOT NULL,
    hard       INTEGER NOT NULL,
    policy     TEXT    NOT NULL,
    decided_at INTEGER NOT NULL,
    geo_result TEXT    NOT NULL,
    -- JSON: what was known of the address, with the databases asked
    location   TEXT    NOT NULL,
    -- JSON: every signal, fired or not
    signals    TEXT    NOT NULL
) STRICT;

-- Every change of status: who, when, why.
CREATE TABLE steps (
    reward_id     INTEGER NOT NULL,
    seq           INTEGER NOT NULL,
    step          TEXT    NOT NULL,
    actor         TEXT    NOT NULL,
    note          TEXT,
    postback_id   INTEGER,
    taken_at      INTEGER NOT NULL,
    business_date TEXT    NOT NULL,
    PRIMARY KEY (reward_id, seq)
) STRICT, WITHOUT ROWID;

-- The content behind each policy version that ever decided.
CREATE TABLE policies (
    version       TEXT    PRIMARY KEY,
    content       TEXT    NOT NULL,
    first_used_at INTEGER NOT NULL
) STRICT;

CREATE TRIGGER verdicts_are_frozen BEFORE UPDATE ON verdicts
BEGIN SELECT RAISE(ABORT, 'a verdict never changes'); END;
CREATE TRIGGER steps_are_frozen BEFORE UPDATE ON steps
BEGIN SELECT RAISE(ABORT, 'a step never changes'); END;
CREATE TRIGGER steps_stay BEFORE DELETE ON steps
BEGIN SELECT RAISE(ABORT, 'a step is never deleted'); END;
