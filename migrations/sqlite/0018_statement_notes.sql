-- What is to be said of single lines of a statement: `aside`, that one is no transaction and counts nothing; `mark`, that
-- one was read and not quite as it stands there (rounded, in another encoding).
CREATE TABLE statement_notes (
    statement_id INTEGER NOT NULL,
    line         INTEGER NOT NULL,
    kind         TEXT    NOT NULL,
    reason       TEXT    NOT NULL,
    PRIMARY KEY (statement_id, kind, line, reason)
) STRICT, WITHOUT ROWID;
