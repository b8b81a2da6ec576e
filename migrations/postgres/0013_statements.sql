-- Statements, further: what a file says of itself, sums of days, what other statements count, lines that close later.

-- The statement of the same days that came after it, if one did: only the newest one counts.
ALTER TABLE statements ADD COLUMN superseded_by BIGINT;
-- Up to which business date it was looked for bookings that no line has.
ALTER TABLE statements ADD COLUMN missing_upto TEXT;
-- When reading it began.
ALTER TABLE statements ADD COLUMN begun_at BIGINT;
-- Further states of statements: `received`, until a person says that it is read as the preview shows it, and
-- `discarded`, if they say that it is not.

-- Of the sum of a day: how many transactions it stands for, if the file says so.
ALTER TABLE statement_lines ADD COLUMN count BIGINT;
-- When a line was closed by what came after it had been matched.
ALTER TABLE statement_lines ADD COLUMN closed_at BIGINT;

-- The other statement whose line has what no line of this one has.
ALTER TABLE statement_missing ADD COLUMN counted_in BIGINT;

-- What a line that stands for a day is made of.
CREATE TABLE statement_sums (
    statement_id BIGINT NOT NULL,
    reward_id    BIGINT NOT NULL,
    kind         TEXT NOT NULL,
    line         BIGINT NOT NULL,
    PRIMARY KEY (statement_id, reward_id, kind)
);

CREATE INDEX statement_sums_line ON statement_sums (statement_id, line);
CREATE INDEX statement_sums_reward ON statement_sums (reward_id);

-- What a file says of itself: opening, closing, total, credits, reversals (micros), lines (a count).
CREATE TABLE statement_controls (
    statement_id BIGINT NOT NULL,
    name         TEXT NOT NULL,
    line         BIGINT NOT NULL,
    stated       BIGINT NOT NULL,
    PRIMARY KEY (statement_id, name)
);

CREATE INDEX statement_missing_reward ON statement_missing (reward_id);

-- Whether a line has a booking, or another line its transaction, is asked for each of them.
DROP INDEX statement_lines_reward;
DROP INDEX statement_lines_tx;
CREATE INDEX statement_lines_reward ON statement_lines (reward_id, statement_id, kind, state);
CREATE INDEX statement_lines_tx ON statement_lines (tx_id, statement_id, kind, amount_micros);
