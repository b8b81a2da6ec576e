-- The reconciliation of a business day: rewritten while it is preliminary, and never again once it is final.
CREATE TABLE reports (
    business_date   TEXT    PRIMARY KEY,
    state           TEXT    NOT NULL CHECK (state IN ('preliminary', 'final')),
    made_at         INTEGER NOT NULL,
    -- the last transfer that it knew: whatever comes later with an earlier business date is counted in the next report
    transfers_upto  INTEGER NOT NULL,
    ties_out        INTEGER NOT NULL,
    -- JSON, and its SHA-256
    content         TEXT    NOT NULL,
    content_hash    TEXT    NOT NULL
) STRICT, WITHOUT ROWID;

-- Who vouches for a closed day; once.
CREATE TABLE sign_offs (
    business_date TEXT    PRIMARY KEY,
    actor         TEXT    NOT NULL,
    signed_at     INTEGER NOT NULL,
    note          TEXT    NOT NULL,
    -- of the report that was signed
    content_hash  TEXT    NOT NULL
) STRICT, WITHOUT ROWID;

-- When a process was able to acknowledge: one row from one silence to the next.
CREATE TABLE listening (
    process  TEXT    PRIMARY KEY,
    began_at INTEGER NOT NULL,
    seen_at  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX listening_seen ON listening (seen_at);

-- What was booked on a day, by kind; rewards follow in the order of their ids.
CREATE INDEX steps_booked ON steps (business_date, step, reward_id);

CREATE TRIGGER reports_are_frozen BEFORE UPDATE ON reports WHEN OLD.state = 'final'
BEGIN SELECT RAISE(ABORT, 'a closed report never changes'); END;
CREATE TRIGGER reports_stay BEFORE DELETE ON reports WHEN OLD.state = 'final'
BEGIN SELECT RAISE(ABORT, 'a closed report is never deleted'); END;
CREATE TRIGGER sign_offs_are_frozen BEFORE UPDATE ON sign_offs
BEGIN SELECT RAISE(ABORT, 'a sign-off never changes'); END;
CREATE TRIGGER sign_offs_stay BEFORE DELETE ON sign_offs
BEGIN SELECT RAISE(ABORT, 'a sign-off is never deleted'); END;
