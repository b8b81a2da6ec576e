-- The books. An account's balance is what it received minus what it gave: the sum over its transfers, kept in the
-- same transaction and proven by `rewardgate verify`.
CREATE TABLE accounts (
    id             BIGINT  GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    -- user:APP/ID, held:SOURCE, granted:SOURCE, network:SOURCE, earned:SOURCE, paid:SOURCE
    name           TEXT    NOT NULL,
    currency       TEXT    NOT NULL,
    -- bounded, so that a sum can never leave the range of whole numbers unnoticed
    balance_micros BIGINT  NOT NULL
        CHECK (balance_micros BETWEEN -9000000000000000000 AND 9000000000000000000),
    UNIQUE (name, currency)
);

-- One movement: the debited account gives, the credited one receives. Balanced because it is one amount.
CREATE TABLE transfers (
    id            BIGINT  GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    -- the step that moved it; null for a statement that was paid
    reward_id     BIGINT,
    step_seq      BIGINT,
    debit_id      BIGINT  NOT NULL,
    credit_id     BIGINT  NOT NULL,
    amount_micros BIGINT  NOT NULL CHECK (amount_micros > 0),
    currency      TEXT    NOT NULL,
    booked_at     BIGINT  NOT NULL,
    business_date TEXT    NOT NULL,
    CHECK (debit_id <> credit_id)
);

CREATE INDEX transfers_reward ON transfers (reward_id);

CREATE FUNCTION transfers_are_frozen() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'a transfer never changes: book another'; END $$;
CREATE TRIGGER transfers_are_frozen BEFORE UPDATE ON transfers
FOR EACH ROW EXECUTE FUNCTION transfers_are_frozen();
CREATE FUNCTION transfers_stay() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'a transfer is never deleted: book another'; END $$;
CREATE TRIGGER transfers_stay BEFORE DELETE ON transfers
FOR EACH ROW EXECUTE FUNCTION transfers_stay();
