-- When a postback was given its id, in unix milliseconds, where that was not when it was received: only of refused calls
-- that were replayed. Ids follow COALESCE(recorded_at, received_at), so whoever looks for a time by id looks for that.
ALTER TABLE postbacks ADD COLUMN recorded_at BIGINT;

-- Whose a token is: a person of `people`; null for a service, which has no person behind it.
ALTER TABLE tokens ADD COLUMN owner TEXT;
ALTER TABLE tokens ADD COLUMN expires_at BIGINT;
ALTER TABLE tokens ADD COLUMN revoked_at BIGINT;
-- Brought up to date at most once a minute.
ALTER TABLE tokens ADD COLUMN last_used_at BIGINT;
-- A token that has the name of a person was made for that person.
UPDATE tokens SET owner = name WHERE name IN (SELECT name FROM people);

-- What one person decided lately is summed up at each of their decisions.
CREATE INDEX decisions_person ON decisions (person, decided_at);
