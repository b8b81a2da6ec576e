-- Since when somebody may be one of two people who agree: a day after they were added, or enabled again.
ALTER TABLE people ADD COLUMN since BIGINT NOT NULL DEFAULT 0;
UPDATE people SET since = created_at;

-- What moves by what a person stated alone, in the user's currency and in USD; null of what two people agreed on, and of
-- other acts.
ALTER TABLE quarantine_acts ADD COLUMN alone_micros BIGINT;
ALTER TABLE quarantine_acts ADD COLUMN alone_payout_micros BIGINT;
CREATE INDEX quarantine_acts_actor ON quarantine_acts (actor, acted_at);

-- Who would dismiss a reversal case that needs two people.
CREATE TABLE case_opinions (
    id       BIGINT  GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    case_id  BIGINT  NOT NULL,
    person   TEXT    NOT NULL,
    note     TEXT    NOT NULL,
    given_at BIGINT  NOT NULL
);

CREATE INDEX case_opinions_case ON case_opinions (case_id, id);
-- What one person dismissed lately is summed up at each of their decisions.
CREATE INDEX reversal_cases_ended_by ON reversal_cases (ended_by, ended_at);

CREATE FUNCTION case_opinions_are_frozen() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'an opinion never changes'; END $$;
CREATE TRIGGER case_opinions_are_frozen BEFORE UPDATE ON case_opinions
FOR EACH ROW EXECUTE FUNCTION case_opinions_are_frozen();
CREATE FUNCTION case_opinions_stay() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'an opinion is never deleted'; END $$;
CREATE TRIGGER case_opinions_stay BEFORE DELETE ON case_opinions
FOR EACH ROW EXECUTE FUNCTION case_opinions_stay();
CREATE TRIGGER case_opinions_are_not_emptied BEFORE TRUNCATE ON case_opinions EXECUTE FUNCTION evidence_stays();
