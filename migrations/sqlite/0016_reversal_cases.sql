-- Reversals that do not simply reverse: a part of a reward, another user, no credit at all; and what a network approves
-- again after it took it back.

-- What was taken back of a reward that still stands, in the user's currency and in USD.
ALTER TABLE rewards ADD COLUMN taken_back_micros INTEGER NOT NULL DEFAULT 0;
ALTER TABLE rewards ADD COLUMN taken_back_payout_micros INTEGER NOT NULL DEFAULT 0;
-- What a step moved, where that is not all of the reward and its payout; null: all of it.
ALTER TABLE steps ADD COLUMN part_reward_micros INTEGER;
ALTER TABLE steps ADD COLUMN part_payout_micros INTEGER;

-- A reversal that a person must look at, and how that ended.
CREATE TABLE reversal_cases (
    id                  INTEGER PRIMARY KEY,
    -- of its key
    reward_id           INTEGER NOT NULL,
    postback_id         INTEGER NOT NULL,
    source              TEXT NOT NULL,
    situation           TEXT NOT NULL CHECK (situation IN ('orphan', 'other_user', 'part')),
    -- what the reversal says; null where it says nothing
    said_user_id        TEXT NOT NULL,
    said_reward_micros  INTEGER,
    said_payout_micros  INTEGER,
    -- what is at stake, in the user's currency and in USD
    stake_reward_micros INTEGER NOT NULL,
    stake_payout_micros INTEGER NOT NULL,
    raised_at           INTEGER NOT NULL,
    -- before that the credit of an orphan may still come by itself
    due_at              INTEGER NOT NULL,
    -- taken_back, part_taken_back, dismissed: by a person; credit_came, reversed: by what the network sent next
    ending              TEXT,
    ended_at            INTEGER,
    ended_by            TEXT,
    note                TEXT,
    -- the reward that was taken back for an orphan
    linked_reward_id    INTEGER
) STRICT;

CREATE INDEX reversal_cases_reward ON reversal_cases (reward_id);
CREATE INDEX reversal_cases_open ON reversal_cases (due_at, id) WHERE ending IS NULL;
CREATE INDEX reversal_cases_ended ON reversal_cases (ended_at, id) WHERE ending IS NOT NULL;

-- Reversals that came before this and whose credit never did.
INSERT INTO reversal_cases (reward_id, postback_id, source, situation, said_user_id, said_reward_micros,
                            said_payout_micros, stake_reward_micros, stake_payout_micros, raised_at, due_at)
SELECT rewards.id, COALESCE(steps.postback_id, 0), source, 'orphan', user_id, reward_micros, payout_micros,
       COALESCE(reward_micros, 0), COALESCE(payout_micros, 0), received_at, received_at + 108000000
FROM rewards JOIN steps ON steps.reward_id = rewards.id AND steps.seq = 1
WHERE credit_seen = 0;

-- The queue knows what is left of a hold, and holds that no verdict began.
DROP TRIGGER holds_begin;
CREATE TRIGGER holds_begin AFTER INSERT ON verdicts WHEN NEW.decision = 'hold'
BEGIN
    INSERT INTO holds SELECT rewards.id, source, app, user_id, tx_id, COALESCE(offer_id, ''), COALESCE(offer_name, ''), COALESCE(event_name, ''),
           COALESCE(leading_rule, ''), COALESCE(fired, ''), COALESCE(address_group, ''), COALESCE(sub1, ''), COALESCE(country_code, ''), currency,
           COALESCE(reward_micros, 0) - taken_back_micros, COALESCE(payout_micros, 0) - taken_back_payout_micros,
           COALESCE(score, 0), COALESCE(hard, 0), conflict, received_at, steps
    FROM rewards LEFT JOIN verdicts ON verdicts.reward_id = rewards.id
    WHERE rewards.id = NEW.reward_id AND status = 'held'
      AND NOT EXISTS (SELECT 1 FROM holds AS there WHERE there.reward_id = NEW.reward_id);
END;
DROP TRIGGER holds_begin_again;
-- A reward that was approved again is held by that, whatever its verdict said.
CREATE TRIGGER holds_begin_again AFTER UPDATE OF status ON rewards WHEN NEW.status = 'held' AND OLD.status <> 'held'
BEGIN
    INSERT INTO holds SELECT rewards.id, source, app, user_id, tx_id, COALESCE(offer_id, ''), COALESCE(offer_name, ''), COALESCE(event_name, ''),
           CASE WHEN (OLD.status = 'reversed' OR EXISTS (SELECT 1 FROM steps AS again WHERE again.reward_id = NEW.id AND again.step = 'reapprove'))
                THEN 'C2' ELSE COALESCE(leading_rule, '') END,
           CASE WHEN (OLD.status = 'reversed' OR EXISTS (SELECT 1 FROM steps AS again WHERE again.reward_id = NEW.id AND again.step = 'reapprove'))
                THEN 'C2' ELSE COALESCE(fired, '') END, COALESCE(address_group, ''), COALESCE(sub1, ''), COALESCE(country_code, ''), currency,
           COALESCE(reward_micros, 0) - taken_back_micros, COALESCE(payout_micros, 0) - taken_back_payout_micros,
           COALESCE(score, 0), CASE WHEN (OLD.status = 'reversed' OR EXISTS (SELECT 1 FROM steps AS again WHERE again.reward_id = NEW.id AND again.step = 'reapprove'))
                                   THEN 1 ELSE COALESCE(hard, 0) END, conflict, received_at, steps
    FROM rewards LEFT JOIN verdicts ON verdicts.reward_id = rewards.id
    WHERE rewards.id = NEW.id;
END;
-- One whose reversal and credit came in one batch.
CREATE TRIGGER holds_reapproved_at_once AFTER INSERT ON rewards WHEN NEW.status = 'held' AND NEW.steps > 1
BEGIN
    INSERT INTO holds SELECT rewards.id, source, app, user_id, tx_id, COALESCE(offer_id, ''), COALESCE(offer_name, ''), COALESCE(event_name, ''),
           'C2', 'C2', COALESCE(address_group, ''), COALESCE(sub1, ''), COALESCE(country_code, ''), currency,
           COALESCE(reward_micros, 0) - taken_back_micros, COALESCE(payout_micros, 0) - taken_back_payout_micros,
           COALESCE(score, 0), 1, conflict, received_at, steps
    FROM rewards LEFT JOIN verdicts ON verdicts.reward_id = rewards.id
    WHERE rewards.id = NEW.id;
END;
CREATE TRIGGER holds_part AFTER UPDATE OF steps ON rewards
WHEN NEW.status = 'held' AND OLD.status = 'held' AND NEW.steps <> OLD.steps
BEGIN
    UPDATE holds SET reward_micros = COALESCE(NEW.reward_micros, 0) - NEW.taken_back_micros,
                     payout_micros = COALESCE(NEW.payout_micros, 0) - NEW.taken_back_payout_micros,
                     steps = NEW.steps
    WHERE reward_id = NEW.id;
END;

CREATE TRIGGER reversal_cases_end_once BEFORE UPDATE ON reversal_cases WHEN OLD.ending IS NOT NULL
BEGIN SELECT RAISE(ABORT, 'a case that has ended never changes'); END;
CREATE TRIGGER reversal_cases_stay BEFORE DELETE ON reversal_cases
BEGIN SELECT RAISE(ABORT, 'a case is never deleted'); END;

-- Whether a user did the same task before is one look, however often they did it or others of the same offer.
DROP INDEX rewards_user;
CREATE INDEX rewards_user ON rewards (user_id, source, offer_id, (COALESCE(event_id, '')), credit_seen);
