-- The queue of held rewards, as people work on it. `holds` repeats what the queue groups, sorts and filters by, one row
-- for each reward that is held now. The database keeps it itself, so that no way into or out of `held` can forget it.

-- Only of a hold: the code of the rule that weighed most, and every rule that counted (strongest first).
ALTER TABLE verdicts ADD COLUMN leading_rule TEXT;
ALTER TABLE verdicts ADD COLUMN fired TEXT;
-- Only of what was held: the IPv4 address or /64 that the user came from; empty if there is none, or when its term is
-- over. It stands here and not in the verdict, which never changes.
ALTER TABLE rewards ADD COLUMN address_group TEXT;

ALTER TABLE verdicts DISABLE TRIGGER verdicts_are_frozen;
UPDATE verdicts
SET leading_rule = (SELECT signal ->> 'code' FROM jsonb_array_elements(signals::jsonb) WITH ORDINALITY AS each (signal, place)
               WHERE (signal ->> 'fired')::boolean
               ORDER BY COALESCE((signal ->> 'hard')::boolean, false) DESC,
                        COALESCE((signal ->> 'points')::bigint, 0) DESC, place LIMIT 1),
    fired = (SELECT string_agg(signal ->> 'code', ' ' ORDER BY COALESCE((signal ->> 'hard')::boolean, false) DESC,
                               COALESCE((signal ->> 'points')::bigint, 0) DESC, place)
             FROM jsonb_array_elements(signals::jsonb) WITH ORDINALITY AS each (signal, place)
             WHERE COALESCE((signal ->> 'hard')::boolean, false) OR COALESCE((signal ->> 'points')::bigint, 0) > 0)
WHERE decision = 'hold';
ALTER TABLE verdicts ENABLE TRIGGER verdicts_are_frozen;
UPDATE rewards SET address_group = COALESCE(ip, '')
WHERE id IN (SELECT reward_id FROM verdicts WHERE decision = 'hold');

CREATE TABLE holds (
    reward_id     BIGINT  PRIMARY KEY,
    source        TEXT    NOT NULL,
    app           TEXT    NOT NULL,
    user_id       TEXT    NOT NULL,
    tx_id         TEXT    NOT NULL,
    -- empty where the network names none, so that every grouping can run along its index
    offer_id      TEXT    NOT NULL,
    offer_name    TEXT    NOT NULL,
    event_name    TEXT    NOT NULL,
    rule          TEXT    NOT NULL,
    fired         TEXT    NOT NULL,
    address_group TEXT    NOT NULL,
    sub1          TEXT    NOT NULL,
    country       TEXT    NOT NULL,
    currency      TEXT    NOT NULL,
    reward_micros BIGINT  NOT NULL,
    payout_micros BIGINT  NOT NULL,
    score         BIGINT  NOT NULL,
    hard          BIGINT  NOT NULL,
    conflict      BIGINT  NOT NULL,
    received_at   BIGINT  NOT NULL,
    -- of the reward: what a decision that was made on a page must still find
    steps         BIGINT  NOT NULL
);

-- Each holds all that its clusters are sorted by, so that grouping a long queue reads no row.
CREATE INDEX holds_rule ON holds (rule, offer_id, received_at, payout_micros, score);
CREATE INDEX holds_address ON holds (address_group, received_at, payout_micros, score);
CREATE INDEX holds_sub1 ON holds (sub1, source, received_at, payout_micros, score);
CREATE INDEX holds_user ON holds (user_id, app, received_at, payout_micros, score);
CREATE INDEX holds_age ON holds (received_at, reward_id);
CREATE INDEX holds_money ON holds (payout_micros, reward_id);

-- Only of what was held, so that crediting costs nothing more.
CREATE INDEX rewards_address ON rewards (address_group, id) WHERE address_group IS NOT NULL;
CREATE INDEX verdicts_leading ON verdicts (leading_rule, reward_id) WHERE leading_rule IS NOT NULL;

-- Who has a reward open for decision, and until when.
CREATE TABLE claims (
    reward_id BIGINT  PRIMARY KEY,
    person    TEXT    NOT NULL,
    until_at  BIGINT  NOT NULL
);

CREATE INDEX claims_until ON claims (until_at);

-- What one person said of a reward that needs two; it counts while the reward has taken no further step.
CREATE TABLE opinions (
    id        BIGINT  GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    reward_id BIGINT  NOT NULL,
    steps     BIGINT  NOT NULL,
    person    TEXT    NOT NULL,
    decision  TEXT    NOT NULL CHECK (decision IN ('release', 'reject')),
    note      TEXT,
    given_at  BIGINT  NOT NULL
);

CREATE INDEX opinions_reward ON opinions (reward_id, steps, id);

-- One click of one person, and what it decided: what an undo takes back.
CREATE TABLE decisions (
    id            BIGINT  GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    person        TEXT    NOT NULL,
    decision      TEXT    NOT NULL CHECK (decision IN ('release', 'reject')),
    note          TEXT,
    decided_at    BIGINT  NOT NULL,
    rewards       BIGINT  NOT NULL,
    payout_micros BIGINT  NOT NULL
);

CREATE TABLE decided (
    decision_id BIGINT  NOT NULL,
    reward_id   BIGINT  NOT NULL,
    seq         BIGINT  NOT NULL,
    PRIMARY KEY (decision_id, reward_id)
);

CREATE INDEX decided_reward ON decided (reward_id);

INSERT INTO holds SELECT rewards.id, source, app, user_id, tx_id, COALESCE(offer_id, ''), COALESCE(offer_name, ''), COALESCE(event_name, ''),
           COALESCE(leading_rule, ''), COALESCE(fired, ''), COALESCE(address_group, ''), COALESCE(sub1, ''),
           COALESCE(country_code, ''), currency, COALESCE(reward_micros, 0), COALESCE(payout_micros, 0), score, hard,
           conflict, received_at, steps
    FROM rewards JOIN verdicts ON verdicts.reward_id = rewards.id WHERE status = 'held';

CREATE FUNCTION holds_begin() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO holds SELECT rewards.id, source, app, user_id, tx_id, COALESCE(offer_id, ''), COALESCE(offer_name, ''), COALESCE(event_name, ''),
           COALESCE(leading_rule, ''), COALESCE(fired, ''), COALESCE(address_group, ''), COALESCE(sub1, ''),
           COALESCE(country_code, ''), currency, COALESCE(reward_micros, 0), COALESCE(payout_micros, 0), score, hard,
           conflict, received_at, steps
    FROM rewards JOIN verdicts ON verdicts.reward_id = rewards.id
    WHERE rewards.id = NEW.reward_id AND status = 'held';
    RETURN NULL;
END $$;
CREATE TRIGGER holds_begin AFTER INSERT ON verdicts
FOR EACH ROW WHEN (NEW.decision = 'hold') EXECUTE FUNCTION holds_begin();
CREATE FUNCTION holds_begin_again() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO holds SELECT rewards.id, source, app, user_id, tx_id, COALESCE(offer_id, ''), COALESCE(offer_name, ''), COALESCE(event_name, ''),
           COALESCE(leading_rule, ''), COALESCE(fired, ''), COALESCE(address_group, ''), COALESCE(sub1, ''),
           COALESCE(country_code, ''), currency, COALESCE(reward_micros, 0), COALESCE(payout_micros, 0), score, hard,
           conflict, received_at, steps
    FROM rewards JOIN verdicts ON verdicts.reward_id = rewards.id
    WHERE rewards.id = NEW.id;
    RETURN NULL;
END $$;
CREATE TRIGGER holds_begin_again AFTER UPDATE ON rewards
FOR EACH ROW WHEN (NEW.status = 'held' AND OLD.status <> 'held') EXECUTE FUNCTION holds_begin_again();
CREATE FUNCTION holds_end() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM holds WHERE reward_id = NEW.id;
    DELETE FROM claims WHERE reward_id = NEW.id;
    RETURN NULL;
END $$;
CREATE TRIGGER holds_end AFTER UPDATE ON rewards
FOR EACH ROW WHEN (OLD.status = 'held' AND NEW.status <> 'held') EXECUTE FUNCTION holds_end();
CREATE FUNCTION holds_conflict() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE holds SET conflict = NEW.conflict WHERE reward_id = NEW.id;
    RETURN NULL;
END $$;
CREATE TRIGGER holds_conflict AFTER UPDATE ON rewards
FOR EACH ROW WHEN (NEW.status = 'held' AND NEW.conflict <> OLD.conflict) EXECUTE FUNCTION holds_conflict();

CREATE FUNCTION opinions_are_frozen() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'an opinion never changes'; END $$;
CREATE TRIGGER opinions_are_frozen BEFORE UPDATE ON opinions
FOR EACH ROW EXECUTE FUNCTION opinions_are_frozen();
CREATE FUNCTION opinions_stay() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'an opinion is never deleted'; END $$;
CREATE TRIGGER opinions_stay BEFORE DELETE ON opinions
FOR EACH ROW EXECUTE FUNCTION opinions_stay();
CREATE FUNCTION decisions_are_frozen() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'a decision never changes'; END $$;
CREATE TRIGGER decisions_are_frozen BEFORE UPDATE ON decisions
FOR EACH ROW EXECUTE FUNCTION decisions_are_frozen();
CREATE FUNCTION decisions_stay() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'a decision is never deleted'; END $$;
CREATE TRIGGER decisions_stay BEFORE DELETE ON decisions
FOR EACH ROW EXECUTE FUNCTION decisions_stay();
CREATE FUNCTION decided_are_frozen() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'a decision never changes'; END $$;
CREATE TRIGGER decided_are_frozen BEFORE UPDATE ON decided
FOR EACH ROW EXECUTE FUNCTION decided_are_frozen();
CREATE FUNCTION decided_stay() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'a decision is never deleted'; END $$;
CREATE TRIGGER decided_stay BEFORE DELETE ON decided
FOR EACH ROW EXECUTE FUNCTION decided_stay();
