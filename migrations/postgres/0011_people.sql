-- Who may sign in to the pages, their sessions, and what was done by whom.

CREATE TABLE people (
    id            BIGINT  GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    -- what steps and audit lines are signed with; never given to another person
    name          TEXT    NOT NULL UNIQUE,
    role          TEXT    NOT NULL CHECK (role IN ('risk', 'finance', 'admin')),
    -- Argon2id, in the PHC form
    password_hash TEXT    NOT NULL,
    created_at    BIGINT  NOT NULL,
    -- a person is never deleted: their name stands in the evidence
    disabled_at   BIGINT 
);

CREATE TABLE sessions (
    -- of 256 random bits; the token itself is only in the cookie
    token_hash TEXT    PRIMARY KEY,
    person_id  BIGINT  NOT NULL,
    began_at   BIGINT  NOT NULL,
    -- brought up to date at most once a minute
    seen_at    BIGINT  NOT NULL
);

CREATE INDEX sessions_person ON sessions (person_id);
CREATE INDEX sessions_seen ON sessions (seen_at);

CREATE TABLE audit (
    id          BIGINT  GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    happened_at BIGINT  NOT NULL,
    -- a person, a token, or `command line`
    actor       TEXT    NOT NULL,
    -- e.g. signed_in, released, undone, person_added
    action      TEXT    NOT NULL,
    -- what it was done to, e.g. `reward 12` or `person mara`
    subject     TEXT    NOT NULL,
    detail      TEXT    NOT NULL
);

CREATE INDEX audit_actor ON audit (actor, id);
CREATE INDEX audit_action ON audit (action, id);

CREATE FUNCTION audit_is_frozen() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'an audit line never changes'; END $$;
CREATE TRIGGER audit_is_frozen BEFORE UPDATE ON audit
FOR EACH ROW EXECUTE FUNCTION audit_is_frozen();
CREATE FUNCTION audit_stays() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'an audit line is never deleted'; END $$;
CREATE TRIGGER audit_stays BEFORE DELETE ON audit
FOR EACH ROW EXECUTE FUNCTION audit_stays();
