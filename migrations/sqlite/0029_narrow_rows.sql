-- Rewards in the order of their receipt, in two indexes that hold each reward once: most rewards are credited, and need no
-- status in their index. A list of all merges the two.
DROP INDEX rewards_received;
DROP INDEX rewards_status;
CREATE INDEX rewards_credited ON rewards (received_at) WHERE status = 'credited';
CREATE INDEX rewards_not_credited ON rewards (status, received_at) WHERE status <> 'credited';

-- Versions of policies by a small id: the same for all rewards between two changes. Rows of before keep the version itself
-- in `policy`; new ones have '' there, because it is NOT NULL.
CREATE TABLE policy_versions (
    id      INTEGER PRIMARY KEY,
    version TEXT    NOT NULL UNIQUE
) STRICT;
-- policy_versions.id
ALTER TABLE verdicts ADD COLUMN policy_id INTEGER;

CREATE TRIGGER policy_versions_are_frozen BEFORE UPDATE ON policy_versions
BEGIN SELECT RAISE(ABORT, 'what decided never changes'); END;
CREATE TRIGGER policy_versions_stay BEFORE DELETE ON policy_versions
BEGIN SELECT RAISE(ABORT, 'what decided is never deleted'); END;
