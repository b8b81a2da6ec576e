-- What is normal for each source, offer and event, made every night. Verdicts name the version in `baseline`.
CREATE TABLE baselines (
    id      INTEGER PRIMARY KEY,
    -- the first 16 hexadecimal digits of the SHA-256 of the content
    version TEXT    NOT NULL UNIQUE,
    -- JSON: see domain::baseline
    content TEXT    NOT NULL,
    -- as of when it was made last, in unix milliseconds
    made_at INTEGER NOT NULL,
    -- when a process first decided by it: from then on it is kept for good
    used_at INTEGER
) STRICT;

CREATE TRIGGER baselines_are_frozen BEFORE UPDATE OF version, content ON baselines
BEGIN SELECT RAISE(ABORT, 'what was normal never changes'); END;
CREATE TRIGGER used_baselines_stay BEFORE DELETE ON baselines WHEN OLD.used_at IS NOT NULL
BEGIN SELECT RAISE(ABORT, 'what was decided by is never deleted'); END;
