-- What is normal for each source, offer and event, made every night. Verdicts name the version in `baseline`.
CREATE TABLE baselines (
    id      BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    -- the first 16 hexadecimal digits of the SHA-256 of the content
    version TEXT   NOT NULL UNIQUE,
    -- JSON: see domain::baseline
    content TEXT   NOT NULL,
    -- as of when it was made last, in unix milliseconds
    made_at BIGINT NOT NULL,
    -- when a process first decided by it: from then on it is kept for good
    used_at BIGINT
);

CREATE FUNCTION baselines_are_frozen() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'what was normal never changes'; END $$;
CREATE TRIGGER baselines_are_frozen BEFORE UPDATE OF version, content ON baselines
FOR EACH ROW EXECUTE FUNCTION baselines_are_frozen();
CREATE FUNCTION used_baselines_stay() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'what was decided by is never deleted'; END $$;
CREATE TRIGGER used_baselines_stay BEFORE DELETE ON baselines
FOR EACH ROW WHEN (OLD.used_at IS NOT NULL) EXECUTE FUNCTION used_baselines_stay();
CREATE TRIGGER baselines_are_not_emptied BEFORE TRUNCATE ON baselines EXECUTE FUNCTION evidence_stays();
