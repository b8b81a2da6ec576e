-- A source's accounts may pass what one whole number holds: a balance is `carries` times 2^62 micros, and
-- `balance_micros`. A user's never carries: such a balance is a fault of the sender, and is refused as ever.
ALTER TABLE accounts ADD COLUMN carries INTEGER NOT NULL DEFAULT 0;
