-- Evidence as facts: what was measured, instead of sentences. Rows of before keep their sentences in `signals` and their
-- place in `location`; new ones have `[]` and `{}` there, because both are NOT NULL.
--
-- Which geo databases were asked, each with its build date, as JSON: the same for all rewards between two updates.
CREATE TABLE geo_builds (
    id        BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    databases TEXT   NOT NULL UNIQUE
);

-- JSON: see domain::evidence. NULL in rows of before.
ALTER TABLE verdicts ADD COLUMN facts TEXT;
-- Which version of the rules decided.
ALTER TABLE verdicts ADD COLUMN engine BIGINT;
-- Which version of the baselines was used, if any.
ALTER TABLE verdicts ADD COLUMN baseline TEXT;
-- geo_builds.id
ALTER TABLE verdicts ADD COLUMN geo_builds BIGINT;
-- Every rule that fired, e.g. `T1:60! G3:30`; ! marks the hard ones.
ALTER TABLE verdicts ADD COLUMN fired_points TEXT;

CREATE FUNCTION geo_builds_are_frozen() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'what was asked never changes'; END $$;
CREATE TRIGGER geo_builds_are_frozen BEFORE UPDATE ON geo_builds
FOR EACH ROW EXECUTE FUNCTION geo_builds_are_frozen();
CREATE FUNCTION geo_builds_stay() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'what was asked is never deleted'; END $$;
CREATE TRIGGER geo_builds_stay BEFORE DELETE ON geo_builds
FOR EACH ROW EXECUTE FUNCTION geo_builds_stay();
CREATE TRIGGER geo_builds_are_not_emptied BEFORE TRUNCATE ON geo_builds EXECUTE FUNCTION evidence_stays();

-- Verdicts were frozen, but could be deleted.
CREATE FUNCTION verdicts_stay() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'a verdict is never deleted'; END $$;
CREATE TRIGGER verdicts_stay BEFORE DELETE ON verdicts
FOR EACH ROW EXECUTE FUNCTION verdicts_stay();
