-- A way out of quarantine: people state what is missing, or set a postback aside. Both can be done again, nothing is
-- ever replaced: the raw bytes stay, and every act is a row.

-- Of `stated`, `proposed` and `confirmed` the values that hold from then on, all of them.
CREATE TABLE quarantine_acts (
    id          BIGINT  GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    postback_id BIGINT  NOT NULL,
    -- stated, or proposed (a second person must agree) and then confirmed or declined; set_aside and taken_up
    act         TEXT    NOT NULL CHECK (act IN ('stated', 'proposed', 'confirmed', 'declined', 'set_aside', 'taken_up')),
    -- of `confirmed` and `declined`: what was proposed
    proposal_id BIGINT,
    user_id     TEXT,
    tx_id       TEXT,
    status      TEXT    CHECK (status IN ('credit', 'reversal')),
    -- decimal, as typed
    reward      TEXT,
    payout      TEXT,
    actor       TEXT    NOT NULL,
    reason      TEXT    NOT NULL,
    acted_at    BIGINT  NOT NULL
);

CREATE INDEX quarantine_acts_postback ON quarantine_acts (postback_id, id);
CREATE INDEX quarantine_acts_proposed ON quarantine_acts (id) WHERE act = 'proposed';

CREATE FUNCTION quarantine_acts_are_frozen() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'what a person stated never changes'; END $$;
CREATE TRIGGER quarantine_acts_are_frozen BEFORE UPDATE ON quarantine_acts
FOR EACH ROW EXECUTE FUNCTION quarantine_acts_are_frozen();
CREATE FUNCTION quarantine_acts_stay() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'what a person stated is never deleted'; END $$;
CREATE TRIGGER quarantine_acts_stay BEFORE DELETE ON quarantine_acts
FOR EACH ROW EXECUTE FUNCTION quarantine_acts_stay();

-- The act whose values hold. A further outcome is `set_aside`: quarantined, and a person says that it is worth nothing.
ALTER TABLE postbacks ADD COLUMN stated_id BIGINT;

CREATE INDEX postbacks_set_aside ON postbacks (outcome, id) WHERE outcome = 'set_aside';
