-- The audit is a chain from here on: who by what means and from where, and a hash over the line and over the line before.
-- What was written before stays as it is, outside the chain.
ALTER TABLE audit ADD COLUMN seq INTEGER;
-- page, token, command or gateway
ALTER TABLE audit ADD COLUMN via TEXT;
-- the name of the token, or the user of the operating system
ALTER TABLE audit ADD COLUMN via_name TEXT;
-- the /24 or /48 of the address
ALTER TABLE audit ADD COLUMN from_network TEXT;
-- SHA-256 of salt and address: the hash covers this and not the address, which leaves at the end of its term
ALTER TABLE audit ADD COLUMN address_digest TEXT;
ALTER TABLE audit ADD COLUMN hash TEXT;

CREATE UNIQUE INDEX audit_seq ON audit (seq);
CREATE INDEX audit_happened ON audit (happened_at);

-- Addresses, while their term lasts.
CREATE TABLE audit_addresses (
    seq      INTEGER PRIMARY KEY,
    address  TEXT    NOT NULL,
    salt     TEXT    NOT NULL,
    noted_at INTEGER NOT NULL
) STRICT;

CREATE INDEX audit_addresses_noted ON audit_addresses (noted_at);

-- How far the chain has come, kept apart, so that a missing end is seen.
CREATE TABLE audit_head (
    one          INTEGER PRIMARY KEY CHECK (one = 1),
    number       INTEGER NOT NULL,
    hash         TEXT    NOT NULL,
    -- how many lines stand outside the chain, being older
    lines_before INTEGER NOT NULL
) STRICT;

INSERT INTO audit_head (one, number, hash, lines_before) SELECT 1, 0, '', COUNT(*) FROM audit;

-- A line is only ever added, behind the last one. REPLACE would take another away without asking the trigger for DELETE.
CREATE TRIGGER audit_only_grows BEFORE INSERT ON audit
WHEN NEW.seq IS NULL OR NEW.hash IS NULL OR NEW.seq <= (SELECT number FROM audit_head)
     OR EXISTS (SELECT 1 FROM audit WHERE id = NEW.id) OR EXISTS (SELECT 1 FROM audit WHERE seq = NEW.seq)
BEGIN SELECT RAISE(ABORT, 'an audit line is only added behind the last one'); END;
CREATE TRIGGER audit_addresses_are_frozen BEFORE UPDATE ON audit_addresses
BEGIN SELECT RAISE(ABORT, 'the address of an audit line never changes'); END;
CREATE TRIGGER audit_addresses_are_not_replaced BEFORE INSERT ON audit_addresses
WHEN NEW.seq <= (SELECT number FROM audit_head)
BEGIN SELECT RAISE(ABORT, 'the address of an audit line never changes'); END;
CREATE TRIGGER audit_head_goes_forward BEFORE UPDATE ON audit_head
WHEN NEW.number <= OLD.number OR NEW.lines_before <> OLD.lines_before
     OR NOT EXISTS (SELECT 1 FROM audit WHERE seq = NEW.number AND hash = NEW.hash)
BEGIN SELECT RAISE(ABORT, 'the end of the audit only goes forward, to a line that is there'); END;
CREATE TRIGGER audit_head_is_one BEFORE INSERT ON audit_head
BEGIN SELECT RAISE(ABORT, 'the audit has one end'); END;
CREATE TRIGGER audit_head_stays BEFORE DELETE ON audit_head
BEGIN SELECT RAISE(ABORT, 'the end of the audit is never deleted'); END;

-- The same hole in what people decide and state.
CREATE TRIGGER replays_are_not_replaced BEFORE INSERT ON replays
WHEN EXISTS (SELECT 1 FROM replays WHERE id = NEW.id)
BEGIN SELECT RAISE(ABORT, 'a replay never changes'); END;
CREATE TRIGGER quarantine_acts_are_not_replaced BEFORE INSERT ON quarantine_acts
WHEN EXISTS (SELECT 1 FROM quarantine_acts WHERE id = NEW.id)
BEGIN SELECT RAISE(ABORT, 'an act never changes'); END;
CREATE TRIGGER opinions_are_not_replaced BEFORE INSERT ON opinions
WHEN EXISTS (SELECT 1 FROM opinions WHERE id = NEW.id)
BEGIN SELECT RAISE(ABORT, 'an opinion never changes'); END;
CREATE TRIGGER decisions_are_not_replaced BEFORE INSERT ON decisions
WHEN EXISTS (SELECT 1 FROM decisions WHERE id = NEW.id)
BEGIN SELECT RAISE(ABORT, 'a decision never changes'); END;
CREATE TRIGGER decided_are_not_replaced BEFORE INSERT ON decided
WHEN EXISTS (SELECT 1 FROM decided WHERE decision_id = NEW.decision_id AND reward_id = NEW.reward_id)
BEGIN SELECT RAISE(ABORT, 'a decision never changes'); END;
