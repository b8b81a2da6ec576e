-- What a session rests on: raised by a new password, by disabling and enabling, and by another role. A session with an
-- older number has ended.
ALTER TABLE people ADD COLUMN sign_in_version INTEGER NOT NULL DEFAULT 0;
ALTER TABLE sessions ADD COLUMN sign_in_version INTEGER NOT NULL DEFAULT 0;
-- The network it was begun from, e.g. `203.0.113.0/24`.
ALTER TABLE sessions ADD COLUMN began_from TEXT;

-- Wrong passwords since the person last saw them.
ALTER TABLE people ADD COLUMN failed_tries INTEGER NOT NULL DEFAULT 0;
ALTER TABLE people ADD COLUMN failed_since INTEGER;
ALTER TABLE people ADD COLUMN failed_at INTEGER;
ALTER TABLE people ADD COLUMN failed_from TEXT;

-- From where people have signed in; the newest few of each.
CREATE TABLE known_places (
    person_id INTEGER NOT NULL,
    -- a hash of the person and the address (IPv6: the /64)
    place TEXT NOT NULL,
    seen_at INTEGER NOT NULL,
    PRIMARY KEY (person_id, place)
) STRICT, WITHOUT ROWID;
