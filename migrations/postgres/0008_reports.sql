-- The reconciliation of a business day: rewritten while it is preliminary, and never again once it is final.
CREATE TABLE reports (
    business_date   TEXT    PRIMARY KEY,
    state           TEXT    NOT NULL CHECK (state IN ('preliminary', 'final')),
    made_at         BIGINT  NOT NULL,
    -- the last transfer that it knew: whatever comes later with an earlier business date is counted in the next report
    transfers_upto  BIGINT  NOT NULL,
    ties_out        BIGINT  NOT NULL,
    -- JSON, and its SHA-256
    content         TEXT    NOT NULL,
    content_hash    TEXT    NOT NULL
);

-- Who vouches for a closed day; once.
CREATE TABLE sign_offs (
    business_date TEXT    PRIMARY KEY,
    actor         TEXT    NOT NULL,
    signed_at     BIGINT  NOT NULL,
    note          TEXT    NOT NULL,
    -- of the report that was signed
    content_hash  TEXT    NOT NULL
);

-- When a process was able to acknowledge: one row from one silence to the next.
CREATE TABLE listening (
    process  TEXT    PRIMARY KEY,
    began_at BIGINT  NOT NULL,
    seen_at  BIGINT  NOT NULL
);

CREATE INDEX listening_seen ON listening (seen_at);

-- What was booked on a day, by kind; rewards follow in the order of their ids.
CREATE INDEX steps_booked ON steps (business_date, step, reward_id);

CREATE FUNCTION reports_are_frozen() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'a closed report never changes'; END $$;
CREATE TRIGGER reports_are_frozen BEFORE UPDATE ON reports
FOR EACH ROW WHEN (OLD.state = 'final') EXECUTE FUNCTION reports_are_frozen();
CREATE FUNCTION reports_stay() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'a closed report is never deleted'; END $$;
CREATE TRIGGER reports_stay BEFORE DELETE ON reports
FOR EACH ROW WHEN (OLD.state = 'final') EXECUTE FUNCTION reports_stay();
CREATE FUNCTION sign_offs_are_frozen() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'a sign-off never changes'; END $$;
CREATE TRIGGER sign_offs_are_frozen BEFORE UPDATE ON sign_offs
FOR EACH ROW EXECUTE FUNCTION sign_offs_are_frozen();
CREATE FUNCTION sign_offs_stay() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'a sign-off is never deleted'; END $$;
CREATE TRIGGER sign_offs_stay BEFORE DELETE ON sign_offs
FOR EACH ROW EXECUTE FUNCTION sign_offs_stay();

-- The network's own lists of transactions. The file is kept in pieces of whole lines, and read piece by piece: whoever
-- is killed goes on with the piece that was not finished.
CREATE TABLE statements (
    id           BIGINT  GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    source       TEXT    NOT NULL,
    file_name    TEXT    NOT NULL,
    -- SHA-256 of the whole file; null while it is still being received
    file_hash    TEXT,
    -- receiving, importing, matching, matched
    state        TEXT    NOT NULL,
    -- among those of the same source whose days overlap, from 1
    version      BIGINT  NOT NULL,
    -- how the file is written: JSON
    format       TEXT    NOT NULL,
    chunks       BIGINT  NOT NULL,
    -- pieces that were read
    chunks_done  BIGINT  NOT NULL,
    -- business dates; from the lines, unless somebody said so
    period_from  TEXT,
    period_to    TEXT,
    actor        TEXT    NOT NULL,
    received_at  BIGINT  NOT NULL
);

CREATE UNIQUE INDEX statements_file ON statements (source, file_hash);

CREATE TABLE statement_chunks (
    statement_id BIGINT  NOT NULL,
    seq          BIGINT  NOT NULL,
    first_line   BIGINT  NOT NULL,
    content      TEXT    NOT NULL,
    PRIMARY KEY (statement_id, seq)
);

CREATE TABLE statement_lines (
    statement_id  BIGINT  NOT NULL,
    line          BIGINT  NOT NULL,
    tx_id         TEXT,
    kind          TEXT    NOT NULL,
    user_id       TEXT,
    offer_id      TEXT,
    event_id      TEXT,
    amount_micros BIGINT  NOT NULL,
    currency      TEXT    NOT NULL,
    happened_at   BIGINT ,
    day           TEXT,
    state         TEXT    NOT NULL,
    rule          TEXT    NOT NULL,
    reward_id     BIGINT ,
    -- what it counts in the network's total and in ours, in USD; their difference is the line's
    theirs_micros BIGINT  NOT NULL,
    ours_micros   BIGINT  NOT NULL,
    PRIMARY KEY (statement_id, line)
);

CREATE INDEX statement_lines_state ON statement_lines (statement_id, state, line);
CREATE INDEX statement_lines_tx ON statement_lines (statement_id, tx_id);
CREATE INDEX statement_lines_reward ON statement_lines (reward_id);

CREATE TABLE statement_faults (
    statement_id BIGINT  NOT NULL,
    line         BIGINT  NOT NULL,
    reason       TEXT    NOT NULL,
    PRIMARY KEY (statement_id, line)
);

-- What we booked and no line speaks of.
CREATE TABLE statement_missing (
    statement_id BIGINT  NOT NULL,
    reward_id    BIGINT  NOT NULL,
    kind         TEXT    NOT NULL,
    -- missing_there, or status_differs where the network counts the credit that it took back here
    state        TEXT    NOT NULL,
    booked_on    TEXT    NOT NULL,
    ours_micros  BIGINT  NOT NULL,
    PRIMARY KEY (statement_id, reward_id, kind)
);

-- A difference that a person accepts: who, when, why.
CREATE TABLE statement_accepted (
    statement_id BIGINT  NOT NULL,
    -- `line N`, or `KIND of reward N`
    subject      TEXT    NOT NULL,
    actor        TEXT    NOT NULL,
    reason       TEXT    NOT NULL,
    accepted_at  BIGINT  NOT NULL,
    PRIMARY KEY (statement_id, subject)
);

-- What the network paid; each is one transfer.
CREATE TABLE statement_payments (
    id            BIGINT  GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    statement_id  BIGINT  NOT NULL,
    amount_micros BIGINT  NOT NULL CHECK (amount_micros > 0),
    actor         TEXT    NOT NULL,
    note          TEXT    NOT NULL,
    paid_at       BIGINT  NOT NULL
);

CREATE INDEX statement_payments_statement ON statement_payments (statement_id);

CREATE FUNCTION statement_accepted_is_frozen() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'an accepted difference never changes'; END $$;
CREATE TRIGGER statement_accepted_is_frozen BEFORE UPDATE ON statement_accepted
FOR EACH ROW EXECUTE FUNCTION statement_accepted_is_frozen();
CREATE FUNCTION statement_payments_are_frozen() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'a payment never changes: book another'; END $$;
CREATE TRIGGER statement_payments_are_frozen BEFORE UPDATE ON statement_payments
FOR EACH ROW EXECUTE FUNCTION statement_payments_are_frozen();
CREATE FUNCTION statement_payments_stay() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'a payment is never deleted: book another'; END $$;
CREATE TRIGGER statement_payments_stay BEFORE DELETE ON statement_payments
FOR EACH ROW EXECUTE FUNCTION statement_payments_stay();
