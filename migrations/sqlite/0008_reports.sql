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

-- The network's own lists of transactions. The file is kept in pieces of whole lines, and read piece by piece: whoever
-- is killed goes on with the piece that was not finished.
CREATE TABLE statements (
    id           INTEGER PRIMARY KEY,
    source       TEXT    NOT NULL,
    file_name    TEXT    NOT NULL,
    -- SHA-256 of the whole file; null while it is still being received
    file_hash    TEXT,
    -- receiving, importing, matching, matched
    state        TEXT    NOT NULL,
    -- among those of the same source whose days overlap, from 1
    version      INTEGER NOT NULL,
    -- how the file is written: JSON
    format       TEXT    NOT NULL,
    chunks       INTEGER NOT NULL,
    -- pieces that were read
    chunks_done  INTEGER NOT NULL,
    -- business dates; from the lines, unless somebody said so
    period_from  TEXT,
    period_to    TEXT,
    actor        TEXT    NOT NULL,
    received_at  INTEGER NOT NULL
) STRICT;

CREATE UNIQUE INDEX statements_file ON statements (source, file_hash);

CREATE TABLE statement_chunks (
    statement_id INTEGER NOT NULL,
    seq          INTEGER NOT NULL,
    first_line   INTEGER NOT NULL,
    content      TEXT    NOT NULL,
    PRIMARY KEY (statement_id, seq)
) STRICT, WITHOUT ROWID;

CREATE TABLE statement_lines (
    statement_id  INTEGER NOT NULL,
    line          INTEGER NOT NULL,
    tx_id         TEXT,
    kind          TEXT    NOT NULL,
    user_id       TEXT,
    offer_id      TEXT,
    event_id      TEXT,
    amount_micros INTEGER NOT NULL,
    currency      TEXT    NOT NULL,
    happened_at   INTEGER,
    day           TEXT,
    state         TEXT    NOT NULL,
    rule          TEXT    NOT NULL,
    reward_id     INTEGER,
    -- what it counts in the network's total and in ours, in USD; their difference is the line's
    theirs_micros INTEGER NOT NULL,
    ours_micros   INTEGER NOT NULL,
    PRIMARY KEY (statement_id, line)
) STRICT, WITHOUT ROWID;

CREATE INDEX statement_lines_state ON statement_lines (statement_id, state, line);
CREATE INDEX statement_lines_tx ON statement_lines (statement_id, tx_id);
CREATE INDEX statement_lines_reward ON statement_lines (reward_id);

CREATE TABLE statement_faults (
    statement_id INTEGER NOT NULL,
    line         INTEGER NOT NULL,
    reason       TEXT    NOT NULL,
    PRIMARY KEY (statement_id, line)
) STRICT, WITHOUT ROWID;

-- What we booked and no line speaks of.
CREATE TABLE statement_missing (
    statement_id INTEGER NOT NULL,
    reward_id    INTEGER NOT NULL,
    kind         TEXT    NOT NULL,
    -- missing_there, or status_differs where the network counts the credit that it took back here
    state        TEXT    NOT NULL,
    booked_on    TEXT    NOT NULL,
    ours_micros  INTEGER NOT NULL,
    PRIMARY KEY (statement_id, reward_id, kind)
) STRICT, WITHOUT ROWID;

-- A difference that a person accepts: who, when, why.
CREATE TABLE statement_accepted (
    statement_id INTEGER NOT NULL,
    -- `line N`, or `KIND of reward N`
    subject      TEXT    NOT NULL,
    actor        TEXT    NOT NULL,
    reason       TEXT    NOT NULL,
    accepted_at  INTEGER NOT NULL,
    PRIMARY KEY (statement_id, subject)
) STRICT, WITHOUT ROWID;

-- What the network paid; each is one transfer.
CREATE TABLE statement_payments (
    id            INTEGER PRIMARY KEY,
    statement_id  INTEGER NOT NULL,
    amount_micros INTEGER NOT NULL CHECK (amount_micros > 0),
    actor         TEXT    NOT NULL,
    note          TEXT    NOT NULL,
    paid_at       INTEGER NOT NULL
) STRICT;

CREATE INDEX statement_payments_statement ON statement_payments (statement_id);

CREATE TRIGGER statement_accepted_is_frozen BEFORE UPDATE ON statement_accepted
BEGIN SELECT RAISE(ABORT, 'an accepted difference never changes'); END;
CREATE TRIGGER statement_payments_are_frozen BEFORE UPDATE ON statement_payments
BEGIN SELECT RAISE(ABORT, 'a payment never changes: book another'); END;
CREATE TRIGGER statement_payments_stay BEFORE DELETE ON statement_payments
BEGIN SELECT RAISE(ABORT, 'a payment is never deleted: book another'); END;
