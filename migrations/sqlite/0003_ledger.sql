-- The books. An account's balance is what it received minus what it gave: the sum over its transfers, kept in the
-- same transaction and proven by `rewardgate verify`.
CREATE TABLE accounts (
    id             INTEGER PRIMARY KEY,
    -- user:APP/ID, held:SOURCE, granted:SOURCE, network:SOURCE, earned:SOURCE, paid:SOURCE
    name           TEXT    NOT NULL,
    currency       TEXT    NOT NULL,
    -- bounded, so that a sum can never leave the range of whole numbers unnoticed
    balance_micros INTEGER NOT NULL
        CHECK (balance_micros BETWEEN -9000000000000000000 AND 9000000000000000000),
    UNIQUE (name, currency)
) STRICT;

-- One movement: the debited account gives, the credited one receives. Balanced because it is one amount.
CREATE TABLE transfers (
    id            INTEGER PRIMARY KEY,
    -- the step that moved it; null for a statement that was paid
    reward_id     INTEGER,
    step_seq      INTEGER,
    debit_id      INTEGER NOT NULL,
    credit_id     INTEGER NOT NULL,
    amount_micros INTEGER NOT NULL CHECK (amount_micros > 0),
    currency      TEXT    NOT NULL,
    booked_at     INTEGER NOT NULL,
    business_date TEXT    NOT NULL,
    CHECK (debit_id <> credit_id)
) STRICT;

CREATE INDEX transfers_reward ON transfers (reward_id);

CREATE TRIGGER transfers_are_frozen BEFORE UPDATE ON transfers
BEGIN SELECT RAISE(ABORT, 'a transfer never changes: book another'); END;
CREATE TRIGGER transfers_stay BEFORE DELETE ON transfers
BEGIN SELECT RAISE(ABORT, 'a transfer is never deleted: book another'); END;
