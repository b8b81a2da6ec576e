-- Who may sign in to the pages, their sessions, and what was done by whom.

CREATE TABLE people (
    id            INTEGER PRIMARY KEY,
    -- what steps and audit lines are signed with; never given to another person
    name          TEXT    NOT NULL UNIQUE,
    role          TEXT    NOT NULL CHECK (role IN ('risk', 'finance', 'admin')),
    -- Argon2id, in the PHC form
    password_hash TEXT    NOT NULL,
    created_at    INTEGER NOT NULL,
    -- a person is never deleted: their name stands in the evidence
    disabled_at   INTEGER
) STRICT;

CREATE TABLE sessions (
    -- of 256 random bits; the token itself is only in the cookie
    token_hash TEXT    PRIMARY KEY,
    person_id  INTEGER NOT NULL,
    began_at   INTEGER NOT NULL,
    -- brought up to date at most once a minute
    seen_at    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX sessions_person ON sessions (person_id);
CREATE INDEX sessions_seen ON sessions (seen_at);

CREATE TABLE audit (
    id          INTEGER PRIMARY KEY,
    happened_at INTEGER NOT NULL,
    -- a person, a token, or `command line`
    actor       TEXT    NOT NULL,
    -- e.g. signed_in, released, undone, person_added
    action      TEXT    NOT NULL,
    -- what it was done to, e.g. `reward 12` or `person mara`
    subject     TEXT    NOT NULL,
    detail      TEXT    NOT NULL
) STRICT;

CREATE INDEX audit_actor ON audit (actor, id);
CREATE INDEX audit_action ON audit (action, id);

CREATE TRIGGER audit_is_frozen BEFORE UPDATE ON audit
BEGIN SELECT RAISE(ABORT, 'an audit line never changes'); END;
CREATE TRIGGER audit_stays BEFORE DELETE ON audit
BEGIN SELECT RAISE(ABORT, 'an audit line is never deleted'); END;
