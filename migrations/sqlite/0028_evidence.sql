-- Evidence as facts: what was measured, instead of sentences. Rows of before keep their sentences in `signals` and their
-- place in `location`; new ones have `[]` and `{}` there, because both are NOT NULL.
--
-- Which geo databases were asked, each with its build date, as JSON: the same for all rewards between two updates.
CREATE TABLE geo_builds (
    id        INTEGER PRIMARY KEY,
    databases TEXT    NOT NULL UNIQUE
) STRICT;

-- JSON: see domain::evidence. NULL in rows of before.
ALTER TABLE verdicts ADD COLUMN facts TEXT;
-- Which version of the rules decided.
ALTER TABLE verdicts ADD COLUMN engine INTEGER;
-- Which version of the baselines was used, if any.
ALTER TABLE verdicts ADD COLUMN baseline TEXT;
-- geo_builds.id
ALTER TABLE verdicts ADD COLUMN geo_builds INTEGER;
-- Every rule that fired, e.g. `T1:60! G3:30`; ! marks the hard ones.
ALTER TABLE verdicts ADD COLUMN fired_points TEXT;

CREATE TRIGGER geo_builds_are_frozen BEFORE UPDATE ON geo_builds
BEGIN SELECT RAISE(ABORT, 'what was asked never changes'); END;
CREATE TRIGGER geo_builds_stay BEFORE DELETE ON geo_builds
BEGIN SELECT RAISE(ABORT, 'what was asked is never deleted'); END;

-- Verdicts were frozen, but could be deleted.
CREATE TRIGGER verdicts_stay BEFORE DELETE ON verdicts
BEGIN SELECT RAISE(ABORT, 'a verdict is never deleted'); END;
