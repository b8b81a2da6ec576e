-- Users, networks, sub ids and offers that people trust, watch or block. Few rows: they grow with what people write, not with
-- the traffic. Ended ones stay, because verdicts name them.
CREATE TABLE list_entries (
    id         INTEGER PRIMARY KEY,
    -- user, address, asn, sub_id, offer
    kind       TEXT    NOT NULL,
    -- the source of a sub id or an offer; empty for the other kinds
    source     TEXT    NOT NULL,
    -- in canonical form
    value      TEXT    NOT NULL,
    -- empty: every app
    app        TEXT    NOT NULL,
    -- block, watch, trust
    effect     TEXT    NOT NULL,
    author     TEXT    NOT NULL,
    reason     TEXT    NOT NULL,
    created_at INTEGER NOT NULL,
    -- null: until it is removed
    expires_at INTEGER,
    removed_at INTEGER,
    removed_by TEXT
) STRICT;

CREATE UNIQUE INDEX list_entries_in_force ON list_entries (kind, source, value, app) WHERE removed_at IS NULL;
CREATE INDEX list_entries_value ON list_entries (value, id);

-- One row. Raised with every change and locked by it, so that workers see that they must read the entries again, and so that
-- the number of entries stays bounded.
CREATE TABLE list_version (
    version INTEGER NOT NULL PRIMARY KEY
) STRICT;
INSERT INTO list_version (version) VALUES (1);

CREATE TRIGGER list_entries_are_frozen BEFORE UPDATE ON list_entries
WHEN OLD.removed_at IS NOT NULL OR OLD.kind <> NEW.kind OR OLD.source <> NEW.source OR OLD.value <> NEW.value
    OR OLD.app <> NEW.app OR OLD.effect <> NEW.effect OR OLD.author <> NEW.author OR OLD.reason <> NEW.reason
    OR OLD.created_at <> NEW.created_at OR OLD.expires_at IS NOT NEW.expires_at
BEGIN SELECT RAISE(ABORT, 'an entry of a list never changes'); END;
CREATE TRIGGER list_entries_stay BEFORE DELETE ON list_entries
BEGIN SELECT RAISE(ABORT, 'an entry of a list is never deleted'); END;
CREATE TRIGGER list_entries_are_not_replaced BEFORE INSERT ON list_entries
WHEN EXISTS (SELECT 1 FROM list_entries WHERE id = NEW.id)
BEGIN SELECT RAISE(ABORT, 'an entry of a list never changes'); END;
