-- Since when somebody may be one of two people who agree: a day after they were added, or enabled again.
ALTER TABLE people ADD COLUMN since INTEGER NOT NULL DEFAULT 0;
UPDATE people SET since = created_at;

-- What moves by what a person stated alone, in the user's currency and in USD; null of what two people agreed on, and of
-- other acts.
ALTER TABLE quarantine_acts ADD COLUMN alone_micros INTEGER;
ALTER TABLE quarantine_acts ADD COLUMN alone_payout_micros INTEGER;
CREATE INDEX quarantine_acts_actor ON quarantine_acts (actor, acted_at);

-- Who would dismiss a reversal case that needs two people.
CREATE TABLE case_opinions (
    id       INTEGER PRIMARY KEY,
    case_id  INTEGER NOT NULL,
    person   TEXT    NOT NULL,
    note     TEXT    NOT NULL,
    given_at INTEGER NOT NULL
) STRICT;

CREATE INDEX case_opinions_case ON case_opinions (case_id, id);
-- What one person dismissed lately is summed up at each of their decisions.
CREATE INDEX reversal_cases_ended_by ON reversal_cases (ended_by, ended_at);

CREATE TRIGGER case_opinions_are_frozen BEFORE UPDATE ON case_opinions
BEGIN SELECT RAISE(ABORT, 'an opinion never changes'); END;
CREATE TRIGGER case_opinions_stay BEFORE DELETE ON case_opinions
BEGIN SELECT RAISE(ABORT, 'an opinion is never deleted'); END;
CREATE TRIGGER case_opinions_are_not_replaced BEFORE INSERT ON case_opinions
WHEN EXISTS (SELECT 1 FROM case_opinions WHERE id = NEW.id)
BEGIN SELECT RAISE(ABORT, 'an opinion never changes'); END;
