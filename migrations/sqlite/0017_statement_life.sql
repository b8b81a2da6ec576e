-- The life of statements: periods that a person states, what they supersede, failing, discarding, reading again.

-- How many lines lie on which day, as JSON: what a period is proposed from.
ALTER TABLE statements ADD COLUMN days TEXT;
-- 1 if a person stated the period; 0 if it is that of the lines, and nothing speaks against it.
ALTER TABLE statements ADD COLUMN period_stated INTEGER NOT NULL DEFAULT 0;
-- 1 as soon as it is decided what it supersedes: by a person, or when reading began.
ALTER TABLE statements ADD COLUMN supersedes_decided INTEGER NOT NULL DEFAULT 0;
-- Why it cannot be read, of one in the state `failed`.
ALTER TABLE statements ADD COLUMN failure TEXT;
-- Steps in a row that failed for a reason that may pass.
ALTER TABLE statements ADD COLUMN tries INTEGER NOT NULL DEFAULT 0;
-- SHA-256 of `format`, so that one file may be read anew when the settings have changed.
ALTER TABLE statements ADD COLUMN format_hash TEXT NOT NULL DEFAULT '';

DROP INDEX statements_file;
CREATE UNIQUE INDEX statements_file ON statements (source, file_hash, format_hash);
CREATE INDEX statements_superseded ON statements (superseded_by);

-- What a statement counts instead of, once it is matched.
CREATE TABLE statement_supersedes (
    statement_id  INTEGER NOT NULL,
    superseded_id INTEGER NOT NULL,
    PRIMARY KEY (statement_id, superseded_id)
) STRICT, WITHOUT ROWID;

INSERT INTO statement_supersedes (statement_id, superseded_id)
SELECT superseded_by, id FROM statements WHERE superseded_by IS NOT NULL;
-- What is being read and has no period waits for a person, who is shown which days its lines have.
UPDATE statements SET state = 'received', chunks_done = 0
WHERE state IN ('importing', 'matching') AND (period_from IS NULL OR period_to IS NULL);
UPDATE statements SET supersedes_decided = 1 WHERE state NOT IN ('receiving', 'received');

-- The other statement that has the same line, and counts it.
ALTER TABLE statement_lines ADD COLUMN counted_in INTEGER;
CREATE INDEX statement_lines_counted_in ON statement_lines (counted_in) WHERE counted_in IS NOT NULL;
CREATE INDEX statement_missing_counted_in ON statement_missing (counted_in) WHERE counted_in IS NOT NULL;

-- What makes a payment one and the same when it is sent twice; unknown of old ones.
ALTER TABLE statement_payments ADD COLUMN payment_key TEXT;
-- The payment that this one takes back, by the opposite transfer.
ALTER TABLE statement_payments ADD COLUMN takes_back INTEGER;
CREATE UNIQUE INDEX statement_payments_key ON statement_payments (statement_id, payment_key);
CREATE UNIQUE INDEX statement_payments_takes_back ON statement_payments (takes_back);
